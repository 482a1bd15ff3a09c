"""SPN: cross-entropy through random prompts, consistency between two of them, and a KL to the prompt's prior.

    L = CE + 0.4 · CE_auxiliary + λ_c · D(p₁, p₂) + λ_kl · KL(Z ‖ N(0, I))

p₁ and p₂ are predictions for the same crop from two random samples of the prompt. With two views they also
come from two photometric perturbations (one forward of both, both with cross-entropy), and some second views
show a bonnet (ego_vehicle.py); with one view the encoder runs once and the decoder twice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.losses.consistency import consistency
from spn.losses.options import LossOptions
from spn.methods.base import Baseline, Batch, Loss
from spn.methods.ego_vehicle import with_ego_vehicle
from spn.methods.feature_style import happens
from spn.methods.options import SPNOptions
from spn.models.network import NetworkOutput


class StochasticPrompts(Baseline):
    """The method of the paper's name, with our equations (docs/method.md)."""

    options: SPNOptions

    def __init__(self, options: SPNOptions, *, loss: LossOptions) -> None:
        super().__init__(options, loss=loss)
        self.views = options.views

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        if self.views == 2:
            return self._two_views(network, batch, generator)
        return self._two_draws(network, batch, generator)

    def _two_views(self, network: nn.Module, batch: Batch, generator: torch.Generator | None) -> Loss:
        """View 0 of all crops and view 1 of the first ones in one forward; one random prompt per image."""
        size = batch.images.shape[0]
        second = self._second_views(size, generator)
        others, other_labels = with_ego_vehicle(
            batch.images[:second, 1],
            batch.labels[:second],
            probability=self.options.ego_vehicle_share,
            generator=generator,
        )
        images = torch.cat([batch.images[:, 0], others])
        labels = torch.cat([batch.labels, other_labels])
        output: NetworkOutput = network(images, num_samples=1, generator=generator, upsample=False)
        loss = self.supervised_loss(output, labels, generator=generator)
        logits = output.logits[0]
        return self._with_prompt_terms(loss, logits[:second], logits[size:], output.prompt_kl)

    def _second_views(self, crops: int, generator: torch.Generator | None) -> int:
        """How many of `crops` are seen twice: their share on average, however a batch is cut into parts."""
        count, rest = divmod(crops * self.options.second_view_share, 1)
        return int(count) + int(rest > 0 and happens(rest, generator=generator))

    def _two_draws(self, network: nn.Module, batch: Batch, generator: torch.Generator | None) -> Loss:
        """One view; two random prompts per image, or one where nothing compares them."""
        draws = 2 if self.options.consistency_weight > 0 else 1
        output: NetworkOutput = network(
            batch.images[:, 0], num_samples=draws, generator=generator, upsample=False
        )
        loss = self.supervised_loss(output, batch.labels, generator=generator)
        return self._with_prompt_terms(loss, output.logits[0], output.logits[-1], output.prompt_kl)

    def _with_prompt_terms(self, loss: Loss, first: Tensor, second: Tensor, kl: Tensor | None) -> Loss:
        if self.options.consistency_weight > 0 and len(second):
            disagreement = consistency(
                first,
                second,
                divergence=self.options.consistency_divergence,
                stop_gradient=self.options.consistency_stop_gradient,
                stride=self.options.consistency_stride,
            )
            loss = loss.plus("consistency", disagreement, weight=self.options.consistency_weight)
        if kl is not None:
            loss = loss.plus("prompt_kl", kl, weight=self.options.kl_weight)
        return loss
