"""Draws pictures.webp, the page of pictures of the model card: python docs/images/pictures.py

Of each domain the simulated frames with the highest and the lowest mean IoU: frame, ground truth, prediction.
The model in the package was trained on no frame of these seeds (900 to 906), nor on these styles but `world`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import spn
from spn.core.classes import CITYSCAPES_19
from spn.evaluation.counts import confusion_counts
from spn.evaluation.results import class_iou
from streets.export import ExportPlan, export_dataset

ANY, DARK, LIGHT = (0, 256), (0, 50), (50, 256)
"""Mean grey of a frame, from and below, 0 to 255."""
DOMAINS = {
    "streets like Cityscapes'": ("cityscapes", None, ANY),
    "like BDD-100K's": ("bdd100k", None, ANY),
    "like Mapillary's": ("mapillary", None, ANY),
    "rain": ("rain_cityscapes", None, ANY),
    "fog": ("foggy_cityscapes", None, ANY),
    "any place, by day": ("gtav", "world", LIGHT),
    "any place, in the dark": ("gtav", "world", DARK),
}
FRAMES, DRAWN, LEAST = 24, 96, 0.003
"""Frames of a domain, how many of `world` are drawn for as many in its range, and the share of a frame from
which a class counts."""
WIDTH, HEIGHT, TITLE, GAP = 288, 216, 26, 4
"""Of a panel, of the line above a row, and between two panels, in pixels."""

Array = NDArray[np.uint8]


def main() -> None:
    model = spn.load(device="cpu")
    rows = [
        (title, *extremes(model, *domain, seed=900 + number))
        for number, (title, domain) in enumerate(DOMAINS.items())
    ]
    sheet = Image.new("RGB", (6 * WIDTH + 5 * GAP, len(rows) * (HEIGHT + TITLE)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for row, (title, *both) in enumerate(rows):
        top = row * (HEIGHT + TITLE)
        for half, (which, (score, panels)) in enumerate(zip(("best", "worst"), both, strict=True)):
            left = half * 3 * (WIDTH + GAP)
            words = f"{title}: {which} of {FRAMES}, mIoU {score:.0f}"
            draw.text((left + 4, top + TITLE / 2), words, fill="black", anchor="lm", font=font)
            for number, panel in enumerate(panels):
                small = Image.fromarray(panel).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
                sheet.paste(small, (left + number * (WIDTH + GAP), top + TITLE))
    sheet.save(Path(__file__).with_suffix(".webp"), quality=80, method=6)


def extremes(
    model: spn.Model, key: str, style: str | None, grey: tuple[int, int], *, seed: int
) -> tuple[tuple[float, list[Array]], tuple[float, list[Array]]]:
    """The best and the worst frame of a domain: mean IoU in percent; frame, ground truth and prediction."""
    colours, found = CITYSCAPES_19.palette(), []
    with TemporaryDirectory() as folder:
        count = FRAMES if grey == ANY else DRAWN
        plan = ExportPlan(key, Path(folder), {"val": count}, width=576, height=432, seed=seed, style=style)
        export_dataset(plan, progress=False)
        dataset = spn.open_dataset(f"{key}={folder}:val")
        for number in range(len(dataset)):
            sample = dataset[number]
            if grey[0] <= sample.image.mean() < grey[1] and len(found) < FRAMES:
                labels = model.predict(sample.image).labels
                found.append((mean_iou(sample.label, labels), sample.image, sample.label, labels))
    found.sort(key=lambda one: one[0])
    best, worst = (
        (score, [image, colours[label], colours[labels]])
        for score, image, label, labels in (found[-1], found[0])
    )
    return best, worst


def mean_iou(label: Array, prediction: Array) -> float:
    """In percent, over the classes of the ground truth that are no speck."""
    confusion = confusion_counts(label, prediction, classes=len(CITYSCAPES_19))
    counts = confusion.sum(axis=1) >= LEAST * label.size
    return 100 * float(class_iou(confusion)[counts].mean())


if __name__ == "__main__":
    main()
