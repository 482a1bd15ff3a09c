"""Draws street.webp, the picture of the README: python docs/images/street.py

A simulated street that the model in the package was not trained on (seed 300), prediction and uncertainty.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw, ImageFont

import spn
from streets.export import ExportPlan, export_dataset

WIDTH, HEIGHT, TITLE, GAP = 560, 420, 34, 6
"""Of a panel, of the line above it, and between two, in pixels."""
FRAME = "00009"


def main() -> None:
    with TemporaryDirectory() as folder:
        plan = ExportPlan("gtav", Path(folder), {"val": 16}, width=768, height=576, seed=300, style="world")
        export_dataset(plan, progress=False)
        (photograph,) = Path(folder).glob(f"images/**/{FRAME}.png")
        spn.load(device="cpu").predict(photograph).save(Path(folder) / "street")
        panels = {
            "street (simulated)": photograph,
            "prediction": Path(folder) / "street_overlay.png",
            "uncertainty": Path(folder) / "street_uncertainty.png",
        }
        sheet = Image.new("RGB", (3 * WIDTH + 2 * GAP, HEIGHT + TITLE), "white")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(22)
        for number, (title, path) in enumerate(panels.items()):
            left = number * (WIDTH + GAP)
            panel = Image.open(path).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            sheet.paste(panel, (left, TITLE))
            draw.text((left + WIDTH / 2, TITLE / 2), title, fill="black", anchor="mm", font=font)
        sheet.save(Path(__file__).with_suffix(".webp"), quality=85, method=6)


if __name__ == "__main__":
    main()
