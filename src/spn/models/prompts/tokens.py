"""Hybrid tokens: a prompt after every block of a convolutional encoder, which may be frozen or trained.

After a block with features F [B, C, h, w], with K + 1 tokens T = L R of low rank r,

    M = P · norm(F)                       norm over the channels of a pixel
    A = softmax(M Tᵀ / √D)                the first is the null token, for pixels that want nothing
    V = (μ + σ · n) R,   n ~ N(0, I)      semantic: μ = L, σ = 0   stochastic: μ = 0   hybrid: μ = L
    F' = F + d · γ · U relu(W (Σ_k A_k V_k + M) + w)        k = 1 … K

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

NOISE_SIZE = 0.75
"""σ at first; tokens are of size 1."""


class BlockTokens(nn.Module):
    """The own part of a block with `width` channels: M [B, N, D] → Σ_k A_k V_k [B, N, D]."""

    def __init__(self, options: TokenOptions, width: int) -> None:
        super().__init__()
        self.kind = options.kind
        self.factors = nn.Parameter(torch.randn(options.tokens + 1, options.rank))
        self.basis = nn.Parameter(torch.randn(options.rank, options.width) * options.rank**-0.5)
        if options.kind != "semantic":
            self.log_size = nn.Parameter(torch.full((options.rank,), math.log(NOISE_SIZE)))
        self.strength = nn.Parameter(torch.zeros(width))

    def forward(self, fused: Tensor, noise: Tensor | None) -> Tensor:
        """noise: N(0, 1) numbers [B, K · r]; None for the mean."""
        scores = fused @ (self.factors @ self.basis).t() * fused.shape[-1] ** -0.5
        values = self.factors[1:]
        if self.kind == "stochastic":
            values = torch.zeros_like(values)
        if noise is not None and self.kind != "semantic":
            values = values + self.log_size.exp() * noise.unflatten(1, values.shape)
        attended: Tensor = torch.softmax(scores, dim=-1)[..., 1:] @ (values @ self.basis)
        return attended


class TokenPrompts(nn.Module):
    """Adds a prompt to the features after a block.

    options: not of kind "none". widths: channels after each block. noise_width: how many random numbers a
    draw takes per image. noise: those of the pass that runs, [B, noise_width]; None for the mean prompt.
    """

    noise: Tensor | None

    def __init__(self, options: TokenOptions, widths: Sequence[int]) -> None:
        super().__init__()
        self.drop = options.drop
        self.blocks = nn.ModuleList(BlockTokens(options, width) for width in widths)
        each = {str(width): width for width in widths}
        self.to_prompt = nn.ModuleDict({name: nn.Linear(each[name], options.width) for name in each})
        self.mix = nn.Linear(options.width, options.width)
        self.from_prompt = nn.ModuleDict(
            {name: nn.Linear(options.width, each[name], bias=False) for name in each}
        )
        drawn = 0 if options.kind == "semantic" else options.tokens * options.rank
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
        fused = self.to_prompt[width](F.layer_norm(pixels, pixels.shape[-1:]))
        hidden = F.relu(self.mix(own(fused, noise) + fused))
        hidden = hidden if keep is None else hidden * keep
        addition = F.linear(hidden, self.from_prompt[width].get_parameter("weight") * own.strength[:, None])
        return features + addition.transpose(1, 2).unflatten(2, features.shape[2:]).to(features.dtype)
