"""Bilinear resizing in bands of rows, so that the result of a large photo never stands in memory at once."""

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


def resized_bands(maps: Tensor, size: tuple[int, int], *, rows: int = 256) -> Iterator[Band]:
    """Maps [B, C, h, w] resized to `size`, equal to F.interpolate's bilinear without aligned corners."""
    height, width = size
    across = _centres(width, maps)
    down = _centres(height, maps)
    for top in range(0, height, rows):
        part = down[top : top + rows]
        grid = torch.stack(torch.broadcast_tensors(across[None, :], part[:, None]), dim=-1)
        resized = F.grid_sample(
            maps,
            grid.expand(len(maps), -1, -1, -1),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        yield Band(top, top + len(part), resized)


def _centres(length: int, like: Tensor) -> Tensor:
    """Pixel centres in -1..1, the coordinates of grid_sample."""
    return (torch.arange(length, device=like.device, dtype=like.dtype) + 0.5) * (2 / length) - 1
