"""Random numbers from an explicit generator, whatever device it lives on."""

from __future__ import annotations

import torch
from torch import Tensor


def standard_normal(shape: tuple[int, ...], *, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """float32 N(0, 1) noise of `shape`, on the device of `like`. A CPU generator serves any device."""
    device = generator.device if generator is not None else like.device
    return torch.randn(shape, generator=generator, device=device, dtype=torch.float32).to(like.device)


def uniform(shape: tuple[int, ...], *, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """float32 U[0, 1) noise of `shape`, on the device of `like`. A CPU generator serves any device."""
    device = generator.device if generator is not None else like.device
    return torch.rand(shape, generator=generator, device=device, dtype=torch.float32).to(like.device)
