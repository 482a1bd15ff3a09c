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
from spn.core.classes import CITYSCAPES_19, IGNORE
from streets.export import ExportPlan, export_dataset

DOMAINS = {
    "streets like Cityscapes'": ("cityscapes", None),
    "like BDD-100K's": ("bdd100k", None),
    "like Mapillary's": ("mapillary", None),
    "rain": ("rain_cityscapes", None),
    "fog": ("foggy_cityscapes", None),
    "any place, by day": ("gtav", "world"),
    "any place, in the dark": ("gtav", "world"),
}
FRAMES, LEAST = 24, 0.003
"""Frames of a domain, and the share of a frame from which a class counts."""
DARK = 50
"""Mean grey below which a frame is dark, 0 to 255."""
WIDTH, HEIGHT, TITLE, GAP = 288, 216, 26, 4
"""Of a panel, of the line above a row, and between two panels, in pixels."""

Array = NDArray[np.uint8]


def main() -> None:
    rows = [
        (title, *extremes(key, style, seed=900 + number, dark="dark" in title, light="day" in title))
        for number, (title, (key, style)) in enumerate(DOMAINS.items())
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
    key: str, style: str | None, *, seed: int, dark: bool, light: bool
) -> tuple[tuple[float, list[Array]], tuple[float, list[Array]]]:
    """The best and the worst frame of a domain: mean IoU in percent; frame, ground truth and prediction."""
    model, colours, found = spn.load(device="cpu"), CITYSCAPES_19.palette(), []
    with TemporaryDirectory() as folder:
        count = FRAMES * (4 if dark else 2 if light else 1)
        plan = ExportPlan(key, Path(folder), {"val": count}, width=576, height=432, seed=seed, style=style)
        export_dataset(plan, progress=False)
        dataset = spn.open_dataset(f"{key}={folder}:val")
        for number in range(len(dataset)):
            sample = dataset[number]
            grey = float(sample.image.mean())
            if (dark and grey >= DARK) or (light and grey < DARK) or len(found) == FRAMES:
                continue
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
    labelled = label != IGNORE
    scores = []
    for number in range(len(CITYSCAPES_19)):
        true, said = (label == number) & labelled, (prediction == number) & labelled
        if true.sum() >= LEAST * label.size:
            scores.append((true & said).sum() / (true | said).sum())
    return 100 * float(np.mean(scores))


if __name__ == "__main__":
    main()
