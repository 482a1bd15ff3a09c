"""MSFFP, the multi-scale fusion feature stochastic prompt network: makes hybrid prompts and adds them.

    F'_l = F_l + resize(γ_l · W_l H)      γ_l one weight per channel, starting at 0

W_l is a 1x1 projection from D to the level's channels. It commutes with the resize, so it is applied on the
prompt's own grid, which is 16 times smaller than the shallowest level's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.encoders.protocol import Pyramid, level_at_stride
from spn.models.prompts.fusion import MultiScaleFusion
from spn.models.prompts.hybrid import HybridGate, draw_gates, join_prompts
from spn.models.prompts.options import HybridOptions, NoPrompt, SemanticOptions, StochasticOptions
from spn.models.prompts.semantic import SemanticPrompt
from spn.models.prompts.stochastic import Gaussian, StochasticPrompt, kl_to_standard_normal
from spn.models.resampling import resize

STEM_STRIDE = 2
PROMPT_STRIDE = 16
"""The prompts are made on the grid of this stride."""


class Prompts(NamedTuple):
    """prompts: one [B, D, h, w] per sample, or the single mean prompt. kl: scalar, None without Z."""

    prompts: list[Tensor]
    kl: Tensor | None


class PromptInjection(nn.Module):
    """One level's γ_l · W_l: prompt [B, D, h, w] → what is added to features [B, C, H, W]."""

    def __init__(self, prompt_width: int, level_width: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(prompt_width, level_width, 1)
        self.strength = nn.Parameter(torch.zeros(level_width))

    def forward(self, features: Tensor, prompt: Tensor) -> Tensor:
        addition = self.projection(prompt) * self.strength.view(1, -1, 1, 1)
        return features + resize(addition, (features.shape[-2], features.shape[-1])).to(features.dtype)


class PromptNetwork(nn.Module):
    """Makes prompts from a pyramid (`forward`) and adds one to it (`add`).

    fusion: makes M. semantic, stochastic: at least one; gate: needed when both are given.
    injections: one per level of `levels`, the indices that prompts are added to.
    """

    def __init__(
        self,
        fusion: MultiScaleFusion,
        *,
        semantic: SemanticPrompt | None,
        stochastic: StochasticPrompt | None,
        gate: HybridGate | None,
        injections: list[PromptInjection],
        levels: tuple[int, ...],
    ) -> None:
        super().__init__()
        if semantic is None and stochastic is None:
            raise ValueError("a prompt network needs a semantic prompt, a stochastic prompt, or both")
        if (gate is not None) != (semantic is not None and stochastic is not None):
            raise ValueError("a gate is wanted exactly when there are two prompts to mix")
        self.fusion = fusion
        self.semantic = semantic
        self.stochastic = stochastic
        self.gate = gate
        self.injections = nn.ModuleList(injections)
        self.levels = levels

    def forward(self, pyramid: Pyramid, *, num_samples: int, generator: torch.Generator | None) -> Prompts:
        """The mean prompt (0) or `num_samples` random ones. M and the distributions are computed once."""
        fused = self.fusion(pyramid)
        semantic = None if self.semantic is None else self.semantic(fused)
        gaussian = None if self.stochastic is None else self.stochastic(fused)
        gates = None if self.gate is None else self.gate.probabilities(fused)
        kl = None if gaussian is None else kl_to_standard_normal(gaussian)
        if num_samples == 0:
            mean = None if gaussian is None else gaussian.mean
            return Prompts([join_prompts(self.gate, semantic, mean, gates)], kl)
        prompts = [self._draw(semantic, gaussian, gates, generator) for _ in range(num_samples)]
        return Prompts(prompts, kl)

    def add(self, pyramid: Pyramid, prompt: Tensor) -> Pyramid:
        """A new pyramid with `prompt` added to the chosen levels."""
        prompted = list(pyramid)
        for level, injection in zip(self.levels, self.injections, strict=True):
            prompted[level] = injection(pyramid[level], prompt)
        return prompted

    def _draw(
        self,
        semantic: Tensor | None,
        gaussian: Gaussian | None,
        gates: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        sample = None
        if self.stochastic is not None and gaussian is not None:
            sample = self.stochastic.sample(gaussian, generator=generator)
        drawn = None if gates is None else draw_gates(gates, generator=generator)
        return join_prompts(self.gate, semantic, sample, drawn)


def build_none(options: NoPrompt, widths: tuple[int, ...], **_: object) -> None:
    """No prompts."""


def build(
    options: SemanticOptions | StochasticOptions | HybridOptions,
    widths: tuple[int, ...],
    *,
    strides: tuple[int, ...],
    decoded: tuple[int, ...],
) -> PromptNetwork:
    """MSFFP on a pyramid; prompts go to the `decoded` levels, or those of them in `options.strides`.

    Raises UserError where the decoder reads none of these.
    """
    fused = tuple(level for level, stride in enumerate(strides) if stride > STEM_STRIDE)
    grid = level_at_stride(strides, min(PROMPT_STRIDE, strides[-1]))
    wanted = options.strides
    levels = tuple(level for level in decoded if wanted is None or strides[level] in wanted)
    unread = set(wanted or ()) - {strides[level] for level in levels}
    if unread or not levels:
        raise UserError(
            f"prompt.strides is {wanted}, but the decoder reads the levels at strides "
            f"{tuple(strides[level] for level in decoded)} only; choose among these"
        )
    fusion = MultiScaleFusion(widths, levels=fused, grid=grid, prompt_width=options.width)
    semantic = stochastic = gate = None
    if not isinstance(options, StochasticOptions):
        semantic = SemanticPrompt(options.width, tokens=options.tokens)
    if not isinstance(options, SemanticOptions):
        stochastic = StochasticPrompt(options.width, noise=options.noise, use_spread=options.style_spread)
    if isinstance(options, HybridOptions):
        gate = HybridGate(options.width, groups=options.groups)
    injections = [PromptInjection(options.width, widths[level]) for level in levels]
    return PromptNetwork(
        fusion, semantic=semantic, stochastic=stochastic, gate=gate, injections=injections, levels=levels
    )
