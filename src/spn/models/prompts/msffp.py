"""MSFFP, the multi-scale fusion feature stochastic prompt network: makes hybrid prompts and adds them.

    M = mix( Σ_l w_l · norm_l(P_l F_l) ),   w = softmax(learned logits)
    F'_l = F_l + resize(γ_l · W_l H)        γ_l one weight per channel, starting at 0

P_l and W_l are 1x1 projections to D channels and back, `mix` a depthwise 3x3 with a residual and a norm. As a
1x1 projection commutes with a resize, both are projected on the prompt's grid, where it is cheap.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.decoders.options import STEM_STRIDE
from spn.models.encoders.protocol import Pyramid
from spn.models.prompts.hybrid import (
    HybridGate,
    Made,
    PromptMaker,
    SemanticPrompt,
    StochasticPrompt,
    flatness,
)
from spn.models.prompts.options import HybridOptions, NoPrompt, SemanticOptions, StochasticOptions
from spn.models.prompts.strength import WithStrength
from spn.models.resampling import resample, resize
from spn.models.seeds import draw

PROMPT_STRIDE = 16
"""The prompts are made on the grid of this stride."""
HIGH_PASS_GAIN = (9 / 8) ** 0.5
"""What white noise without the mean of 3x3 cells is multiplied by, to be of variance 1 again."""


class Prompts(NamedTuple):
    """prompts: one [B, D, h, w] per sample, or the single mean prompt. kl: scalar, None without Z."""

    prompts: list[Tensor]
    kl: Tensor | None


class MultiScaleFusion(nn.Module):
    """The pyramid's `levels`, by index, → M [B, D, h, w] on the grid of the level `grid`."""

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


class PromptInjection(WithStrength):
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
        options: SemanticOptions | StochasticOptions,
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
            grid=strides.index(min(PROMPT_STRIDE, strides[-1])),
            prompt_width=width,
        )
        self.noise = "image"
        if isinstance(options, SemanticOptions):
            self.semantic = SemanticPrompt(width, tokens=options.tokens)
        if isinstance(options, StochasticOptions):
            self.stochastic = StochasticPrompt(width, use_spread=options.style_spread)
            self.noise = options.noise
        self.splits = isinstance(options, HybridOptions) and options.frequency_split
        if isinstance(options, HybridOptions):
            self.gate = HybridGate(width, groups=options.groups)
        self.injections = nn.ModuleList(PromptInjection(width, widths[level]) for level in self.levels)

    def forward(self, pyramid: Pyramid, *, num_samples: int, generator: torch.Generator | None) -> Prompts:
        """The mean prompt (0) or `num_samples` random ones. M and the distributions are computed once."""
        fused = self.fusion(pyramid)
        made = self.made(fused)
        kl = made.kl()
        size = flatness(fused) if num_samples and self.noise == "curvature" else 1.0
        drawn = [self._sample(made, size, generator) for _ in range(num_samples)]
        return Prompts(drawn or [made.mean()], kl)

    def add(self, pyramid: Pyramid, prompt: Tensor) -> Pyramid:
        """A new pyramid with `prompt` added to the chosen levels."""
        added = dict(zip(self.levels, self.injections, strict=True))
        return [added[i](level, prompt) if i in added else level for i, level in enumerate(pyramid)]

    def made(self, fused: Tensor) -> Made:
        if not self.splits:
            return super().made(fused)
        assert self.semantic is not None
        assert self.stochastic is not None
        assert self.gate is not None
        low = blurred(fused)
        return Made(self.semantic(low), self.stochastic(F.instance_norm(fused - low)), self.gate(fused))

    def _sample(self, made: Made, size: Tensor | float, generator: torch.Generator | None) -> Tensor:
        """size: of the noise, which broadcasts to Z."""
        noise = uniform = None
        if made.gaussian is not None:
            one = self.noise == "image" and not self.splits
            like = made.gaussian.mean[:, :, :1, :1] if one else made.gaussian.mean
            noise = size * draw(torch.randn, like.shape, like=like, generator=generator)
            if self.splits:
                noise = (noise - blurred(noise)) * HIGH_PASS_GAIN
        if made.gates is not None:
            uniform = draw(torch.rand, made.gates.shape, like=made.gates, generator=generator)
        return made.sample(noise, uniform)


def blurred(features: Tensor) -> Tensor:
    """The mean of the 3x3 cells around each, fewer at the edge: [B, D, h, w] → the same."""
    return F.avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False)


def build(
    options: NoPrompt | SemanticOptions | StochasticOptions, widths: tuple[int, ...], **pyramid: Any
) -> PromptNetwork | None:
    """No prompts for NoPrompt, otherwise MSFFP."""
    return None if isinstance(options, NoPrompt) else PromptNetwork(options, widths, **pyramid)
