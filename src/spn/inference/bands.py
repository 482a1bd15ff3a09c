"""Bilinear resizing in bands of rows: all maps of a photo at its full size never stand in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Band(NamedTuple):
    """Rows top..bottom (exclusive) of the resized maps: [B, C, bottom - top, W]."""

    top: int
    bottom: int
    maps: Tensor


def resized_bands(maps: Tensor, size: tuple[int, int], *, rows: int = 64) -> Iterator[Band]:
    """Maps [B, C, h, w] resized to `size`, equal to F.interpolate's bilinear without aligned corners.

    Bands that fit into a processor's cache are also faster than the whole: what reads them finds them there.
    """
    height, width = size
    if tuple(maps.shape[-2:]) == size:
        yield Band(0, height, maps)
        return
    step = maps.shape[-2] / height
    place = ((torch.arange(height, device=maps.device) + 0.5) * step - 0.5).clamp_(0, maps.shape[-2] - 1)
    above = place.long()
    below = (above + 1).clamp_(max=maps.shape[-2] - 1)
    share = (place - above).to(maps.dtype)[:, None]
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        band = torch.lerp(maps[:, :, above[part]], maps[:, :, below[part]], share[part])
        yield Band(
            part.start, part.stop, F.interpolate(band, size=(len(share[part]), width), mode="bilinear")
        )
