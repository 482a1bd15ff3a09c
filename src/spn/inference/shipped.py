"""The model that comes with the package, and at which size released weights want to see. No torch here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from spn.core.errors import CheckpointError
from spn.inference.views import Views

INPUT_HEIGHT: Final = "input_height"
"""In the info of released weights: the height in pixels at which they see a photograph best."""


def released_views(views: Views, info: Mapping[str, object]) -> Views:
    """`views` with the height that weights with this info were released for, if they name one and `views`
    does not."""
    if views.input_height is not None or INPUT_HEIGHT not in info:
        return views
    return dataclasses.replace(views, input_height=int(str(info[INPUT_HEIGHT])))


def shipped_weights() -> Path:
    """The weights file that comes with the package. Raises CheckpointError if this installation has none."""
    path = Path(str(resources.files("spn") / "weights" / "streets.safetensors"))
    if not path.is_file():
        raise CheckpointError(f"{path}: this installation holds no weights; name some with --checkpoint RUN")
    return path
