"""The semantic prompt S: the fused feature looks up a learned memory of what is common to all domains.

S = softmax(M Eᵀ / √D) V        E, V: K learned tokens of D channels
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def attend(features: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """[B, D, h, w] features, [K, D] keys and values → [B, D, h, w]: each position attends to K tokens."""
    width = features.shape[1]
    scores = nn.functional.conv2d(features, keys.view(*keys.shape, 1, 1) * width**-0.5)
    attention = torch.softmax(scores, dim=1)
    return nn.functional.conv2d(attention, values.t().reshape(width, -1, 1, 1))


class SemanticPrompt(nn.Module):
    """M [B, D, h, w] → S [B, D, h, w], deterministic."""

    def __init__(self, prompt_width: int, *, tokens: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(tokens, prompt_width))
        self.values = nn.Parameter(torch.randn(tokens, prompt_width))

    def forward(self, fused: Tensor) -> Tensor:
        return attend(fused, self.keys, self.values)
