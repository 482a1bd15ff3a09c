"""Takes the style of each image out of shallow features, by a share that is learned from 0.

    F' = F + δ · (IN(F) − F)      δ one share per channel, starting at 0

IN gives each channel mean 0 and variance 1 in each image. What it takes out, the style, is what differs most
between domains (Pan et al., "IBN-Net", ECCV 2018); δ leaves it where the task needs it. Ours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spn.models.encoders.protocol import Encoder

EPSILON = 1e-5
"""Added to the variance, as torch's normalisations do."""

SPACE = (2, 3)
BAND = 1 << 20
"""Elements whose squares are held at a time on the CPU, where fresh memory costs more than arithmetic."""


class StyleRemoval(nn.Module):
    """Features [B, C, h, w] → the same shape; untrained it is the identity, bit for bit."""

    def __init__(self, width: int, *, inplace: bool = False) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(width))
        self.inplace = inplace

    def forward(self, features: Tensor) -> Tensor:
        """inplace: without gradients, `features` are overwritten."""
        share = self.share.view(1, -1, 1, 1)
        compiling = torch.compiler.is_compiling()  # which makes fast code of the plain formula
        if torch.is_grad_enabled() and not compiling:
            return PartialInstanceNorm.apply(features, share)
        offset, gain = _affine(features, share, *image_statistics(features))
        return torch.addcmul(offset, features, gain, out=features if self.inplace and not compiling else None)


class PartialInstanceNorm(torch.autograd.Function):
    """F + δ · (IN(F) − F) as one affine map per image and channel; δ [1, C, 1, 1].

    Four times as fast on a CPU as the same by torch's own operations: its variance and its instance norm are
    slow on channels_last tensors, and their gradients take several passes more.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, share: Tensor) -> Tensor:
        mean, scale = image_statistics(features)
        ctx.save_for_backward(features, share, mean, scale)
        offset, gain = _affine(features, share, mean, scale)
        return torch.addcmul(offset, features, gain)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """With x̂ = (F − mean) · scale: dF = (1 − δ) · g + δ · scale · (g − mean(g) − x̂ · mean(g · x̂))."""
        (gradient,) = gradients
        features, share, mean, scale = ctx.saved_tensors
        along_one = gradient.mean(SPACE, keepdim=True, dtype=mean.dtype)
        along_features = (gradient * features).mean(SPACE, keepdim=True, dtype=mean.dtype)
        along_normalised = (along_features - mean * along_one) * scale
        area = features.shape[2] * features.shape[3]
        of_share = ((along_normalised - along_features) * area).sum(dim=0, keepdim=True)
        slope = share * scale.square() * along_normalised
        constant = slope * mean - share * scale * along_one
        of_features = torch.addcmul(constant.to(features.dtype), features, -slope.to(features.dtype))
        _, gain = _affine(features, share, mean, scale)
        return of_features.addcmul_(gradient, gain), of_share


def image_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and 1 / standard deviation of each channel of each image, [B, C, 1, 1], in float32 at least: the
    squares of a large map do not fit into a float16."""
    batch, channels, height, width = features.shape
    wide = torch.promote_types(features.dtype, torch.float32)
    if torch.compiler.is_compiling():
        variance, mean = torch.var_mean(features.to(wide), SPACE, correction=0, keepdim=True)
        return mean, torch.rsqrt(variance + EPSILON)
    mean = features.mean(SPACE, keepdim=True, dtype=wide)
    centre = mean.to(features.dtype)
    rows = max(BAND // (batch * channels * width), 1) if features.device.type == "cpu" else height
    squares = [
        (band - centre).square_().sum(SPACE, keepdim=True, dtype=wide) for band in features.split(rows, dim=2)
    ]
    variance = torch.stack(squares).sum(dim=0) / (height * width)
    return mean, torch.rsqrt(variance + EPSILON)


def _affine(features: Tensor, share: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The map's offset and gain [B, C, 1, 1], of the type of `features`: F' = offset + gain · F."""
    offset, gain = -share * mean * scale, 1 + share * (scale - 1)
    return offset.to(features.dtype), gain.to(features.dtype)


def insert_style_removal(encoder: Encoder) -> None:
    """Put it into an encoder, at the ends of the stem and the first two stages.

    Raises UserError for an encoder without such places.
    """
    for place in encoder.style_places():
        place.insert(StyleRemoval(place.width, inplace=place.stage.inplace))
