"""The all-MLP decoder of SegFormer (Xie et al., NeurIPS 2021).

    F = ReLU(norm(Σ_l resize(U_l P_l F_l)))      logits = C · dropout(F)

The paper projects every level by a linear map P_l, enlarges all to stride 4, and joins them by one linear map
U on their concatenation. That is the sum of a map U_l of each level, and 1x1 convolutions commute with
resizing: so both maps run on the level's own grid, the same function at a third of the cost.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from spn.losses.criterion import Prediction
from spn.models.decoders.options import STEM_STRIDE, SegFormerOptions
from spn.models.decoders.protocol import Decoder
from spn.models.encoders.protocol import Pyramid
from spn.models.resampling import resize


class SegFormerDecoder(Decoder):
    """Pyramid → logits [B, classes, H / s, W / s], s the stride of the shallowest of `levels`.

    widths: channels of the levels that it reads. width: channels after each projection.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        *,
        levels: tuple[int, ...],
        width: int,
        dropout: float,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(own, width, 1), nn.Conv2d(width, width, 1, bias=False)) for own in widths
        )
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(width, num_classes, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def forward(self, pyramid: Pyramid) -> Prediction:
        shallowest = pyramid[self.levels[0]]
        grid = (shallowest.shape[-2], shallowest.shape[-1])
        terms = [
            resize(projection(pyramid[level]), grid)
            for level, projection in zip(self.levels, self.projections, strict=True)
        ]
        features: Tensor = self.relu(self.norm(functools.reduce(torch.add, terms)))
        return Prediction(self.classifier(self.dropout(features)))


def build(
    options: SegFormerOptions, widths: tuple[int, ...], *, strides: tuple[int, ...], num_classes: int
) -> SegFormerDecoder:
    """The decoder on every level of a pyramid of these widths and strides but the stem's."""
    levels = tuple(level for level, stride in enumerate(strides) if stride > STEM_STRIDE)
    return SegFormerDecoder(
        tuple(widths[level] for level in levels),
        levels=levels,
        width=options.width,
        dropout=options.dropout,
        num_classes=num_classes,
    )
