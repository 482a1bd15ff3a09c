"""Random numbers from explicit seeds and generators."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from spn.core.seeding import derive_seed


@contextlib.contextmanager
def initial_weights(seed: int, part: str) -> Iterator[None]:
    """A stream of its own for each part, from torch's global CPU generator, which is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights", part))
        yield


def draw(
    sampler: Callable[..., Tensor], shape: tuple[int, ...], *, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """float32 numbers of `sampler` (torch.randn, torch.rand) on the device of `like`, by any generator."""
    device = generator.device if generator is not None else like.device
    return sampler(shape, generator=generator, device=device, dtype=torch.float32).to(like.device)
