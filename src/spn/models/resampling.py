"""Features from one grid to another; pixel centres stay aligned."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def resize(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize [B, C, h, w] → [B, C, *size]; the input itself if it has that size."""
    if tuple(features.shape[-2:]) == tuple(size):
        return features
    return F.interpolate(features, size=size, mode="bilinear", align_corners=False)


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
