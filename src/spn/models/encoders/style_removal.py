"""Takes the style of each image out of shallow features, by a share that is learned from 0.

    F' = F + δ · (IN(F) − F)      δ one share per channel, starting at 0

IN gives each channel mean 0 and variance 1 in each image. What it takes out, the style, is what differs most
between domains (Pan et al., "IBN-Net", ECCV 2018); δ leaves it where the task needs it. Ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.models.encoders.shallow_places import shallow_places

EPSILON = 1e-5
"""Added to the variance, as torch's normalisations do."""


class StyleRemoval(nn.Module):
    """Features [B, C, h, w] → the same shape; untrained it is the identity, bit for bit."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """As one affine map per image and channel, which keeps no second copy of the features."""
        share = self.share.view(1, -1, 1, 1).to(features.dtype)
        variance, mean = torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)
        scale = torch.rsqrt(variance + EPSILON)
        return torch.addcmul(-share * mean * scale, features, 1 + share * (scale - 1))


def insert_style_removal(backbone: nn.Module, *, name: str) -> None:
    """Put it into a timm ResNet, before the activations that end the stem and the first two stages.

    Raises UserError for a backbone that is none.
    """
    for place in shallow_places(backbone, name=name, option="encoder.style_removal"):
        place.insert(StyleRemoval(place.width))
