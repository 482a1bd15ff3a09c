"""The DeepLabV3+ decoder (Chen et al., ECCV 2018), with any number of skip levels.

The paper's decoder joins one skip at stride 4. A second at stride 2 keeps thin things (poles, signs); it pays
at small image sizes. So do strip blocks and a detail branch, which a trained network can be given.
"""

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.losses.criterion import Prediction
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.decoders.protocol import ConvBlock, Decoder, NormedSum
from spn.models.encoders.protocol import Pyramid
from spn.models.resampling import resize


class ASPP(nn.Module):
    """[B, C, h, w] → [B, width, h, w]: a 1x1, one 3x3 per dilation, and the image mean, joined by a 1x1.

    Context at several dilations (Chen et al., DeepLabV3, 2017). The image branch has no BatchNorm: its one
    value per channel would fail for a batch of one.
    """

    def __init__(
        self, in_width: int, width: int, *, dilations: tuple[int, ...], separable: bool = False
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList([ConvBlock(in_width, width)])
        for rate in dilations:
            self.branches.append(ConvBlock(in_width, width, kernel=3, dilation=rate, separable=separable))
        reduce = nn.Conv2d(in_width, width, 1)
        self.image = nn.Sequential(nn.AdaptiveAvgPool2d(1), reduce, nn.ReLU(inplace=True))
        self.join = ConvBlock(width * (len(dilations) + 2), width)

    def forward(self, features: Tensor) -> Tensor:
        parts = [branch(features) for branch in self.branches]
        parts.append(self.image(features).expand(-1, -1, *features.shape[-2:]))
        return self.join(torch.cat(parts, dim=1))


class SkipJoin(nn.Module):
    """Enlarges deep features to a skip level's grid, joins them and refines the result."""

    def __init__(self, deep_width: int, level_width: int, skip: Skip, *, separable: bool) -> None:
        super().__init__()
        self.reduce = ConvBlock(level_width, skip.width)
        self.refine = nn.Sequential()
        for before in (deep_width + skip.width, *([skip.out] * (skip.convolutions - 1))):
            self.refine.append(ConvBlock(before, skip.out, kernel=3, separable=separable))

    def forward(self, deep: Tensor, level: Tensor) -> Tensor:
        return self.refine(torch.cat([resize(deep, level.shape[-2:]), self.reduce(level)], dim=1))


class StripBlock(NormedSum):
    """F' = F + P · relu(N(V * E F + L * E F)) on features [B, C, h, w]: what is above and below a place.

    E doubles the channels, V is a depthwise convolution of `length` rows and one column, L a depthwise 3x3, N
    their normalisation, and P projects back; its normalisation starts at zero. What a pole stands on and what
    it carries is out of a small square kernel's reach. Ours; strip pooling (Hou et al., CVPR 2020) averages
    whole strips instead.
    """

    def __init__(self, width: int, *, length: int) -> None:
        super().__init__()
        inner = 2 * width
        self.expand = ConvBlock(width, inner)
        self.vertical = nn.Conv2d(
            inner, inner, (length, 1), padding=(length // 2, 0), groups=inner, bias=False
        )
        self.local = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.norm = nn.BatchNorm2d(inner)
        self.relu = nn.ReLU(inplace=True)
        self.project = nn.Conv2d(inner, width, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(width)
        for layer in (self.vertical, self.local, self.project):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.project_norm.weight)

    def summands(self) -> list[nn.Conv2d]:
        return [self.vertical, self.local]

    def forward(self, features: Tensor) -> Tensor:
        seen = self.expand(features)
        seen = self.relu(self.norm(self.vertical(seen) + self.local(seen)))
        return features + self.project_norm(self.project(seen))


class DetailBranch(nn.Module):
    """Z' = resize(Z) + C · block([resize(R F), S]): corrects logits on the grid of the encoder's stem.

    F are the decoder's last features and Z their logits, [B, ·, h, w]; S the stem's features at stride 2,
    [B, ·, H, W]; R reduces F to as many channels as the branch has. C starts at zero. Ours; RefineNet (Lin et
    al., CVPR 2017) has the same inputs in its last stage, and makes the logits from them instead.
    """

    def __init__(self, in_width: int, stem_width: int, width: int, *, num_classes: int) -> None:
        super().__init__()
        self.reduce = ConvBlock(in_width, width)
        self.block = ConvBlock(width + stem_width, width, kernel=3)
        self.correction = nn.Conv2d(width, num_classes, 1, bias=False)
        nn.init.zeros_(self.correction.weight)

    def forward(self, features: Tensor, logits: Tensor, stem: Tensor) -> Tensor:
        grid = stem.shape[-2:]
        seen = self.block(torch.cat([resize(self.reduce(features), grid), stem], dim=1))
        return resize(logits, grid) + self.correction(seen)


class DeepLabDecoder(Decoder):
    """Pyramid → logits [B, classes, H / s, W / s], s the last skip level's stride (detail: the first's).

    widths, strides: of the pyramid. Raises UserError for a skip at a stride that it has not.
    """

    def __init__(
        self, options: DeepLabOptions, widths: tuple[int, ...], *, strides: tuple[int, ...], num_classes: int
    ) -> None:
        super().__init__()
        wanted = [skip.stride for skip in options.skips]
        if missing := set(wanted) - set(strides):
            raise UserError(
                f"decoder.skips: no encoder level at stride {min(missing)}; the encoder's are at {strides}"
            )
        self.skip_levels = tuple(strides.index(stride) for stride in wanted)
        self.levels = tuple(sorted({*self.skip_levels, len(widths) - 1}))
        self.context = ASPP(
            widths[-1], options.width, dilations=options.dilations, separable=options.separable
        )
        outs = [options.width, *(skip.out for skip in options.skips)]
        self.joins = nn.ModuleList(
            SkipJoin(deep, widths[level], skip, separable=options.separable)
            for deep, level, skip in zip(outs, self.skip_levels, options.skips, strict=False)
        )
        classifier = nn.Conv2d(outs[-1], num_classes, 1)
        nn.init.normal_(classifier.weight, std=0.01)
        detail = None
        if options.detail_width:
            detail = DetailBranch(outs[-1], widths[0], options.detail_width, num_classes=num_classes)
        strips = (StripBlock(outs[-1], length=options.strip_length) for _ in range(options.strips))
        self.strips = nn.Sequential(*strips)
        self.classifier, self.detail = classifier, detail

    def forward(self, pyramid: Pyramid) -> Prediction:
        features = self.context(pyramid[-1])
        for join, level in zip(self.joins, self.skip_levels, strict=True):
            features = join(features, pyramid[level])
        features = self.strips(features)
        logits = self.classifier(features)
        return Prediction(logits if self.detail is None else self.detail(features, logits, pyramid[0]))
