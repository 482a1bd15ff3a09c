"""MixStyle: the feature styles of two images mixed.

Zhou et al., "Domain generalization with MixStyle", ICLR 2021:

    γ = λ σ(x) + (1 − λ) σ(x̃),   β = λ μ(x) + (1 − λ) μ(x̃),   x ← γ · (x − μ(x)) / σ(x) + β

x̃ is the batch in random order and λ ~ Beta(0.1, 0.1) per image. After the first two stages, in half of the
steps, as in the paper; no gradient flows through the styles.
"""

import torch
from torch import Tensor, nn

from spn.methods.base import Baseline, Batch, Loss, Teachers
from spn.methods.feature_style import attach, happens, numpy_stream, restyled, shuffled, style
from spn.models.network import SegmentationNetwork

LEVELS = (-4, -3)
"""Strides 4 and 8: the first two stages."""
PROBABILITY = 0.5
ALPHA = 0.1


class MixStyle(Baseline):
    _active = False
    """Whether the step that is running mixes styles."""

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        attach(network, self._mix, levels=LEVELS)

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        self._active = happens(PROBABILITY, generator=generator)
        return super().training_loss(network, batch, generator=generator)

    def _mix(self, features: Tensor) -> Tensor:
        if not self._active:
            return features
        order = shuffled(len(features), generator=self.generator).to(features.device)
        draws = numpy_stream(self.generator).beta(ALPHA, ALPHA, (len(features), 1, 1, 1))
        weight = torch.from_numpy(draws).to(features)
        mean, deviation = (
            weight * own + (1 - weight) * own[order] for own in map(Tensor.detach, style(features))
        )
        return restyled(features, mean=mean, deviation=deviation)
