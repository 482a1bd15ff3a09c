"""The model that comes with the package, and in which views released weights want to see. No torch here."""

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

SCALES: Final = "scales"
"""In the same info: the scales of that height whose views are averaged, as `0.75 1 1.5`."""

FLIP: Final = "flip"
"""In the same info: `true` where each of those views is seen mirrored as well, `alternate` where every second
scale is seen mirrored only."""

OWN_STATISTICS: Final = "own_statistics"
"""In the same info: the share of a view's own statistics, if any."""


_BOTH, _ALTERNATE = "true", "alternate"


def released_views(views: Views, info: Mapping[str, object]) -> Views:
    """`views` with what weights of this info were released for, if anything.

    What `views` itself names stays. The scales are those of the released height and go with no other; flip
    and own statistics go with the released scales.
    """
    if INPUT_HEIGHT not in info:
        return views
    height = int(str(info[INPUT_HEIGHT]))
    if views.input_height not in (None, height):
        return views
    views = dataclasses.replace(views, input_height=height)
    if views.scales is not None:
        return views
    scales = tuple(float(scale) for scale in str(info.get(SCALES, "")).split())
    flip = views.flip or info.get(FLIP) == _BOTH
    return dataclasses.replace(
        views,
        scales=scales or None,
        flip=flip,
        alternate_flip=not flip and (views.alternate_flip or info.get(FLIP) == _ALTERNATE),
        own_statistics=views.own_statistics or float(str(info.get(OWN_STATISTICS, 0))),
    )


def released_info(info: Mapping[str, str | int | float], views: Views) -> dict[str, str | int | float]:
    """`info` of weights with the views they are released for, in place of any it named before."""
    keys = (INPUT_HEIGHT, SCALES, FLIP, OWN_STATISTICS)
    released = {name: value for name, value in info.items() if name not in keys}
    if views.input_height is not None:
        released[INPUT_HEIGHT] = views.input_height
    if views.scales is not None:
        released[SCALES] = " ".join(f"{scale:g}" for scale in views.scales)
    if views.flip or views.alternate_flip:
        released[FLIP] = _BOTH if views.flip else _ALTERNATE
    if views.own_statistics:
        released[OWN_STATISTICS] = views.own_statistics
    return released


def shipped_weights() -> Path:
    """The weights file that comes with the package. Raises CheckpointError if this installation has none."""
    path = Path(str(resources.files("spn") / "weights" / "streets.safetensors"))
    if not path.is_file():
        raise CheckpointError(f"{path}: this installation holds no weights; name some with --checkpoint RUN")
    return path
