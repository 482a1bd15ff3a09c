"""Features from one grid to another, also while torch.export traces: then no size may decide what is done."""

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

exporting: Final = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
"""Whether torch.export is tracing; in torch before 2.7 also whether torch.compile is."""


def padded(images: Tensor, *, multiple: int) -> Tensor:
    """[..., h, w] → [..., H, W], the next multiples: the last row and column are repeated below and right."""
    height, width = images.shape[-2:]
    rows, columns = ((length + multiple - 1) // multiple * multiple for length in (height, width))
    if exporting():
        return gathered(images, (rows, columns), beyond=True)
    if (rows, columns) == (height, width):
        return images
    return F.pad(images, (0, columns - width, 0, rows - height), mode="replicate")


def cropped(features: Tensor, size: Sequence[int]) -> Tensor:
    """The first rows and columns: [..., h, w] → [..., *size]."""
    return gathered(features, size, beyond=False) if exporting() else features[..., : size[0], : size[1]]


def resize(features: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize [B, C, h, w] → [B, C, *size]; the input itself if it has that size."""
    if not exporting() and tuple(features.shape[-2:]) == tuple(size):
        return features
    return F.interpolate(features, size=[*size], mode="bilinear", align_corners=False)


def resize_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of pictures [B, C, h, w] → [B, C, *size], smoothed before shrinking."""
    height, width = images.shape[-2:]
    if height <= size[0] and width <= size[1]:
        return resize(images, size)
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)


def resample(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Shrink by averaging, so that thin things are not lost between samples; enlarge bilinearly."""
    height, width = features.shape[-2:]
    if height <= size[0] and width <= size[1]:
        return resize(features, size)
    if height % size[0] == 0 and width % size[1] == 0:
        return F.avg_pool2d(features, (height // size[0], width // size[1]))
    return F.adaptive_avg_pool2d(features, size)


def nearest(numerator: int, denominator: int) -> int:
    """round(numerator / denominator), ties to even, in integers alone: also for a length that is a symbol."""
    quotient, rest = numerator // denominator, numerator % denominator
    return quotient + (2 * rest + denominator - 1 + quotient % 2) // (2 * denominator)


def gathered(features: Tensor, size: Sequence[int], *, beyond: bool) -> Tensor:
    """[..., h, w] → [..., *size] by the indices of rows and columns, where sizes may decide nothing.

    beyond: whether `size` is the larger one, so that the last row and column come again, or it is not.
    """
    for dimension, length in zip((-2, -1), size, strict=True):
        places = torch.arange(length, device=features.device)
        if beyond:
            places = places.clamp(max=features.shape[dimension] - 1)
        features = features.index_select(dimension, places)
    return features
