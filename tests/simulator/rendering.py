"""What some small frames look like, coarsely: written once for each `streets.RENDERING`, compared by a test.

    PYTHONPATH=tests python -m simulator.rendering      # after raising streets.RENDERING

Means over blocks rather than a hash of bytes: another build of OpenCV may round a pixel the other way.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from streets import RENDERING
from streets.render import render_frame
from streets.styles import STYLES

FILE: Final = Path(__file__).with_name("rendering.json")
FRAMES: Final = {"gtav": 1, "cityscapes": 2, "synthia": 3, "varied": 4, "world": 5}
"""Style and seed of each."""
BLOCK: Final = 12


def blocks(values: NDArray[Any]) -> list[float]:
    """Means over blocks of 12 x 12 pixels of [H, W, ...], row by row."""
    height, width, *_ = values.shape
    parts = values.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, -1).astype(np.float64)
    return [round(mean, 3) for mean in parts.mean(axis=(1, 3)).flatten().tolist()]


def look(style: str, seed: int) -> dict[str, list[float]]:
    """image: grey levels. label, instance: ids, void as 30. inverse_depth: 100/m."""
    frame = render_frame(STYLES[style], seed=seed, width=72, height=48)
    return {
        "image": blocks(frame.image),
        "label": blocks(np.where(frame.label == IGNORE, 30, frame.label)),
        "instance": blocks(frame.instance),
        "inverse_depth": blocks(100 / frame.depth),
    }


if __name__ == "__main__":
    looks = {style: look(style, seed) for style, seed in FRAMES.items()}
    FILE.write_text(json.dumps({"rendering": RENDERING, "frames": looks}) + "\n")
