"""What every encoder offers, so that prompts and decoders can be built on any of them."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

Pyramid = list[Tensor]
"""Features by level, shallow to deep; level i is [B, widths[i], H / strides[i], W / strides[i]]."""


class Encoder(Protocol):
    """Normalised images [B, 3, H, W] in, a pyramid out. H and W are multiples of 32."""

    widths: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, images: Tensor) -> Pyramid: ...


def level_at_stride(strides: tuple[int, ...], stride: int) -> int:
    """Index of the first (shallowest) level with this stride. Raises ValueError naming those there are."""
    if stride not in strides:
        raise ValueError(f"no encoder level at stride {stride}; the encoder's levels are at {strides}")
    return strides.index(stride)
