"""A detail branch: corrects logits at stride 4 on the grid of the encoder's stem, where thin things show.

    Z' = resize(Z) + C · block([resize(R F), S])

F are the decoder's last features, Z their logits, S the stem's features at stride 2; R reduces F to as many
channels as the branch has. C starts at zero, so a trained network that is given the branch says what it said
before, but for a resize in two steps. Ours; RefineNet (Lin et al., CVPR 2017) has the same inputs in its
last stage, and makes the logits from them instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.models.convolution import ConvBlock
from spn.models.resampling import resize


class DetailBranch(nn.Module):
    """Features and their logits [B, ·, h, w], stem [B, S, H, W] → logits [B, classes, H, W]."""

    def __init__(self, in_width: int, stem_width: int, width: int, *, num_classes: int) -> None:
        super().__init__()
        self.reduce = ConvBlock(in_width, width)
        self.block = ConvBlock(width + stem_width, width, kernel=3)
        self.correction = nn.Conv2d(width, num_classes, 1, bias=False)
        nn.init.zeros_(self.correction.weight)

    def forward(self, features: Tensor, logits: Tensor, stem: Tensor) -> Tensor:
        grid = (stem.shape[-2], stem.shape[-1])
        seen = self.block(torch.cat([resize(self.reduce(features), grid), stem], dim=1))
        corrected: Tensor = resize(logits, grid) + self.correction(seen)
        return corrected
