"""Predictions as PNGs: some images of a domain for the report and for looking at, or all for other programs.

Of the former, label and prediction are palette PNGs: the index is the class of the domain's label space (255
void), the palette its colours; uncertainty is the entropy of the prediction, 0..255 for 0..log(classes).

Of the latter, 19-class domains are written as Cityscapes labelIds: `<image name>_pred_labelIds.png`, which
begins with `<city>_<sequence>_<frame>` for the Cityscapes family, as the official scorer wants it. Other
label spaces keep their own ids: `<image name>_pred_<label space>.png`. Subfolders are those of the images.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CITYSCAPES_19, LabelSpace, train_id_to_label_id
from spn.core.files import atomic_path
from spn.core.sample import Sample
from spn.evaluation.results import SampleRecord
from spn.inference.scene import write_png


def evenly_spaced(length: int, count: int) -> list[int]:
    """At most `count` indices of 0..length-1, in the middles of equal parts."""
    count = min(length, count)
    return [int((part + 0.5) * length / count) for part in range(count)]


def write_sample(
    folder: Path,
    sample: Sample,
    *,
    index: int,
    prediction: NDArray[np.uint8],
    uncertainty: NDArray[np.float32],
    label_space: LabelSpace,
) -> SampleRecord:
    """Write one image's four files into `folder`; uncertainty [H, W]: 0..1."""
    name = f"{index:06d}"
    palette = np.zeros((256, 3), np.uint8)  # void is black
    palette[: len(label_space)] = label_space.colours
    pictures = {"label": Image.fromarray(sample.label), "prediction": Image.fromarray(prediction)}
    for picture in pictures.values():
        picture.putpalette(palette.tobytes())
    pictures["image"] = Image.fromarray(sample.image)
    pictures["uncertainty"] = Image.fromarray(np.round(uncertainty * 255).astype(np.uint8))
    for kind, picture in pictures.items():
        with atomic_path(folder / f"{name}_{kind}.png") as temporary:
            picture.save(temporary)
    return SampleRecord(name, sample.key, index)


def clear_predictions(folder: Path) -> None:
    """Delete predictions of earlier evaluations, which a scorer would stumble over."""
    for path in folder.rglob("*_pred_*.png"):
        path.unlink()


def write_prediction(
    folder: Path, sample: Sample, prediction: NDArray[np.uint8], *, label_space: LabelSpace
) -> None:
    """Write the prediction uint8 [H, W] of `sample`, in the ids of `label_space`."""
    official = label_space.key == CITYSCAPES_19.key
    ending = "labelIds" if official else label_space.key
    path = folder / Path(sample.key).parent / f"{sample.image_path.stem}_pred_{ending}.png"
    write_png(path, cv2.LUT(prediction, train_id_to_label_id()) if official else prediction)
