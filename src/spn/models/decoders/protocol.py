"""What every decoder offers, the convolution block that they are made of, and the auxiliary head."""

from torch import Tensor, nn

from spn.losses.criterion import Criterion, pixel_criterion
from spn.models.encoders.protocol import Pyramid


class Decoder(nn.Module):
    """Base of all decoders, with the loss of those that classify pixels.

    A new one sets `levels` and writes `forward(pyramid) -> Prediction`: logits on a grid that spans
    the image; in training mode also the parts that its `criterion` reads.
    """

    levels: tuple[int, ...]
    """Indices of the pyramid's levels that it reads, ascending; coarse views and prompts go into these."""
    criterion: Criterion = staticmethod(pixel_criterion)
    """The loss that trains it; stateless."""


class NormedSum(nn.Module):
    """A module whose BatchNorm `norm` sees nothing but the sum of what `summands` put out, resized or not."""

    norm: nn.Module

    def summands(self) -> list[nn.Conv2d]:
        """Convolutions whose outputs go nowhere else."""
        raise NotImplementedError


class ConvBlock(nn.Sequential):
    """[B, in, H, W] → [B, out, H, W]: same-size convolution, BatchNorm, ReLU.

    separable: a depthwise kernel and a 1x1 instead (Chen et al., DeepLabV3+, ECCV 2018).
    """

    def __init__(
        self, in_width: int, out_width: int, *, kernel: int = 1, dilation: int = 1, separable: bool = False
    ) -> None:
        depthwise, padding = separable and kernel > 1, dilation * (kernel // 2)
        seen, groups = (in_width, in_width) if depthwise else (out_width, 1)
        layers = [nn.Conv2d(in_width, seen, kernel, 1, padding, dilation, groups, bias=False)]
        if depthwise:
            layers.append(nn.Conv2d(in_width, out_width, 1, bias=False))
        super().__init__(*layers, nn.BatchNorm2d(out_width), nn.ReLU(inplace=True))
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


class AuxiliaryHead(nn.Module):
    """Pyramid → logits [B, classes, h, w] of the level before the deepest, on its grid.

    A second loss inside the encoder, for training only (PSPNet, Zhao et al., CVPR 2017).
    """

    def __init__(self, widths: tuple[int, ...], width: int, *, num_classes: int) -> None:
        super().__init__()
        self.level = len(widths) - 2
        self.block = ConvBlock(widths[self.level], width, kernel=3)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, pyramid: Pyramid) -> Tensor:
        return self.classifier(self.block(pyramid[self.level]))
