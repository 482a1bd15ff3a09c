"""The model that comes with the package. No torch here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from spn.core.errors import CheckpointError

INPUT_HEIGHT: Final = "input_height"
"""In the info of released weights: the height in pixels at which they see a photograph best."""


def shipped_weights() -> Path:
    """The weights file that comes with the package. Raises CheckpointError if this installation has none."""
    path = Path(str(resources.files("spn") / "weights" / "streets.safetensors"))
    if not path.is_file():
        raise CheckpointError(f"{path}: this installation holds no weights; name some with --checkpoint RUN")
    return path
