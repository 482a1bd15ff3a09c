"""What every encoder offers, so that prompts and decoders can be built on any of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

Pyramid = list[Tensor]
"""Features by level, shallow to deep; level i is [B, widths[i], H / strides[i], W / strides[i]]."""


class Encoding(NamedTuple):
    """pyramids: one, or one per draw where the encoder itself is random. kl: scalar, the divergence of its
    own stochastic prompts from their prior; None where it has none.
    """

    pyramids: list[Pyramid]
    kl: Tensor | None


class Encoder(Protocol):
    """Normalised images [B, 3, H, W] in, pyramids out. H and W are multiples of 32.

    widths, strides: of the levels. noise_width: how many random numbers a draw takes per image; 0 for an
    encoder with nothing random in it. mean, std: the input normalisation it expects, of RGB in 0..1.
    """

    widths: tuple[int, ...]
    strides: tuple[int, ...]
    noise_width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
        """noise: N(0, 1) numbers [n, B, noise_width], which give n pyramids; None gives the mean one."""
        ...


def level_at_stride(strides: tuple[int, ...], stride: int) -> int:
    """Index of the first (shallowest) level with this stride. Raises ValueError naming those there are."""
    if stride not in strides:
        raise ValueError(f"no encoder level at stride {stride}; the encoder's levels are at {strides}")
    return strides.index(stride)
