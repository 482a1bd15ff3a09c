"""Depthwise convolutions whose gradients are fast in bfloat16 on a processor.

oneDNN has no fast code for two of them: that by the weights of a kernel above 3x3, and that by the features
at a stride above 1. Each takes 20 to 50 ms where the convolution takes 1, together half of a training step of
EfficientNet-Lite0.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn

PIECE = 3
"""The largest kernel with a fast gradient."""


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution without bias, with the weight of `replaced`: the same gradients, sooner."""

    def __init__(self, replaced: nn.Conv2d) -> None:
        same = isinstance(replaced, Conv2dSame)  # pads by itself, as TensorFlow does
        with torch.device("meta"):
            super().__init__(
                replaced.in_channels,
                replaced.out_channels,
                replaced.kernel_size,  # type: ignore[arg-type]
                stride=replaced.stride,  # type: ignore[arg-type]
                padding=0 if same else replaced.padding,  # type: ignore[arg-type]
                groups=replaced.groups,
                bias=False,
            )
        self.weight = replaced.weight
        self.same = same

    def forward(self, features: Tensor) -> Tensor:
        if self.same:
            features = pad_same(features, list(self.kernel_size), list(self.stride))
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            features, weight = features.to(kind), weight.to(kind)
        made: Tensor = _Depthwise.apply(features, weight, self.stride, self.padding)
        return made


class _Depthwise(torch.autograd.Function):
    """features [B, C, h, w], weight [C, 1, k, k]."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(features, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (gradient,) = gradients
        features, weight = ctx.saved_tensors
        of_features = of_weight = None
        if ctx.needs_input_grad[0]:
            wide = torch.float32 if max(ctx.stride) > 1 else gradient.dtype
            parts = gradient.to(wide), features.to(wide), weight.to(wide)
            of_features = _gradient(*parts, ctx.stride, ctx.padding, by_weight=False).to(features.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(gradient, features, weight, ctx.stride, ctx.padding)
        return of_features, of_weight, None, None


def _weight_gradient(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """In pieces of 3x3 of the kernel, each with the part of the features that it sees."""
    side = weight.shape[-1]
    if side <= PIECE:
        return _gradient(gradient, features, weight, stride, padding, by_weight=True)
    features = F.pad(features, (padding[1], padding[1], padding[0], padding[0]))
    height, width = (
        (count - 1) * step + PIECE for count, step in zip(gradient.shape[2:], stride, strict=True)
    )
    made, piece = torch.empty_like(weight), weight[:, :, :PIECE, :PIECE]
    starts = sorted({*range(0, side - PIECE, PIECE), side - PIECE})
    for top, left in itertools.product(starts, starts):
        seen = features[:, :, top : top + height, left : left + width]
        seen = seen.contiguous(memory_format=torch.channels_last)
        made[:, :, top : top + PIECE, left : left + PIECE] = _gradient(
            gradient, seen, piece, stride, (0, 0), by_weight=True
        )
    return made


def _gradient(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    *,
    by_weight: bool,
) -> Tensor:
    """Torch's own: that by the weight, or that by the features."""
    backward: Callable[..., tuple[Tensor, Tensor, Tensor]] = torch.ops.aten.convolution_backward
    wanted = (not by_weight, by_weight, False)
    made = backward(
        gradient, features, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), wanted
    )
    return made[int(by_weight)]


def replace_depthwise(network: nn.Module) -> None:
    """Give the depthwise convolutions of `network` these gradients; names and weights stay."""
    for name, module in list(network.named_modules()):
        if (
            type(module) in (nn.Conv2d, Conv2dSame)
            and module.groups == module.in_channels == module.out_channels > 1
            and module.bias is None
            and module.dilation == (1, 1)
            and module.padding_mode == "zeros"
            and module.kernel_size[0] == module.kernel_size[1]
            and isinstance(module.padding, tuple)
            and (max(module.stride) > 1 or module.kernel_size[0] > PIECE)
        ):
            network.set_submodule(name, DepthwiseConv2d(module))
