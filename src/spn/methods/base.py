"""The seam between a method and everything else: what it changes in the network and what it trains on.

A new method is one file with one class, registered under the file's name (methods/options.py shows how):

- parameters or layers it adds belong in ModelConfig, through `resolve`, so that a saved model can be rebuilt
  without the method (IBN, for example, is a property of the encoder);
- what only exists while training (a hook that mixes or records features) is attached in `prepare`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from spn.losses.options import LossOptions
from spn.methods.options import METHODS, MethodOptions
from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork


class Batch(NamedTuple):
    """images: float [B, V, 3, H, W] in 0..1 RGB, V views of each crop. labels: int64 [B, H, W]."""

    images: Tensor
    labels: Tensor


class MethodLoss(NamedTuple):
    """total: the scalar to minimise. terms: its parts before weighting, detached, for the log."""

    total: Tensor
    terms: dict[str, Tensor]


def draw_offset(stride: int, *, generator: torch.Generator | None) -> tuple[int, int]:
    """A random first row and column for a loss on every `stride`-th pixel; (0, 0) for stride 1.

    Drawn on the host, with torch's global generator in place of a GPU's, for which one would have to wait.
    """
    if stride == 1:
        return (0, 0)
    on_host = generator if generator is not None and generator.device.type == "cpu" else None
    row, column = torch.randint(stride, (2,), generator=on_host).tolist()
    return (row, column)


class Method(Protocol):
    """One way of training. Stateless: everything that learns lives in the network."""

    options: MethodOptions
    views: int
    """How many photometric views of each crop it wants."""

    def resolve(self, model: ModelConfig) -> ModelConfig:
        """The network this method trains, given the one all methods start from; given its own, the same."""
        ...

    def prepare(self, network: SegmentationNetwork) -> None:
        """Attach what only training needs to a built network, before it is wrapped. Most need nothing."""
        ...

    def training_loss(
        self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None
    ) -> MethodLoss:
        """The loss of one step. `network` may be wrapped (Fabric, DDP): it is called exactly once."""
        ...


def build_method(options: MethodOptions, loss: LossOptions = LossOptions()) -> Method:
    """The method of these options. Raises UserError with the names there are."""
    method: Method = METHODS.entry_of(options).load()(options, loss=loss)
    return method
