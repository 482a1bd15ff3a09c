"""One block of a frozen vision transformer on the tokens of several resolutions at once.

Norms and MLP, two thirds of a block's work, see all tokens [B, ΣN, C] in one call; attention stays within a
resolution, each with its own rotary embedding. So the result is what each resolution would give alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from timm.models.eva import EvaBlock
from timm.models.vision_transformer import Block
from torch import Tensor

BLOCKS = (Block, EvaBlock)
"""timm's pre-norm blocks that are supported."""


class Spans(NamedTuple):
    """lengths: how many tokens each resolution has, in order. ropes: its rotary embedding, or None."""

    lengths: list[int]
    ropes: list[Tensor | None]


def run_block(block: Block | EvaBlock, tokens: Tensor, spans: Spans) -> Tensor:
    """`block` in evaluation mode (no stochastic depth), one of BLOCKS, on tokens [B, ΣN, C]."""
    parts = block.norm1(tokens).split(spans.lengths, dim=1)
    attended = torch.cat(
        [
            block.attn(part) if rope is None else block.attn(part, rope=rope)
            for part, rope in zip(parts, spans.ropes, strict=True)
        ],
        dim=1,
    )
    if isinstance(block, EvaBlock):
        tokens = tokens + _scaled(attended, block.gamma_1)
        return tokens + _scaled(block.mlp(block.norm2(tokens)), block.gamma_2)
    tokens = tokens + block.ls1(attended)
    return tokens + block.ls2(block.mlp(block.norm2(tokens)))


def _scaled(tokens: Tensor, gain: Tensor | None) -> Tensor:
    return tokens if gain is None else gain * tokens
