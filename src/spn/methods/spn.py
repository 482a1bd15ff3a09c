"""SPN: cross-entropy through random prompts, consistency between two of them, and a KL to the prompt's prior.

    L = CE + 0.4 · CE_auxiliary + λ_c · D(p₁, p₂) + λ_kl · KL(Z ‖ N(0, I))

p₁ and p₂ are predictions for the same crop from two independent draws of the prompt. With two views they also
come from two photometric perturbations (one forward of both, both with cross-entropy), and some second views
show a bonnet (own_car.py); with one view the encoder runs once and the decoder twice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.losses.consistency import consistency
from spn.methods.base import Batch, MethodLoss
from spn.methods.baseline import supervised_loss, with_auxiliary
from spn.methods.config import MethodConfig
from spn.methods.feature_style import happens
from spn.methods.own_car import with_own_car
from spn.models.config import ModelConfig
from spn.models.network import NetworkOutput, SegmentationNetwork


class StochasticPrompts:
    """The method of the paper's name, with our equations (docs/method.md)."""

    name = "spn"

    def __init__(self, config: MethodConfig) -> None:
        if config.views not in (1, 2):
            raise UserError(f"method.views is {config.views}; SPN compares 2 views, or 2 draws of 1 view")
        if not 0 < config.second_view_share <= 1:
            raise UserError(
                f"method.second_view_share is {config.second_view_share}; wanted a share above 0, at most 1 "
                "(views = 1 trains without a second view)"
            )
        if not 0 <= config.own_car_share <= 1:
            raise UserError(f"method.own_car_share is {config.own_car_share}; wanted a share from 0 to 1")
        self.config = config
        self.views = config.views

    def model_config(self, base: ModelConfig) -> ModelConfig:
        return with_auxiliary(base, weight=self.config.auxiliary_weight)

    def prepare(self, network: SegmentationNetwork) -> None:
        pass

    def training_loss(
        self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None
    ) -> MethodLoss:
        if self.views == 2:
            return self._two_views(network, batch, generator)
        return self._two_draws(network, batch, generator)

    def _two_views(self, network: nn.Module, batch: Batch, generator: torch.Generator | None) -> MethodLoss:
        """View 0 of all crops and view 1 of the first ones in one forward; one random prompt per image."""
        size = batch.images.shape[0]
        second = self._second_views(size, generator)
        others, other_labels = with_own_car(
            batch.images[:second, 1],
            batch.labels[:second],
            probability=self.config.own_car_share,
            generator=generator,
        )
        images = torch.cat([batch.images[:, 0], others])
        labels = torch.cat([batch.labels, other_labels])
        output: NetworkOutput = network(images, draws=1, generator=generator, upsample=False)
        loss = supervised_loss(output, labels, config=self.config, generator=generator)
        logits = output.logits[0]
        return self._with_prompt_terms(loss, logits[:second], logits[size:], output.prompt_kl)

    def _second_views(self, crops: int, generator: torch.Generator | None) -> int:
        """How many of `crops` are seen twice: their share on average, however a batch is cut into parts."""
        count, rest = divmod(crops * self.config.second_view_share, 1)
        return int(count) + int(rest > 0 and happens(rest, generator=generator))

    def _two_draws(self, network: nn.Module, batch: Batch, generator: torch.Generator | None) -> MethodLoss:
        """One view; two random prompts per image, or one where nothing compares them."""
        draws = 2 if self.config.consistency_weight > 0 else 1
        output: NetworkOutput = network(batch.images[:, 0], draws=draws, generator=generator, upsample=False)
        loss = supervised_loss(output, batch.labels, config=self.config, generator=generator)
        return self._with_prompt_terms(loss, output.logits[0], output.logits[-1], output.prompt_kl)

    def _with_prompt_terms(
        self, loss: MethodLoss, first: Tensor, second: Tensor, kl: Tensor | None
    ) -> MethodLoss:
        total, terms = loss.total, dict(loss.terms)
        if self.config.consistency_weight > 0 and len(second):
            disagreement = consistency(
                first,
                second,
                divergence=self.config.consistency_divergence,
                stop_gradient=self.config.consistency_stop_gradient,
                stride=self.config.consistency_stride,
            )
            total = total + self.config.consistency_weight * disagreement
            terms["consistency"] = disagreement.detach()
        if kl is not None:
            total = total + self.config.kl_weight * kl
            terms["prompt_kl"] = kl.detach()
        return MethodLoss(total, terms)
