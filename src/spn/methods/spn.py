"""SPN: cross-entropy through random prompts, consistency between two of them, and a KL to the prompt's prior.

    L = CE + 0.4 · CE_auxiliary + λ_c · D(p₁, p₂) + λ_kl · KL(Z ‖ N(0, I))

p₁ and p₂ are predictions for the same crop from two random samples of the prompt. With two views they also
come from two photometric perturbations (one forward of both, both with cross-entropy), and some second views
show a bonnet (ego_vehicle.py); with one view the encoder runs once and the decoder twice.
"""

from __future__ import annotations

import torch
from torch import nn

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
        """Two views: view 0 of all crops and view 1 of the first ones in one forward, one prompt per image.

        One view: two random prompts per image, or one where nothing compares them.
        """
        options, crops = self.options, len(batch.images)
        images, labels = batch.images[:, 0], batch.labels
        compared, samples = crops, 1
        if self.views == 2:
            compared = self._second_views(crops, generator)
            others, other_labels = with_ego_vehicle(
                batch.images[:compared, 1],
                labels[:compared],
                probability=options.ego_vehicle_share,
                generator=generator,
            )
            images, labels = torch.cat([images, others]), torch.cat([labels, other_labels])
        elif options.consistency_weight > 0:
            samples = 2
        output: NetworkOutput = network(images, num_samples=samples, generator=generator, upsample=False)
        loss = self.supervised_loss(output, labels, generator=generator)
        if options.consistency_weight > 0 and compared:
            disagreement = consistency(
                output.logits[0, :compared],
                output.logits[-1, -compared:],
                divergence=options.consistency_divergence,
                stop_gradient=options.consistency_stop_gradient,
                stride=options.consistency_stride,
            )
            loss = loss.plus("consistency", disagreement, weight=options.consistency_weight)
        if output.prompt_kl is not None:
            loss = loss.plus("prompt_kl", output.prompt_kl, weight=options.kl_weight)
        return loss

    def _second_views(self, crops: int, generator: torch.Generator | None) -> int:
        """How many of `crops` are seen twice: their share on average, however a batch is cut into parts."""
        count, rest = divmod(crops * self.options.second_view_share, 1)
        return int(count) + int(rest > 0 and happens(rest, generator=generator))
