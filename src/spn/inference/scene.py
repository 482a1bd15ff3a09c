"""What a network sees in one photograph, as arrays, as pictures and as files. No torch."""

import hashlib
import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CLASS_NAMES, palette, train_id_to_label_id
from spn.core.errors import UserError
from spn.core.files import sole_process, write_bytes

Ids = Literal["label-id", "train-id"]

KINDS: Final = ("label", "overlay", "uncertainty", "disagreement")
"""Endings of the files that `Scene.save` writes."""
_SIGNATURE: Final = b"Software\0SPN"
"""Text in every PNG that it writes: by it, results are told from the user's own files."""


class PhotoError(UserError):
    """A photograph that cannot be read, or whose results cannot be written, because their place is taken."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One photograph and its prediction, all at the photograph's size.

    Attributes:
        image: the photograph, uint8 [H, W, 3], RGB.
        labels: uint8 [H, W], indices of `classes`: the 19 train ids of Cityscapes, 0 road to 18 bicycle.
        confidence: float32 [H, W], the probability of the label.
        uncertainty: float32 [H, W], the entropy of the prediction as a fraction of its maximum, 0..1.
        disagreement: float32 [H, W], the mutual information between label and random prompt as
            the same fraction; None without `num_samples`.
        classes: the names of the classes.

    >>> half = np.array([[0, 0, 10, 10]], np.uint8)
    >>> sure = np.ones((1, 4), np.float32)
    >>> scene = Scene(np.zeros((1, 4, 3), np.uint8), half, sure, 1 - sure)
    >>> scene.areas()["sky"]
    0.5
    >>> scene.overlay().size
    (4, 1)
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None = None
    classes: tuple[str, ...] = CLASS_NAMES

    def areas(self) -> dict[str, float]:
        """The share of the picture that each class covers, 0..1, the largest first; absent ones are 0."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes)) / self.labels.size
        order = np.argsort(-counts, kind="stable")
        return {self.classes[index]: float(counts[index]) for index in order}

    def overlay(self, *, strength: float = 0.55) -> Image.Image:
        """The photograph under the colours of its classes. strength: share of the colour, 0..1."""
        colours = cv2.LUT(cv2.merge([self.labels] * 3), palette()[None])
        return Image.fromarray(cv2.addWeighted(self.image, 1 - strength, colours, strength, 0))

    def save(
        self, target: str | Path, *, ids: Ids = "label-id", photograph: Path | None = None
    ) -> list[Path]:
        """Write `target`_label.png, _overlay.png, _uncertainty.png; of several samples, _disagreement.png.

        Args:
            target: the files' place and the start of their names, without an ending: "out/street". Missing
                folders are made; each file appears whole or not at all.
            ids: in the label file, a PNG of indices with a palette: labelIds of Cityscapes (7 road, 8
                sidewalk, …) or train ids.
            photograph: where the image is from; results of another photograph are then not replaced.

        Returns:
            The files written. Maps are coloured from dark (0) to bright: 1 for the uncertainty, for the
            disagreement its largest value in this photograph.

        Raises:
            PhotoError: there is a file of that name which is no result, or one of another photograph.
        """
        lookup = train_id_to_label_id() if ids == "label-id" else np.arange(256, dtype=np.uint8)
        label = Image.fromarray(cv2.LUT(self.labels, lookup))
        colours = np.zeros((256, 3), np.uint8)
        colours[lookup] = palette()
        label.putpalette(colours.tobytes())
        pictures: dict[str, Image.Image | NDArray[np.uint8]] = {
            "label": label,
            "overlay": cv2.cvtColor(np.asarray(self.overlay()), cv2.COLOR_RGB2BGR),
            "uncertainty": _heat(self.uncertainty),
        }
        if self.disagreement is not None:
            pictures["disagreement"] = _heat(self.disagreement / max(float(self.disagreement.max()), 1e-6))
        paths = {kind: result_path(target, kind) for kind in pictures}
        text = _text(photograph)
        folder = paths["label"].parent
        folder.mkdir(parents=True, exist_ok=True)
        with sole_process(folder):  # another may just now write results of the same name
            check_free(target, photograph=photograph)
            for kind, picture in pictures.items():
                write_bytes(paths[kind], _encode(picture, text))
        return list(paths.values())


def result_path(target: str | Path, kind: str) -> Path:
    """The file of one of `KINDS`; too long a name is cut and gets a digest of the rest."""
    path = Path(target)
    name = os.fsencode(path.name)
    if len(name) > 255 - len("_disagreement.png"):
        digest = hashlib.blake2s(name, digest_size=4).hexdigest()
        name = os.fsencode(f"{name[:200].decode(errors='ignore')}_{digest}")
    return path.with_name(f"{os.fsdecode(name)}_{kind}.png")


def check_free(target: str | Path, *, photograph: Path | None = None) -> None:
    """Raises PhotoError if a result would replace a file that is none, or one of another photograph."""
    advice = "choose another folder with --out, or move it away"
    for path in (result_path(target, kind) for kind in KINDS):
        start = _start(path)
        if start and _SIGNATURE not in start:
            raise PhotoError(f"{path} is there and was not written by this version of SPN; {advice}")
        if start and photograph and _text(photograph) not in start:
            raise PhotoError(f"{path} is the result of another photograph; {advice}")


def is_result(path: Path) -> bool:
    """Whether a file was written by `Scene.save`."""
    return path.suffix == ".png" and path.stem.endswith(KINDS) and _SIGNATURE in _start(path)


def _start(path: Path) -> bytes:
    """The bytes that hold the signature; none if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read(200)
    except FileNotFoundError:
        return b""


def _text(photograph: Path | None) -> bytes:
    """PNG chunks that say who wrote the file and, as a digest, of which photograph."""
    source = os.fsencode(photograph.resolve()) if photograph else b""
    texts = [_SIGNATURE, b"Source\0" + hashlib.blake2s(source, digest_size=8).hexdigest().encode()]
    return b"".join(
        struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
        for text in texts
    )


def _encode(picture: Image.Image | NDArray[np.uint8], text: bytes) -> bytes:
    """A PNG, with `text` behind its header; OpenCV (blue, green, red) is faster, Pillow writes palettes."""
    if isinstance(picture, Image.Image):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=1)
        data = buffer.getvalue()
    else:
        data = cv2.imencode(".png", picture)[1].tobytes()
    return data[:33] + text + data[33:]


def _heat(fraction: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 [H, W] as BGR colours from dark to bright."""
    return cv2.applyColorMap(cv2.convertScaleAbs(fraction, alpha=255), cv2.COLORMAP_INFERNO)
