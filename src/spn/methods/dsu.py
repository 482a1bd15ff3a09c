"""DSU: feature styles as random variables (Li et al., "Uncertainty modeling for out-of-distribution
generalization", ICLR 2022).

    Σ_μ² = Var_batch μ(x),  Σ_σ² = Var_batch σ(x)
    x ← (σ(x) + ε_σ Σ_σ) · (x − μ(x)) / σ(x) + μ(x) + ε_μ Σ_μ,   ε ~ N(0, I)

After every stage, with probability 0.5 each, as in the paper.
"""

from torch import Tensor

from spn.methods.base import Baseline, Teachers
from spn.methods.feature_style import EPSILON, attach, happens, normal_like, restyled, style
from spn.models.network import SegmentationNetwork

LEVELS = (-4, -3, -2, -1)
PROBABILITY = 0.5


class DSU(Baseline):
    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        attach(network, self._perturb, levels=LEVELS)

    def _perturb(self, features: Tensor) -> Tensor:
        if len(features) < 2 or not happens(PROBABILITY, generator=self.generator):
            return features
        mean, deviation = style(features)
        return restyled(features, mean=mean + self._noise(mean), deviation=deviation + self._noise(deviation))

    def _noise(self, values: Tensor) -> Tensor:
        """Noise with the spread of `values` [B, C, 1, 1] over the batch."""
        spread = (values.var(dim=0, keepdim=True, unbiased=False) + EPSILON).sqrt()
        return normal_like(values, generator=self.generator) * spread
