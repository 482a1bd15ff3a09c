"""MSFFP, the multi-scale fusion feature stochastic prompt network: makes hybrid prompts and adds them.

    M = mix( Σ_l w_l · norm_l(P_l F_l) ),   w = softmax(learned logits)
    F'_l = F_l + resize(γ_l · W_l H)        γ_l one weight per channel, starting at 0

P_l and W_l are 1x1 projections to D channels and back, `mix` a depthwise 3x3 with a residual and a norm. A
1x1 projection commutes with a resize: so levels are resized to the prompt's grid before they are projected,
and prompts are projected before they are resized, which is cheap there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.encoders.protocol import Pyramid, level_at_stride
from spn.models.prompts.hybrid import HybridGate, Made, PromptMaker, SemanticPrompt, StochasticPrompt
from spn.models.prompts.options import HybridOptions, NoPrompt, SemanticOptions, StochasticOptions
from spn.models.resampling import resample, resize
from spn.models.seeds import draw

STEM_STRIDE = 2
PROMPT_STRIDE = 16
"""The prompts are made on the grid of this stride."""


class Prompts(NamedTuple):
    """prompts: one [B, D, h, w] per sample, or the single mean prompt. kl: scalar, None without Z."""

    prompts: list[Tensor]
    kl: Tensor | None


class MultiScaleFusion(nn.Module):
    """Pyramid levels → M [B, D, h, w] on the grid of the level `grid`.

    widths: channels of every level; levels: the indices that are fused.
    """

    def __init__(
        self, widths: tuple[int, ...], *, levels: tuple[int, ...], grid: int, prompt_width: int
    ) -> None:
        super().__init__()
        self.levels = levels
        self.grid = grid
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(widths[level], prompt_width, 1, bias=False), nn.BatchNorm2d(prompt_width))
            for level in levels
        )
        self.level_logits = nn.Parameter(torch.zeros(len(levels)))
        self.mix = nn.Conv2d(prompt_width, prompt_width, 3, padding=1, groups=prompt_width, bias=False)
        self.norm = nn.BatchNorm2d(prompt_width)

    def forward(self, pyramid: Pyramid) -> Tensor:
        size = (pyramid[self.grid].shape[-2], pyramid[self.grid].shape[-1])
        weights = torch.softmax(self.level_logits, dim=0)
        terms = [
            weight * projection(resample(pyramid[level], size))
            for level, projection, weight in zip(self.levels, self.projections, weights, strict=True)
        ]
        fused = torch.stack(terms).sum(dim=0)
        return self.norm(fused + self.mix(fused))


class PromptInjection(nn.Module):
    """One level's γ_l · W_l: prompt [B, D, h, w] → what is added to features [B, C, H, W]."""

    def __init__(self, prompt_width: int, level_width: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(prompt_width, level_width, 1)
        self.strength = nn.Parameter(torch.zeros(level_width))

    def forward(self, features: Tensor, prompt: Tensor) -> Tensor:
        addition = self.projection(prompt) * self.strength.view(1, -1, 1, 1)
        return features + resize(addition, (features.shape[-2], features.shape[-1])).to(features.dtype)


class PromptNetwork(PromptMaker):
    """Makes prompts from a pyramid (`forward`) and adds one to it (`add`).

    widths, strides: of the pyramid. decoded: the levels that the decoder reads; prompts go to these, or to
    those of them in `options.strides`. Raises UserError where the decoder reads none of these.
    """

    def __init__(
        self,
        options: SemanticOptions | StochasticOptions | HybridOptions,
        widths: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        decoded: tuple[int, ...],
    ) -> None:
        super().__init__()
        width, wanted = options.width, options.strides
        self.levels = tuple(level for level in decoded if wanted is None or strides[level] in wanted)
        unread = set(wanted or ()) - {strides[level] for level in self.levels}
        if unread or not self.levels:
            raise UserError(
                f"prompt.strides is {wanted}, but the decoder reads the levels at strides "
                f"{tuple(strides[level] for level in decoded)} only; choose among these"
            )
        self.fusion = MultiScaleFusion(
            widths,
            levels=tuple(level for level, stride in enumerate(strides) if stride > STEM_STRIDE),
            grid=level_at_stride(strides, min(PROMPT_STRIDE, strides[-1])),
            prompt_width=width,
        )
        if not isinstance(options, StochasticOptions):
            self.semantic = SemanticPrompt(width, tokens=options.tokens)
        if not isinstance(options, SemanticOptions):
            self.stochastic = StochasticPrompt(width, noise=options.noise, use_spread=options.style_spread)
        if isinstance(options, HybridOptions):
            self.gate = HybridGate(width, groups=options.groups)
        self.injections = nn.ModuleList(PromptInjection(width, widths[level]) for level in self.levels)

    def forward(self, pyramid: Pyramid, *, num_samples: int, generator: torch.Generator | None) -> Prompts:
        """The mean prompt (0) or `num_samples` random ones. M and the distributions are computed once."""
        made = self.made(self.fusion(pyramid))
        kl = made.kl()
        if num_samples == 0:
            return Prompts([made.mean()], kl)
        return Prompts([self._sample(made, generator) for _ in range(num_samples)], kl)

    def add(self, pyramid: Pyramid, prompt: Tensor) -> Pyramid:
        """A new pyramid with `prompt` added to the chosen levels."""
        prompted = list(pyramid)
        for level, injection in zip(self.levels, self.injections, strict=True):
            prompted[level] = injection(pyramid[level], prompt)
        return prompted

    def _sample(self, made: Made, generator: torch.Generator | None) -> Tensor:
        noise = uniform = None
        if self.stochastic is not None and made.gaussian is not None:
            shape = self.stochastic.noise_shape(made.gaussian)
            noise = draw(torch.randn, shape, like=made.gaussian.mean, generator=generator)
        if made.gates is not None:
            uniform = draw(torch.rand, made.gates.shape, like=made.gates, generator=generator)
        return made.sample(noise, uniform)


def build(
    options: NoPrompt | SemanticOptions | StochasticOptions | HybridOptions,
    widths: tuple[int, ...],
    **pyramid: tuple[int, ...],
) -> PromptNetwork | None:
    """No prompts for NoPrompt, otherwise MSFFP."""
    return None if isinstance(options, NoPrompt) else PromptNetwork(options, widths, **pyramid)
