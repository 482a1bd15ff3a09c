"""Runs of equal values: labels have few of them, so counting or storing runs beats touching each pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Runs(NamedTuple):
    """values: uint8 [R]. starts, lengths: int64 [R], in pixels; each run ends where the next one starts."""

    values: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def find_runs(flat: NDArray[np.uint8]) -> Runs:
    """The runs of `flat` [N], N > 0, in order."""
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([np.zeros(1, np.int64), starts])
    return Runs(flat[starts], starts, np.diff(starts, append=flat.size))
