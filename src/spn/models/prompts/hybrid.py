"""The hybrid prompt H of a fused feature M [B, D, h, w]: a semantic and a stochastic one, mixed at random.

    S = softmax(M Eᵀ / √D) V                              E, V: K learned tokens of D channels
    Z(x) = m(x) + σ(x) · n,   n ~ N(0, I)
        m(x) = A M(x)
        log σ²(x) = B M(x) + u · log(Σ_μ + ε) + v · log(Σ_σ + ε),   clamped
    H = b · S + (1 − b) · Z   when drawing,   H = π · S + (1 − π) · m   otherwise
        π = sigmoid(T · mean over the image of M) [B, G]      b ~ Bernoulli(π) per image and channel group

S looks up a learned memory of what is common to all domains. Σ_μ and Σ_σ [D] are the variances over the batch
of each channel's mean and standard deviation over an image: how widely the style of the images differs (as in
DSU, Li et al., ICLR 2022). They are measured, not trained through: in training on two images or more from the
batch, which updates the running values that are used otherwise. The prior is N(0, I). The gradient passes the
draw of b straight through to π (Bengio et al., 2013).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_VARIANCE_RANGE = (-8.0, 4.0)
SPREAD_FLOOR = 1e-4
NEIGHBOURS = 8
COMPARED = 1024
"""Positions of an image among which the neighbours are looked for: evenly spaced ones, if there are more."""


class Gaussian(NamedTuple):
    """Diagonal Gaussian in float32; both [B, D, h, w]."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """A draw by N(0, 1) `noise`, which broadcasts."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def kl(self) -> Tensor:
        """KL(N(m, σ²) ‖ N(0, 1)) = ½ (m² + σ² − 1 − log σ²), averaged over all elements: a scalar."""
        mean, log_variance = self
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


class Made(NamedTuple):
    """What there is to mix: S [B, D, h, w], the distribution of Z, and the probabilities π [B, G]."""

    semantic: Tensor | None
    gaussian: Gaussian | None
    gates: Tensor | None

    def kl(self) -> Tensor | None:
        return None if self.gaussian is None else self.gaussian.kl()

    def mean(self) -> Tensor:
        return mixed(self.semantic, None if self.gaussian is None else self.gaussian.mean, self.gates)

    def sample(self, noise: Tensor | None, uniform: Tensor | None) -> Tensor:
        """One draw by N(0, 1) `noise`, which broadcasts to Z, and numbers in 0..1 [B, G], as needed."""
        stochastic = None if self.gaussian is None or noise is None else self.gaussian.sample(noise)
        gates = None if self.gates is None or uniform is None else gates_below(uniform, self.gates)
        return mixed(self.semantic, stochastic, gates)


class SemanticPrompt(nn.Module):
    """M [B, D, h, w] → S [B, D, h, w]."""

    def __init__(self, prompt_width: int, *, tokens: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(tokens, prompt_width))
        self.values = nn.Parameter(torch.randn(tokens, prompt_width))

    def forward(self, fused: Tensor) -> Tensor:
        width = fused.shape[1]
        scores = F.conv2d(fused, self.keys.view(*self.keys.shape, 1, 1) * width**-0.5)
        return F.conv2d(torch.softmax(scores, dim=1), self.values.t().reshape(width, -1, 1, 1))


class StochasticPrompt(nn.Module):
    """M [B, D, h, w] → the distribution of Z."""

    running_of_means: Tensor
    running_of_deviations: Tensor

    def __init__(self, prompt_width: int, *, use_spread: bool = True, momentum: float = 0.1) -> None:
        super().__init__()
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
            logs = self._spread(fused).add(SPREAD_FLOOR).log()
            log_variance = log_variance + (self.exponents * logs).sum(dim=0).view(1, -1, 1, 1)
        return Gaussian(self.mean(fused).float(), log_variance.clamp(*LOG_VARIANCE_RANGE))

    def _spread(self, fused: Tensor) -> Tensor:
        if not self.training or fused.shape[0] < 2:
            return torch.stack([self.running_of_means, self.running_of_deviations])
        spread = style_spread(fused.detach())
        self.running_of_means.lerp_(spread[0], self.momentum)
        self.running_of_deviations.lerp_(spread[1], self.momentum)
        return spread


