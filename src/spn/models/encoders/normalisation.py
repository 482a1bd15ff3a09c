"""What a timm model expects its RGB input in 0..1 to be normalised with."""

from __future__ import annotations

from typing import NamedTuple

import timm


class InputStatistics(NamedTuple):
    """Per channel; ImageNet's for a model that timm has no pretrained weights of."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def input_statistics(name: str) -> InputStatistics:
    settings = timm.get_pretrained_cfg(name)
    if settings is None:
        return InputStatistics(timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD)
    return InputStatistics(tuple(settings.mean), tuple(settings.std))
