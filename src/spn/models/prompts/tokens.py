"""Hybrid tokens: a prompt after every block of a convolutional encoder, which may be frozen or trained.

After a block with features F [B, C, h, w], with K tokens T = L R of low rank r,

    M = P · norm(F)                       norm over the channels of a pixel
    A = softmax(M Tᵀ / √D)                the first is the null token: to want nothing
    V = (μ + σ · n) R,   n ~ N(0, I)      semantic: μ = L, σ = 0   stochastic: μ = 0   hybrid: μ = L
    F' = F + d · γ · U relu(W (Σ_{k ≥ 2} A_k V_k + M))

n is drawn once per image and block, of the learned size σ of each rank; the mean prompt has n = 0. In a draw
d is 0 with chance `drop`, else 1 / (1 − drop), for each image and block; otherwise it is 1. P (C → D) and U
(D → C) are shared by blocks of equal width, W by all; L, R, σ and γ [C], at first 0, are each block's own.
The semantic kind is in the manner of Rein (Wei et al., CVPR 2024), whose blocks are a transformer's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.models.prompts.options import TokenOptions
from spn.models.prompts.strength import WithStrength

NOISE_SIZE = 0.75
"""σ at first; tokens are of size 1."""


class BlockTokens(WithStrength):
    """The own part of a block with `width` channels: its tokens T and γ."""

    def __init__(self, options: TokenOptions, width: int) -> None:
        super().__init__()
        self.kind = options.kind
        self.factors = nn.Parameter(torch.randn(options.tokens, options.rank))
        self.basis = nn.Parameter(torch.randn(options.rank, options.width) * options.rank**-0.5)
        if options.kind != "semantic":
            self.log_size = nn.Parameter(torch.full((options.rank,), math.log(NOISE_SIZE)))
        self.strength = nn.Parameter(torch.zeros(width))

    def keys(self) -> Tensor:
        """T [K, D]."""
        return self.factors @ self.basis

    def values(self, noise: Tensor | None) -> Tensor:
        """V [K, D], or [B, K, D] by N(0, 1) numbers [B, (K - 1) r]; that of the null token is 0."""
        factors = self.factors[1:]
        if self.kind == "stochastic":
            factors = torch.zeros_like(factors)
        if noise is not None and self.kind != "semantic":
            factors = factors + self.log_size.exp() * noise.unflatten(1, factors.shape)
        return F.pad(factors @ self.basis, (0, 0, 1, 0))


class TokenPrompts(nn.Module):
    """Adds a prompt to the features after a block.

    options: not of kind "none". widths: channels after each block. noise_width: how many random numbers a
    draw takes per image. noise: those of the pass that runs, [B, noise_width]; None for the mean prompt.
    """

    noise: Tensor | None

    def __init__(self, options: TokenOptions, widths: Sequence[int]) -> None:
        super().__init__()
        self.drop, prompt_width = options.drop, options.width
        self.blocks = nn.ModuleList(BlockTokens(options, width) for width in widths)
        each = {str(width): width for width in widths}
        self.to_prompt = nn.ModuleDict({name: nn.Linear(each[name], prompt_width) for name in each})
        self.mix = nn.Linear(prompt_width, prompt_width, bias=False)
        self.from_prompt = nn.ModuleDict(
            {name: nn.Linear(prompt_width, each[name], bias=False) for name in each}
        )
        drawn = 0 if options.kind == "semantic" else (options.tokens - 1) * options.rank
        self.noise_width = len(widths) * (drawn + (options.drop > 0))
        self.noise = None

    def forward(self, features: Tensor, *, block: int) -> Tensor:
        """Features [B, C, h, w] after the block number `block` → with its prompt."""
        own, width = self.blocks[block], str(features.shape[1])
        assert isinstance(own, BlockTokens)
        noise = keep = None
        if self.noise is not None:
            noise = self.noise.chunk(len(self.blocks), dim=1)[block]
            if self.drop:
                keep = (torch.special.ndtr(noise[:, -1:, None]) >= self.drop) / (1 - self.drop)
                noise = noise[:, :-1]
        pixels = features.flatten(2).transpose(1, 2)
        (into, bias), mix = self.to_prompt[width].parameters(), self.mix.weight
        both = torch.cat([mix, own.keys() * len(mix) ** -0.5])  # one product: pixels are many, weights few
        linear = F.linear(F.layer_norm(pixels, pixels.shape[-1:]), both @ into, both @ bias)
        mixed, scores = linear.tensor_split([len(mix)], dim=-1)
        hidden = F.relu(mixed + torch.softmax(scores, dim=-1) @ (own.values(noise) @ mix.t()))
        hidden = hidden if keep is None else hidden * keep
        (out,) = self.from_prompt[width].parameters()
        addition = F.linear(hidden, out * own.strength[:, None])
        return features + addition.transpose(1, 2).unflatten(2, features.shape[2:]).to(features.dtype)
