"""The seam between a method and everything else: what it changes in the network and what it trains on.

A method is one file with one class (methods/options.py shows how it is registered), which says

- what network it trains (`resolve`): parameters and layers belong in ModelConfig, so that a saved model can
  be rebuilt without the method (IBN, for example, is a property of the encoder);
- what it looks at besides the labelled crops: further unlabelled images (`streams`) and frozen networks
  (`teachers`);
- what only exists while training (`prepare`): hooks that mix or record features;
- the loss of a step (`training_loss`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from spn.losses.criterion import Loss
from spn.losses.options import LossOptions
from spn.methods.options import METHODS, MethodOptions
from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork

Teachers = Mapping[str, nn.Module]
"""Frozen networks by name. They are moved to the device with the network and stay in evaluation mode without
gradients; no checkpoint holds them, and no optimiser, average or data-parallel wrapper sees them."""


@dataclass(frozen=True)
class Stream:
    """Unlabelled images beside the training's crops: one random crop of an image for each of them.

    name: under which a batch holds them. folder: any folder with images, which is searched to all depths.
    """

    name: str
    folder: Path


class Batch(NamedTuple):
    """images: float [B, V, 3, H, W] in 0..1 RGB, V views of each crop. labels: int64 [B, H, W].

    streams: by name of the stream, float [B, 3, H, W] in 0..1 RGB, of the same size as the crops.
    progress: the share of the training's steps that are done, 0 to below 1.
    """

    images: Tensor
    labels: Tensor
    streams: Mapping[str, Tensor] = MappingProxyType({})
    progress: float = 0.0


class Method(Protocol):
    """One way of training. Stateless: everything that learns lives in the network."""

    options: MethodOptions
    views: int
    """How many photometric views of each crop it wants."""

    def resolve(self, model: ModelConfig) -> ModelConfig:
        """The network this method trains, given the one all methods start from; given its own, the same."""
        ...

    def streams(self) -> Sequence[Stream]:
        """The unlabelled images it wants beside the crops.

        Raises:
            UserError: if its options do not say where they are.
        """
        ...

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        """The frozen networks it learns from.

        Args:
            model: The network that is trained, as `resolve` gave it.
            pretrained: The encoder's weights, as in `spn.models.build.build_network`.
            seed: The training's.
        """
        ...

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        """Take the decoder's criterion and attach what only training needs, before `network` is wrapped."""
        ...

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        """The loss of one step. `network` may be wrapped (Fabric, DDP): it is called exactly once."""
        ...


def build_method(options: MethodOptions, loss: LossOptions) -> Method:
    """The method of these options. Raises UserError with the names there are."""
    method: Method = METHODS.entry_of(options).load()(options, loss=loss)
    return method
