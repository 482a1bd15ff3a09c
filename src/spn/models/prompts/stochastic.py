"""The stochastic prompt Z: a diagonal Gaussian around what the fused feature M says.

    mean     m(x) = A M(x)
    variance log σ²(x) = B M(x) + u · log(Σ_μ + ε) + v · log(Σ_σ + ε),   clamped
    sample   Z(x) = m(x) + σ(x) · n,   n ~ N(0, I)

Σ_μ and Σ_σ [D] are the variances over the batch of each channel's mean and standard deviation over an image:
how widely the style of the images differs (as in DSU, Li et al., ICLR 2022, which perturbs features by them).
They are measured, not trained through. In training they come from the batch and update running values, which
inference uses. The prior is N(0, I), and the divergence from it is analytic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spn.models.prompts.noise import standard_normal
from spn.models.prompts.options import NoiseKind

LOG_VARIANCE_RANGE = (-8.0, 4.0)
SPREAD_FLOOR = 1e-4


class Gaussian(NamedTuple):
    """Diagonal Gaussian in float32; both [B, D, h, w]."""

    mean: Tensor
    log_variance: Tensor


class Spread(NamedTuple):
    """Variance over the batch of the per-image channel means and standard deviations; both [D]."""

    of_means: Tensor
    of_deviations: Tensor


def kl_to_standard_normal(gaussian: Gaussian) -> Tensor:
    """KL(N(m, σ²) ‖ N(0, 1)) = ½ (m² + σ² − 1 − log σ²), averaged over all elements: a scalar."""
    mean, log_variance = gaussian
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def average_kl(divergences: Sequence[Tensor | None]) -> Tensor | None:
    """The mean of those there are; None where there are none."""
    known = [kl for kl in divergences if kl is not None]
    return torch.stack(known).mean() if known else None


def displaced(gaussian: Gaussian, noise: Tensor) -> Tensor:
    """m + σ · noise, the reparameterised sample; `noise` is N(0, 1) and broadcasts to [B, D, h, w]."""
    return gaussian.mean + (0.5 * gaussian.log_variance).exp() * noise


@torch.no_grad()
def style_spread(features: Tensor) -> Spread:
    """The spread of channel statistics over a batch [B, D, h, w] of two or more."""
    variances, means = torch.var_mean(features.float(), dim=(2, 3), correction=0)
    deviations = (variances + SPREAD_FLOOR).sqrt()
    return Spread(means.var(dim=0, correction=0), deviations.var(dim=0, correction=0))


class StochasticPrompt(nn.Module):
    """M [B, D, h, w] → the distribution of Z; `sample` draws from it."""

    running_of_means: Tensor
    running_of_deviations: Tensor

    def __init__(
        self, prompt_width: int, *, noise: NoiseKind, use_spread: bool = True, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.noise = noise
        self.momentum = momentum
        self.use_spread = use_spread
        self.mean = nn.Conv2d(prompt_width, prompt_width, 1)
        self.log_variance = nn.Conv2d(prompt_width, prompt_width, 1)
        # without the spread to start from, the deviation starts at about a third of the prior's
        start = torch.full((prompt_width,), 0.0 if use_spread else -2.0)
        nn.init.zeros_(self.log_variance.weight)
        self.log_variance.bias = nn.Parameter(start)
        if use_spread:
            self.exponents = nn.Parameter(torch.full((2, prompt_width), 0.5))
            self.register_buffer("running_of_means", torch.ones(prompt_width))
            self.register_buffer("running_of_deviations", torch.ones(prompt_width))

    def forward(self, fused: Tensor) -> Gaussian:
        log_variance = self.log_variance(fused).float()
        if self.use_spread:
            logs = torch.stack(self._spread(fused)).add(SPREAD_FLOOR).log()
            log_variance = log_variance + (self.exponents * logs).sum(dim=0).view(1, -1, 1, 1)
        return Gaussian(self.mean(fused).float(), log_variance.clamp(*LOG_VARIANCE_RANGE))

    def sample(self, gaussian: Gaussian, *, generator: torch.Generator | None) -> Tensor:
        """One reparameterised draw [B, D, h, w]; the noise is per image and channel, or per element."""
        batch, width, *size = gaussian.mean.shape
        shape = (batch, width, *size) if self.noise == "pixel" else (batch, width, 1, 1)
        return displaced(gaussian, standard_normal(shape, like=gaussian.mean, generator=generator))

    def _spread(self, fused: Tensor) -> Spread:
        """The batch's own spread while training on two images or more, the running one otherwise."""
        if not self.training or fused.shape[0] < 2:
            return Spread(self.running_of_means, self.running_of_deviations)
        spread = style_spread(fused.detach())
        self.running_of_means.lerp_(spread.of_means, self.momentum)
        self.running_of_deviations.lerp_(spread.of_deviations, self.momentum)
        return spread
