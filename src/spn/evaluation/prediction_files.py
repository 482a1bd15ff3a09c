"""Predictions as PNGs for other programs, the official Cityscapes scorer among them.

19-class domains are written as Cityscapes labelIds: `<image name>_pred_labelIds.png`, which begins with
`<city>_<sequence>_<frame>` for the Cityscapes family, as the scorer wants it. Other label spaces keep their
own ids: `<image name>_pred_<label space>.png`. The subfolders are those of the images.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import train_id_to_label_id
from spn.core.files import atomic_path
from spn.core.label_space import CITYSCAPES_19, LabelSpace
from spn.core.sample import Sample


class PredictionWriter:
    """Writes one PNG per image into `folder`; predictions are in the ids of `label_space`."""

    def __init__(self, folder: Path, *, label_space: LabelSpace) -> None:
        self.folder = folder
        self._official = label_space.key == CITYSCAPES_19.key
        self._ending = "labelIds" if self._official else label_space.key
        self._table = train_id_to_label_id()

    def write(self, sample: Sample, prediction: NDArray[np.uint8]) -> Path:
        """Write the prediction uint8 [H, W] of `sample`; returns the file."""
        path = self.folder / self._name(sample)
        ids = cv2.LUT(prediction, self._table) if self._official else prediction
        with atomic_path(path) as temporary:
            if not cv2.imwrite(str(temporary), ids):
                raise OSError(f"could not write {path}")
        return path

    def clear(self) -> None:
        """Delete predictions of earlier evaluations, which a scorer would stumble over."""
        for path in self.folder.rglob("*_pred_*.png"):
            path.unlink()

    def _name(self, sample: Sample) -> Path:
        return Path(sample.key).parent / f"{sample.image_path.stem}_pred_{self._ending}.png"
