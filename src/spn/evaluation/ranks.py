"""The processes that share an evaluation under torchrun; one process alone is the case of one rank."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """This process (`rank`, from 0) among `count`. Every rank must make the same calls in the same order."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def agree(self, decide: Callable[[], Value]) -> Value:
        """What `decide` gives on the first rank, on every rank; it is called nowhere else."""
        box: list[Any] = [decide() if self.first else None]
        if self.count > 1:
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def gather(self, value: Value) -> list[Value]:
        """The values of all ranks, in order, on every rank."""
        values: list[Any] = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values


def is_first_process() -> bool:
    """Whether this process is the one that speaks, of those that torchrun started or alone."""
    return os.environ.get("RANK", "0") == "0" or not dist.is_torchelastic_launched()


@contextlib.contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that torchrun started, connected over CPU; without torchrun, this process alone."""
    if not dist.is_torchelastic_launched():
        yield Ranks()
        return
    dist.init_process_group("gloo", timeout=timedelta(days=1))  # if a rank fails, torchrun ends all at once
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
