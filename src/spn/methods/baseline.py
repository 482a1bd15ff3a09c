"""The baseline: the same encoder and decoder at one resolution, without prompts, on cross-entropy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from spn.losses.options import LossOptions
from spn.losses.segmentation import sampled_cross_entropy
from spn.methods.base import Batch, MethodLoss, Stream, Teachers, draw_offset
from spn.methods.options import MethodOptions
from spn.models.config import ModelConfig
from spn.models.network import NetworkOutput, SegmentationNetwork

AUXILIARY_LABEL_STRIDE = 4
"""The auxiliary logits have one cell per 16 pixels: comparing them at every pixel tells little."""


class Baseline:
    """Empirical risk minimisation on the source domain."""

    views = 1

    def __init__(self, options: MethodOptions, *, loss: LossOptions) -> None:
        self.options = options
        self.loss = loss
        self.generator: torch.Generator | None = None
        """That of the step that is running, for hooks, which are given features alone."""

    def resolve(self, model: ModelConfig) -> ModelConfig:
        return self.options.resolve(model)

    def streams(self) -> Sequence[Stream]:
        return ()

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        return {}

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        """Nothing."""

    def training_loss(
        self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None
    ) -> MethodLoss:
        self.generator = generator
        output: NetworkOutput = network(batch.images[:, 0], upsample=False)
        return supervised_loss(output, batch.labels, loss=self.loss, generator=generator)


def supervised_loss(
    output: NetworkOutput, labels: Tensor, *, loss: LossOptions, generator: torch.Generator | None
) -> MethodLoss:
    """Cross-entropy of logits on the decoder's grid ([B, C, h, w] or n draws) plus the auxiliary head's.

    labels: [B, H, W].
    """
    logits, stride = output.logits, loss.label_stride
    draws = logits.shape[0] if logits.ndim == 5 else 1
    main = sampled_cross_entropy(
        logits.reshape(-1, *logits.shape[-3:]),
        labels.repeat(draws, 1, 1),
        covers=output.covers,
        stride=stride,
        offset=draw_offset(stride, generator=generator),
        balance=loss.class_balance,
    )
    if output.auxiliary_logits is None:
        return MethodLoss(main, {"cross_entropy": main.detach()})
    auxiliary = sampled_cross_entropy(
        output.auxiliary_logits,
        labels,
        covers=output.covers,
        stride=AUXILIARY_LABEL_STRIDE,
        offset=(AUXILIARY_LABEL_STRIDE // 2, AUXILIARY_LABEL_STRIDE // 2),
        balance=loss.class_balance,
    )
    terms = {"cross_entropy": main.detach(), "auxiliary": auxiliary.detach()}
    return MethodLoss(main + loss.auxiliary_weight * auxiliary, terms)
