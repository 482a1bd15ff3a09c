"""The encoder as it was pretrained, frozen, as the teacher of the one in training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from spn.methods.base import Baseline, Teachers
from spn.methods.options import with_encoder
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.encoders.protocol import Encoding
from spn.models.network import SegmentationNetwork

_log = logging.getLogger(__name__)
STAGES = 4


class Retrospective(Baseline):
    """A method that compares features of the encoder in training with those of the pretrained one.

    The teacher sees one scale and has none of what methods change in an encoder. Without pretrained weights,
    or with weight 0, there is none.
    """

    remembers: ClassVar[tuple[str, str]]
    """The loss that needs the teacher, and the option with its weight."""
    teacher: nn.Module | None
    _images: Tensor | None = None
    _stages: Sequence[Tensor] = ()

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        loss, weight = self.remembers
        if getattr(self.options, weight) == 0:
            return {}
        if not pretrained:
            _log.warning("%s is left out: the encoder has no pretrained weights (--pretrained)", loss)
            return {}
        plain = with_encoder(model.baseline(), ibn=False, whitening=False, style_memory=0)
        return {"encoder": build_network(plain, pretrained=pretrained, seed=seed).encoder}

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        self.teacher = teachers.get("encoder")

        def remember(module: nn.Module, inputs: tuple[Tensor, ...], output: Encoding) -> None:
            if module.training:
                self._images, self._stages = inputs[0], output.pyramids[0][-STAGES:]

        network.encoder.register_forward_hook(remember)

    def take_seen(self) -> tuple[Tensor, Sequence[Tensor]]:
        """The images [B, 3, H, W] of the last forward, normalised and padded, and the features of its stages.

        They are forgotten then, so that they do not outlive their step.
        """
        images, stages = self._images, self._stages
        assert images is not None, "the network has not run in training mode yet"
        self._images, self._stages = None, ()
        return images, stages


def taught(teacher: nn.Module, images: Tensor) -> Sequence[Tensor]:
    """Features of the teacher's four stages for normalised images."""
    with torch.no_grad():
        encoded: Encoding = teacher(images)
    return encoded.pyramids[0][-STAGES:]
