"""The baseline: the same encoder and decoder at one resolution, without prompts, on cross-entropy alone."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from spn.losses.segmentation import cross_entropy, sampled_cross_entropy
from spn.methods.base import Batch, MethodLoss
from spn.methods.config import MethodConfig
from spn.models.config import ModelConfig
from spn.models.network import NetworkOutput, SegmentationNetwork


class Baseline:
    """Empirical risk minimisation on the source domain."""

    name = "baseline"
    views = 1

    def __init__(self, config: MethodConfig) -> None:
        self.config = config

    def model_config(self, base: ModelConfig) -> ModelConfig:
        return with_auxiliary(base.baseline(), weight=self.config.auxiliary_weight)

    def prepare(self, network: SegmentationNetwork) -> None:
        pass

    def training_loss(
        self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None
    ) -> MethodLoss:
        output: NetworkOutput = network(batch.images[:, 0])
        return supervised_loss(output, batch.labels, auxiliary_weight=self.config.auxiliary_weight)


def with_auxiliary(model: ModelConfig, *, weight: float) -> ModelConfig:
    """No auxiliary head where its loss has no weight: its parameters would get no gradient."""
    return model if weight > 0 else dataclasses.replace(model, auxiliary=False)


def supervised_loss(output: NetworkOutput, labels: Tensor, *, auxiliary_weight: float) -> MethodLoss:
    """Cross-entropy of the logits ([B, C, H, W] or n draws of them) plus the auxiliary head's.

    labels: [B, H, W].
    """
    logits = output.logits
    if logits.ndim == 5:
        main = cross_entropy(logits.flatten(0, 1), labels.repeat(logits.shape[0], 1, 1))
    else:
        main = cross_entropy(logits, labels)
    if output.auxiliary_logits is None:
        return MethodLoss(main, {"cross_entropy": main.detach()})
    auxiliary = sampled_cross_entropy(output.auxiliary_logits, labels)
    terms = {"cross_entropy": main.detach(), "auxiliary": auxiliary.detach()}
    return MethodLoss(main + auxiliary_weight * auxiliary, terms)
