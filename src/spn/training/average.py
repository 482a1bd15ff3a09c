"""A running average of the weights (exponential moving average), for validation and as the final weights.

Polyak & Juditsky, 1992. As in common practice the decay after n updates is min(decay, (1+n)/(10+n)), so that
short trainings do not remember their initial weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of every parameter and buffer of `network`; integer buffers follow the network."""

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights after a step."""
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self._average[name].lerp_(tensor, weight)
            else:
                self._average[name].copy_(tensor)

    @contextlib.contextmanager
    def applied_to(self, network: nn.Module) -> Iterator[None]:
        """Inside, `network` has the averaged weights; afterwards its own again."""
        own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self._average)
        try:
            yield
        finally:
            network.load_state_dict(own)

    def state_dict(self) -> dict[str, object]:
        return {"updates": self.updates, "average": self._average}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Restore; the names must be those of the network."""
        average = state["average"]
        if not isinstance(average, Mapping) or set(average) != set(self._average):
            raise ValueError("the averaged weights are those of another network")
        self.updates = int(str(state["updates"]))
        for name, tensor in average.items():
            own: Tensor = self._average[name]
            own.copy_(tensor)
