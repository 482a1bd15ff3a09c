"""Frozen pretrained encoders as teachers, and what the trained encoder made of the same images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spn.methods.base import Teachers
from spn.methods.options import with_encoder
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.encoders.protocol import Encoding
from spn.models.network import SegmentationNetwork

_log = logging.getLogger(__name__)
STAGES = 4


def pretrained_encoder(
    model: ModelConfig, *, pretrained: bool | str | Path, seed: int, wanted_for: str
) -> Teachers:
    """The encoder of `model` as it was pretrained, as "encoder"; nothing, and a warning, if it was not.

    It sees one scale and has none of what methods change in an encoder; it takes the normalised images that
    `EncoderView` records. wanted_for: the loss that needs it, in the warning.
    """
    if not pretrained:
        _log.warning("%s is left out: the encoder has no pretrained weights (--pretrained)", wanted_for)
        return {}
    plain = with_encoder(model.baseline(), ibn=False, whitening=False, style_memory=0)
    return {"encoder": build_network(plain, pretrained=pretrained, seed=seed).encoder}


class Seen(NamedTuple):
    """images: normalised [B, 3, H, W], padded as the network does it. stages: features of the four stages."""

    images: Tensor
    stages: Sequence[Tensor]


class EncoderView:
    """Remembers what the encoder of a network in training saw and made of it in its last forward."""

    def __init__(self, network: SegmentationNetwork) -> None:
        self._seen: Seen | None = None
        network.encoder.register_forward_hook(self._remember)

    def take(self) -> Seen:
        """What is remembered, which is then forgotten, so that it does not outlive its step."""
        seen, self._seen = self._seen, None
        assert seen is not None, "the network has not run in training mode yet"
        return seen

    def _remember(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Encoding) -> None:
        if module.training:
            self._seen = Seen(inputs[0], output.pyramids[0][-STAGES:])


def taught(teacher: nn.Module, images: Tensor) -> Sequence[Tensor]:
    """Features of the teacher's four stages for normalised images."""
    with torch.no_grad():
        encoded: Encoding = teacher(images)
    return encoded.pyramids[0][-STAGES:]
