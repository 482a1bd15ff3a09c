"""Tokens of a plain vision transformer as a pyramid: norm, projection, resize; one block for each level.

A simple feature pyramid in the manner of ViTDet (Li et al., ECCV 2022), except that the levels come from four
depths, as Rein (Wei et al., CVPR 2024) reads them, and that resizing is bilinear, without deconvolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from spn.models.encoders.protocol import Pyramid
from spn.models.resampling import resample


class TokenPyramid(nn.Module):
    """Patch tokens [B, h · w, C] of several depths → levels [B, level_width, H / stride, W / stride]."""

    def __init__(self, width: int, *, level_width: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        self.widths = (level_width,) * len(strides)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, level_width)) for _ in strides
        )

    def forward(self, tokens: Sequence[Tensor], *, grid: tuple[int, int], size: tuple[int, int]) -> Pyramid:
        """grid: rows and columns of the tokens. size: height and width of the image in pixels."""
        pyramid = []
        for depth, level, stride in zip(tokens, self.levels, self.strides, strict=True):
            features = level(depth).transpose(1, 2).unflatten(2, grid)
            pyramid.append(resample(features, (-(-size[0] // stride), -(-size[1] // stride))))
        return pyramid
