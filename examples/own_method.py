"""A method of your own, outside the package: half of the training crops lose their colour.

    spn --plugin examples/own_method.py train --preset tiny --method.kind grey --method.share 0.3 \\
        --data gtav=data/gtav:train --out runs/grey
    spn evaluate runs/grey --data cityscapes=data/cityscapes

In Python, import this file and name the method: spn.configure("tiny", method="grey", …).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import nn

import spn
from spn.methods.base import Batch, Loss
from spn.methods.options import MethodOptions


@dataclass(frozen=True)
class GreyOptions(MethodOptions):
    """What can be set of it."""

    kind: Literal["grey"] = "grey"
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the crops that lose their colour."""


@spn.register_method("grey", title="Grey crops", options=GreyOptions)
class Grey(spn.Baseline):
    """The baseline, on images [B, V, 3, H, W] of which some are grey."""

    options: GreyOptions

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        images = batch.images
        grey = images.mean(dim=2, keepdim=True).expand_as(images)
        chosen = torch.rand(len(images), generator=generator, device=images.device) < self.options.share
        images = torch.where(chosen.view(-1, 1, 1, 1, 1), grey, images)
        return super().training_loss(network, batch._replace(images=images), generator=generator)
