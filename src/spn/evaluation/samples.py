"""Qualitative samples: evenly spaced images of a domain as PNGs, for the report and for looking at.

label and prediction are palette PNGs: the index is the class of the domain's label space (255 void), the
palette its colours. uncertainty is the entropy of the prediction, 0..255 for 0..log(classes).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import IGNORE
from spn.core.files import atomic_path
from spn.core.label_space import LabelSpace
from spn.core.sample import Sample
from spn.evaluation.results import SampleRecord


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
    entropy: NDArray[np.float32],
    label_space: LabelSpace,
) -> SampleRecord:
    """Write one sample's four files into `folder`; entropy [H, W] in nats."""
    name = f"{index:06d}"
    strength = np.clip(entropy / np.log(max(2, len(label_space))), 0, 1)
    pictures: Mapping[str, Image.Image] = {
        "image": Image.fromarray(sample.image),
        "label": palette_image(sample.label, label_space),
        "prediction": palette_image(prediction, label_space),
        "uncertainty": Image.fromarray(np.round(strength * 255).astype(np.uint8)),
    }
    for kind, picture in pictures.items():
        with atomic_path(folder / f"{name}_{kind}.png") as temporary:
            picture.save(temporary)
    return SampleRecord(name, sample.key, index)


def palette_image(label: NDArray[np.uint8], label_space: LabelSpace) -> Image.Image:
    """uint8 [H, W] as a palette image in the colours of `label_space`; void is black."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(label_space)] = label_space.colours
    colours[IGNORE] = 0
    picture = Image.fromarray(label)
    picture.putpalette(colours.tobytes())
    return picture
