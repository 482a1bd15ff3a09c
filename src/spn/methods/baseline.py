"""The baseline: the same encoder and decoder at one resolution, without prompts, on cross-entropy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from spn.losses.criterion import Criterion, sampled_cross_entropy
from spn.losses.options import LossOptions
from spn.methods.base import Batch, Loss, Stream, Teachers
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
        self._criterion: Criterion | None = None

    def resolve(self, model: ModelConfig) -> ModelConfig:
        return self.options.resolve(model)

    def streams(self) -> Sequence[Stream]:
        return ()

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        return {}

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        self._criterion = network.decoder.criterion

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        self.generator = generator
        output: NetworkOutput = network(batch.images[:, 0], upsample=False)
        return self.supervised_loss(output, batch.labels, generator=generator)

    def supervised_loss(
        self, output: NetworkOutput, labels: Tensor, *, generator: torch.Generator | None
    ) -> Loss:
        """The loss that the decoder brings, and the auxiliary head's cross-entropy.

        Args:
            output: of the network with `upsample=False`; with random samples, the loss is the mean over them.
            labels: [B, H, W], ground truth of its images.
            generator: of the rows and columns that the loss is sampled at.

        Raises:
            RuntimeError: before `prepare`, which takes the loss from the network's decoder.
        """
        if self._criterion is None:
            raise RuntimeError("prepare was not called; a method's own prepare calls that of Baseline")
        main = self._criterion(
            output.prediction(),
            labels.repeat(max(1, output.num_samples), 1, 1),
            covers=output.covers,
            options=self.loss,
            generator=generator,
        )
        if output.auxiliary_logits is None:
            return main
        auxiliary = sampled_cross_entropy(
            output.auxiliary_logits,
            labels,
            covers=output.covers,
            stride=AUXILIARY_LABEL_STRIDE,
            offset=(AUXILIARY_LABEL_STRIDE // 2, AUXILIARY_LABEL_STRIDE // 2),
            balance=self.loss.class_balance,
        )
        total = main.total + self.loss.auxiliary_weight * auxiliary
        return Loss(total, {**main.terms, "auxiliary": auxiliary.detach()})
