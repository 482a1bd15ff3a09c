"""Atrous spatial pyramid pooling (Chen et al., DeepLabV3, 2017): context at several dilations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.models.convolution import ConvBlock


class ASPP(nn.Module):
    """[B, C, h, w] → [B, width, h, w]: a 1x1, one 3x3 per dilation, and the image mean, joined by a 1x1.

    The image branch has no BatchNorm: its one value per channel would fail for a batch of one.
    """

    def __init__(
        self, in_width: int, width: int, *, dilations: tuple[int, ...], separable: bool = False
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                ConvBlock(in_width, width),
                *(
                    ConvBlock(in_width, width, kernel=3, dilation=dilation, separable=separable)
                    for dilation in dilations
                ),
            ]
        )
        self.image = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_width, width, 1), nn.ReLU(inplace=True)
        )
        self.join = ConvBlock(width * (len(dilations) + 2), width)

    def forward(self, features: Tensor) -> Tensor:
        size = features.shape[-2:]
        parts = [branch(features) for branch in self.branches]
        parts.append(self.image(features).expand(-1, -1, *size))
        joined: Tensor = self.join(torch.cat(parts, dim=1))
        return joined
