"""What a network sees in one photograph, as arrays, as pictures and as files. No torch."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from spn.core.classes import CITYSCAPES_19, IGNORE, LabelSpace
from spn.core.files import sole_process, write_bytes
from spn.inference.legend import with_legend
from spn.inference.results import USUAL, Kind, check_free, result_path, signature, write_png

Ids = Literal["label-id", "train-id"]


class ClassArea(NamedTuple):
    """How much of a picture one class covers (0..1), and how sure it is there: the mean probability of the
    label, None where the class is absent."""

    name: str
    train_id: int
    share: float
    confidence: float | None


@dataclass(frozen=True, eq=False)
class Scene:
    """One photograph, or frame of a video, and its prediction, all at the photograph's size.

    Attributes:
        image: the photograph, uint8 [H, W, 3], RGB.
        labels: uint8 [H, W], indices of `classes`: of the 19 of Cityscapes the train ids, 0 road to 18
            bicycle; 255 where `confident` took the label away.
        confidence: float32 [H, W], the probability of the label.
        uncertainty: float32 [H, W], the entropy of the prediction as a fraction of its maximum, 0..1.
        disagreement: float32 [H, W], the mutual information between label and random prompt as
            the same fraction; None without `num_samples`.
        label_space: the classes.
        probabilities: float16 [C, H, W], of every class; None unless asked for.
        seconds: of a video's frame, when it was seen; else None.

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
    label_space: LabelSpace = CITYSCAPES_19
    probabilities: NDArray[np.float16] | None = None
    seconds: float | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.label_space.names

    def areas(self) -> dict[str, float]:
        """The share of the picture that each class covers, 0..1, the largest first; absent ones are 0."""
        ordered = sorted(self.table(), key=lambda one: -one.share)
        return {one.name: one.share for one in ordered if one.train_id != IGNORE}

    def table(self) -> list[ClassArea]:
        """Share and mean confidence of every class, in their order; then, if there are any, of pixels without
        a label: "unsure", 255."""
        labels = self.labels.ravel()
        counts = np.bincount(labels, minlength=256)
        sums = np.bincount(labels, weights=self.confidence.ravel(), minlength=256)
        named = [*enumerate(self.classes), *([(IGNORE, "unsure")] if counts[IGNORE] else [])]
        return [
            ClassArea(
                name,
                index,
                float(counts[index] / labels.size),
                float(sums[index] / counts[index]) if counts[index] else None,
            )
            for index, name in named
        ]

    def confident(self, least: float) -> Scene:
        """This scene with the label 255 wherever the confidence is below `least`, 0..1."""
        return replace(self, labels=np.where(self.confidence < least, np.uint8(IGNORE), self.labels))

    def overlay(self, *, strength: float = 0.55, legend: bool = False) -> Image.Image:
        """The photograph under the colours of its classes; pixels without a label stay as they are.

        Args:
            strength: share of the colour, 0..1.
            legend: whether the classes that occur are named below the picture.
        """
        classes = self.label_space.classes
        colours = cv2.LUT(cv2.merge([self.labels] * 3), self.label_space.palette()[None])
        picture = cv2.addWeighted(self.image, 1 - strength, colours, strength, 0)
        unsure = self.labels == IGNORE
        picture[unsure] = self.image[unsure]
        if legend:
            occurring = set(np.unique(self.labels).tolist())
            picture = with_legend(picture, [one for one in classes if one.train_id in occurring])
        return Image.fromarray(picture)

    def save(
        self,
        target: str | Path,
        *,
        ids: Ids = "label-id",
        kinds: Sequence[Kind] = USUAL,
        legend: bool = False,
        photograph: Path | None = None,
    ) -> list[Path]:
        """Write `target`_label.png, _overlay.png, _uncertainty.png; of several samples, _disagreement.png.

        Args:
            target: the files' place and the start of their names, without an ending: "out/street". Missing
                folders are made; each file appears whole or not at all.
            ids: in the label file, a PNG of indices with a palette: labelIds of Cityscapes (7 road, 8
                sidewalk, …), of one's own classes those of the labels trained on; or train ids, which count
                the classes from 0; 255 where there is no label.
            kinds: which files. "probabilities" is `target`_probabilities.npz: the array `probabilities`,
                float16 [C, H, W], and the names `classes`.
            legend: whether the overlay has one.
            photograph: where the image is from; results of another photograph are then not replaced.

        Returns:
            The files written. Maps are coloured from dark (0) to bright: 1 for the uncertainty, for the
            disagreement its largest value in this photograph.

        Raises:
            PhotoError: there is a file of that name which is no result, or one of another photograph.
        """
        encoded = {kind: self._encoded(kind, ids=ids, legend=legend, source=photograph) for kind in kinds}
        paths = {kind: result_path(target, kind) for kind, data in encoded.items() if data}
        folder = result_path(target, "label").parent
        folder.mkdir(parents=True, exist_ok=True)
        with sole_process(folder):  # another may just now write results of the same name
            check_free(target, source=photograph)
            for kind, path in paths.items():
                write = write_bytes if path.suffix == ".npz" else partial(write_png, source=photograph)
                write(path, encoded[kind])
        return list(paths.values())

    def _encoded(self, kind: Kind, *, ids: Ids, legend: bool, source: Path | None) -> bytes:
        """The file's bytes; none of what this scene does not have."""
        if kind == "label":
            return _encode_labels(self.labels, self.label_space, ids)
        if kind == "overlay":
            overlay = np.asarray(self.overlay(legend=legend))
            return cv2.imencode(".png", cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))[1].tobytes()
        if kind == "uncertainty":
            return _encode_heat(self.uncertainty)
        if kind == "disagreement" and self.disagreement is not None:
            return _encode_heat(self.disagreement / max(float(self.disagreement.max()), 1e-6))
        if kind == "probabilities" and self.probabilities is not None:
            return _encode_arrays(signature(source), probabilities=self.probabilities, classes=self.classes)
        return b""


def _encode_labels(labels: NDArray[np.uint8], space: LabelSpace, ids: Ids) -> bytes:
    lookup = np.arange(256, dtype=np.uint8)
    if ids == "label-id":
        lookup[: len(space)] = [one.label_id for one in space.classes]
    colours = np.zeros((256, 3), np.uint8)
    colours[lookup[: len(space)]] = space.colours
    return _encode(cv2.LUT(labels, lookup), colours)


def _encode_heat(fraction: NDArray[np.float32]) -> bytes:
    """0..1 [H, W], in 255 steps, from dark to bright: half the time that true colours take."""
    levels = np.arange(256, dtype=np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return _encode(cv2.convertScaleAbs(fraction, alpha=255), colours)


def _encode(indices: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """A PNG of indices [H, W] with a palette [256, 3], which Pillow writes and OpenCV does not."""
    picture = Image.fromarray(indices)
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _encode_arrays(comment: bytes, **arrays: ArrayLike) -> bytes:
    """An .npz file; numpy's own writer compresses slowly and leaves no comment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.comment = comment
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()