class HybridGate(nn.Module):
    """M [B, D, h, w] → π [B, groups] in float32: how likely each channel group shows the semantic prompt."""

    def __init__(self, prompt_width: int, *, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.to_logits = nn.Linear(prompt_width, groups)
        nn.init.zeros_(self.to_logits.bias)

    def forward(self, fused: Tensor) -> Tensor:
        return torch.sigmoid(self.to_logits(fused.mean(dim=(2, 3))).float())


class PromptMaker(nn.Module):
    """Base of what makes prompts: one of S and Z, or both and the gate that mixes them."""

    def __init__(self) -> None:
        super().__init__()
        self.semantic: SemanticPrompt | None = None
        self.stochastic: StochasticPrompt | None = None
        self.gate: HybridGate | None = None

    def made(self, fused: Tensor) -> Made:
        parts = (self.semantic, self.stochastic, self.gate)
        return Made(*(None if part is None else part(fused) for part in parts))


def mixed(semantic: Tensor | None, stochastic: Tensor | None, gates: Tensor | None) -> Tensor:
    """The prompts [B, D, h, w] mixed by gates [B, G] of 0..1 (1: the semantic one), or the one there is."""
    if semantic is None or stochastic is None:
        (prompt,) = (given for given in (semantic, stochastic) if given is not None)
        return prompt
    assert gates is not None
    gates = gates.repeat_interleave(semantic.shape[1] // gates.shape[1], dim=1)[:, :, None, None]
    return stochastic + gates * (semantic - stochastic)


def gates_below(noise: Tensor, probabilities: Tensor) -> Tensor:
    """1 where uniform `noise` lies below the probability, else 0; straight-through gradient."""
    below = (noise < probabilities).to(probabilities.dtype)
    return below + probabilities - probabilities.detach()


@torch.no_grad()
def style_spread(features: Tensor) -> Tensor:
    """Σ_μ and Σ_σ, [2, D], of a batch [B, D, h, w] of two or more."""
    variances, means = torch.var_mean(features.float(), dim=(2, 3), correction=0)
    deviations = (variances + SPREAD_FLOOR).sqrt()
    return torch.stack([means, deviations]).var(dim=1, correction=0)


@torch.no_grad()
def flatness(features: Tensor) -> Tensor:
    """1 / (1 + κ) of features [B, D, h, w] at each position, [B, 1, h, w]; κ is the curvature there.

    κ = ‖x − mean of its nearest neighbours‖² / their mean ‖x − y‖², relative to its mean over the image: 0
    where the features of an image are flat and evenly dense, large at ends and bends.
    """
    points = features.float().flatten(2).transpose(1, 2)
    others = points[:, :: -(-points.shape[1] // COMPARED)]
    distances, nearest = torch.cdist(points, others).topk(min(NEIGHBOURS + 1, others.shape[1]), largest=False)
    neighbours = torch.stack([own[places] for own, places in zip(others, nearest[..., 1:], strict=True)])
    offset = (neighbours.mean(dim=2) - points).square().sum(dim=-1)
    curvature = offset / distances[..., 1:].square().mean(dim=-1).clamp(min=SPREAD_FLOOR)
    relative = curvature / curvature.mean(dim=1, keepdim=True).clamp(min=SPREAD_FLOOR)
    return (1 / (1 + relative)).unflatten(1, features.shape[2:]).unsqueeze(1)


def average_kl(divergences: Sequence[Tensor | None]) -> Tensor | None:
    """The mean of those there are; None where there are none."""
    known = [kl for kl in divergences if kl is not None]
    return torch.stack(known).mean() if known else None
