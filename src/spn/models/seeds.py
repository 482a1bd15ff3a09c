"""Initial weights of each part from a stream of its own, so that two networks share those of common parts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from spn.core.seeding import derive_seed


@contextlib.contextmanager
def initial_weights(seed: int, part: str) -> Iterator[None]:
    """Torch's global CPU generator starts from (seed, part) inside, and is as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights", part))
        yield
