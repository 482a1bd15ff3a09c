"""The auxiliary FCN head (as in PSPNet, Zhao et al., CVPR 2017): a second loss inside the encoder."""

from __future__ import annotations

from torch import Tensor, nn

from spn.models.convolution import ConvBlock
from spn.models.encoders.protocol import Pyramid


class AuxiliaryHead(nn.Module):
    """Pyramid → logits [B, classes, h, w] of one level, on that level's grid. Only training reads it."""

    def __init__(self, in_width: int, width: int, *, level: int, num_classes: int) -> None:
        super().__init__()
        self.level = level
        self.block = ConvBlock(in_width, width, kernel=3)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, pyramid: Pyramid) -> Tensor:
        logits: Tensor = self.classifier(self.block(pyramid[self.level]))
        return logits
