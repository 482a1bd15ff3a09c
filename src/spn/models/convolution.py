"""Convolution, batch norm and ReLU in one block, full or depthwise-separable."""

from __future__ import annotations

from torch import nn


class ConvBlock(nn.Sequential):
    """[B, in, H, W] → [B, out, H, W]: same-size convolution, BatchNorm, ReLU.

    A separable block (Chen et al., DeepLabV3+, ECCV 2018) is a depthwise kernel and a 1x1, each with norm
    and ReLU as in the paper's atrous separable convolution.
    """

    def __init__(
        self, in_width: int, out_width: int, *, kernel: int = 1, dilation: int = 1, separable: bool = False
    ) -> None:
        padding = dilation * (kernel // 2)
        layers: list[nn.Conv2d] = []
        if separable and kernel > 1:
            layers += [
                nn.Conv2d(
                    in_width,
                    in_width,
                    kernel,
                    padding=padding,
                    dilation=dilation,
                    groups=in_width,
                    bias=False,
                ),
                nn.Conv2d(in_width, out_width, 1, bias=False),
            ]
        else:
            layers.append(
                nn.Conv2d(in_width, out_width, kernel, padding=padding, dilation=dilation, bias=False)
            )
        super().__init__(*layers, nn.BatchNorm2d(out_width), nn.ReLU(inplace=True))
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
