"""What a network sees in one photograph, as arrays, as pictures and as files. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CLASS_NAMES, palette, train_id_to_label_id
from spn.core.files import atomic_path

Ids = Literal["label-id", "train-id"]

KINDS: Final = ("label", "overlay", "uncertainty", "disagreement")
"""Endings of the files that `Scene.save` writes."""


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

    def save(self, target: str | Path, *, ids: Ids = "label-id") -> list[Path]:
        """Write `target`_label.png, _overlay.png, _uncertainty.png; of several samples, _disagreement.png.

        Args:
            target: the files' place and the start of their names, without an ending: "out/street". Missing
                folders are made; each file appears whole or not at all.
            ids: in the label file: labelIds of Cityscapes (7 road, 8 sidewalk, …) or train ids.

        Returns:
            The files written. Maps are coloured from dark (0) to bright (1).
        """
        pictures = {
            "label": cv2.LUT(self.labels, train_id_to_label_id()) if ids == "label-id" else self.labels,
            "overlay": cv2.cvtColor(np.asarray(self.overlay()), cv2.COLOR_RGB2BGR),
            "uncertainty": _heat(self.uncertainty),
        }
        if self.disagreement is not None:
            pictures["disagreement"] = _heat(self.disagreement)
        target = Path(target)
        paths = {kind: target.with_name(f"{target.name}_{kind}.png") for kind in pictures}
        for kind, picture in pictures.items():
            write_png(paths[kind], picture)
        return list(paths.values())


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write uint8 [H, W], or [H, W, 3] in the order blue, green, red, atomically. Raises OSError."""
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), picture):
            raise OSError(f"could not write {path}")


def _heat(fraction: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 [H, W] as BGR colours from dark to bright."""
    return cv2.applyColorMap(cv2.convertScaleAbs(fraction, alpha=255), cv2.COLORMAP_INFERNO)
