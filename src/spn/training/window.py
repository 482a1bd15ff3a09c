"""Losses between two log lines, kept where they were computed, so that logging does not stall the device.

Reading a value from a GPU waits for it. So the losses of a few steps stay tensors until they are due, and are
then read in one go; that is also when a NaN is noticed. On the CPU reading is free and every step is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from spn.core.errors import UserError

_FILES_SHOWN = 8


class LossWindow:
    """Collects the terms of each step; `name_files(step)` gives the image files of a step for messages."""

    def __init__(self, *, name_files: Callable[[int], Sequence[str]]) -> None:
        self._name_files = name_files
        self._steps: list[int] = []
        self._terms: dict[str, list[Tensor]] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: int, terms: dict[str, Tensor]) -> None:
        """The detached scalars of `step`; the key "loss" is the total."""
        self._steps.append(step)
        for name, value in terms.items():
            self._terms.setdefault(name, []).append(value.detach())

    def check(self) -> None:
        """Raise UserError naming the first step in the window whose loss is not finite, and its files."""
        if not self._steps:
            return
        for step, loss in zip(self._steps, torch.stack(self._terms["loss"]).tolist(), strict=True):
            if not math.isfinite(loss):
                files = self._name_files(step)
                shown = "\n  ".join(files[:_FILES_SHOWN])
                more = f"\n  and {len(files) - _FILES_SHOWN} more" if len(files) > _FILES_SHOWN else ""
                raise UserError(
                    f"the loss became {loss} at step {step + 1}; the files of that batch:\n  {shown}{more}\n"
                    "Look at them and their labels; if they are sound, lower optimisation.learning-rate, set "
                    "optimisation.clip-norm, or use runtime.precision 32-true. The last checkpoint is kept."
                )

    def take_means(self) -> dict[str, float]:
        """The mean of every term over the window, which is then empty."""
        means = {name: float(torch.stack(values).mean()) for name, values in self._terms.items()}
        self._steps, self._terms = [], {}
        return means
