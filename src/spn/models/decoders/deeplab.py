"""The DeepLabV3+ decoder (Chen et al., ECCV 2018), with any number of skip levels.

The paper's decoder joins one skip at stride 4. A second at stride 2 keeps thin things (poles, signs) that
logits at a quarter of the resolution lose; it pays at small image sizes. A detail branch is for the same, and
can be given to a network that is trained already.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.losses.criterion import Prediction
from spn.models.convolution import ConvBlock
from spn.models.decoders.aspp import ASPP
from spn.models.decoders.detail import DetailBranch
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.decoders.protocol import Decoder
from spn.models.decoders.strip import StripBlock
from spn.models.encoders.protocol import Pyramid, level_at_stride
from spn.models.resampling import resize


class SkipJoin(nn.Module):
    """Enlarges deep features to a skip level's grid, joins them and refines the result."""

    def __init__(self, deep_width: int, level_width: int, skip: Skip, *, separable: bool) -> None:
        super().__init__()
        self.reduce = ConvBlock(level_width, skip.width)
        widths = [deep_width + skip.width, *([skip.out] * skip.convolutions)]
        self.refine = nn.Sequential(
            *(
                ConvBlock(before, after, kernel=3, separable=separable)
                for before, after in itertools.pairwise(widths)
            )
        )

    def forward(self, deep: Tensor, level: Tensor) -> Tensor:
        reduced = self.reduce(level)
        enlarged = resize(deep, (level.shape[-2], level.shape[-1]))
        refined: Tensor = self.refine(torch.cat([enlarged, reduced], dim=1))
        return refined


class DeepLabDecoder(Decoder):
    """Pyramid → logits [B, classes, H / s, W / s], s the last skip level's stride (detail: the first's).

    context: the ASPP on the deepest level. joins: one per index in `skip_levels`, deepest first.
    strips: blocks after the last join. classifier: the last 1x1. detail: None, or what corrects its logits
    from the pyramid's first level, which it reads as the encoder made it.
    """

    def __init__(
        self,
        context: nn.Module,
        *,
        joins: Sequence[SkipJoin],
        skip_levels: tuple[int, ...],
        levels: tuple[int, ...],
        classifier: nn.Module,
        strips: Sequence[StripBlock] = (),
        detail: DetailBranch | None = None,
    ) -> None:
        super().__init__()
        self.context = context
        self.joins = nn.ModuleList(joins)
        self.skip_levels = skip_levels
        self.levels = levels
        self.strips = nn.Sequential(*strips)
        self.classifier = classifier
        self.detail = detail

    def forward(self, pyramid: Pyramid) -> Prediction:
        features = self.context(pyramid[-1])
        for join, level in zip(self.joins, self.skip_levels, strict=True):
            features = join(features, pyramid[level])
        features = self.strips(features)
        logits = self.classifier(features)
        return Prediction(logits if self.detail is None else self.detail(features, logits, pyramid[0]))


def build(
    options: DeepLabOptions, widths: tuple[int, ...], *, strides: tuple[int, ...], num_classes: int
) -> DeepLabDecoder:
    """The decoder on a pyramid of these widths and strides. Raises UserError for a stride that it has not."""
    try:
        skip_levels = tuple(level_at_stride(strides, skip.stride) for skip in options.skips)
    except ValueError as error:
        raise UserError(f"decoder.skips: {error}") from error
    context = ASPP(widths[-1], options.width, dilations=options.dilations, separable=options.separable)
    joins, width = [], options.width
    for level, skip in zip(skip_levels, options.skips, strict=True):
        joins.append(SkipJoin(width, widths[level], skip, separable=options.separable))
        width = skip.out
    classifier = nn.Conv2d(width, num_classes, 1)
    nn.init.normal_(classifier.weight, std=0.01)
    detail = None
    if options.detail_width:
        detail = DetailBranch(width, widths[0], options.detail_width, num_classes=num_classes)
    return DeepLabDecoder(
        context,
        joins=joins,
        skip_levels=skip_levels,
        levels=tuple(sorted({*skip_levels, len(widths) - 1})),
        classifier=classifier,
        strips=[StripBlock(width, length=options.strip_length) for _ in range(options.strips)],
        detail=detail,
    )
