"""The all-MLP decoder of SegFormer (Xie et al., NeurIPS 2021).

    F = ReLU(norm(Σ_l resize(U_l P_l F_l)))      logits = C · dropout(F)

The paper enlarges the projected levels P_l F_l to stride 4 and joins them by one linear map U. That is the
sum of a map U_l of each, and 1x1 convolutions commute with resizing: the same at a third of the cost.
"""

import functools

import torch
from torch import Tensor, nn

from spn.losses.criterion import Prediction
from spn.models.decoders.options import STEM_STRIDE, SegFormerOptions
from spn.models.decoders.protocol import Decoder, NormedSum
from spn.models.encoders.protocol import Pyramid
from spn.models.resampling import resize


class SegFormerDecoder(Decoder, NormedSum):
    """Pyramid → logits [B, classes, H / s, W / s], s the stride of the shallowest level but the stem."""

    def __init__(
        self,
        options: SegFormerOptions,
        widths: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        num_classes: int,
    ) -> None:
        super().__init__()
        width = options.width
        self.levels = tuple(level for level, stride in enumerate(strides) if stride > STEM_STRIDE)
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(widths[level], width, 1), nn.Conv2d(width, width, 1, bias=False))
            for level in self.levels
        )
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout2d(options.dropout)
        self.classifier = nn.Conv2d(width, num_classes, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def summands(self) -> list[nn.Conv2d]:
        return [projection[1] for projection in self.projections]  # type: ignore[index]

    def forward(self, pyramid: Pyramid) -> Prediction:
        grid = pyramid[self.levels[0]].shape[-2:]
        terms = [
            resize(projection(pyramid[level]), grid)
            for level, projection in zip(self.levels, self.projections, strict=True)
        ]
        features: Tensor = self.relu(self.norm(functools.reduce(torch.add, terms)))
        return Prediction(self.classifier(self.dropout(features)))
