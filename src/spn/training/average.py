"""A running average of the weights (exponential moving average), for validation and as the final weights.

Polyak & Juditsky, 1992, by torch's own AveragedModel. As in common practice the decay after n updates is
min(decay, (1+n)/(10+n)), so that short trainings do not remember their initial weights.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage(AveragedModel):
    """`module` is a copy of `network`, in evaluation mode, with the average of every parameter and buffer.

    Call `update_parameters(network)` after each step. Integer buffers follow the network.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        super().__init__(network, multi_avg_fn=partial(_approach, decay), use_buffers=True)
        self.n_averaged += 1  # the initial weights are the first that count
        self.requires_grad_(False).eval()


@torch.no_grad()
def _approach(decay: float, averages: list[Tensor], weights: list[Tensor], count: Tensor | int) -> None:
    """Move averages of one dtype towards the weights; `count` stays on its device, so nothing waits."""
    updates = torch.as_tensor(count, dtype=torch.float64)
    share = 1 - ((1 + updates) / (10 + updates)).clamp(max=decay)
    for average, weight in zip(averages, weights, strict=True):
        if average.is_floating_point():
            average.lerp_(weight, share.to(average.dtype))
        else:
            average.copy_(weight)
