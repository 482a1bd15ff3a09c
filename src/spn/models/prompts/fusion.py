"""The multi-scale fusion feature M: every level of the pyramid on one grid, in one set of channels.

    M = mix( Σ_l w_l · norm_l(P_l F_l) ),   w = softmax(learned logits)

P_l is a 1x1 projection to D channels, `mix` a depthwise 3x3 with a residual and a norm. A 1x1 projection and
a resize commute, so the levels are resized to the grid first, where projecting is cheap.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.models.encoders.protocol import Pyramid
from spn.models.resampling import resample


class MultiScaleFusion(nn.Module):
    """Pyramid levels → M [B, D, h, w] on the grid of the level `grid`.

    widths: channels of every level; levels: the indices that are fused.
    """

    def __init__(
        self, widths: tuple[int, ...], *, levels: tuple[int, ...], grid: int, prompt_width: int
    ) -> None:
        super().__init__()
        self.levels = levels
        self.grid = grid
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(widths[level], prompt_width, 1, bias=False), nn.BatchNorm2d(prompt_width))
            for level in levels
        )
        self.level_logits = nn.Parameter(torch.zeros(len(levels)))
        self.mix = nn.Conv2d(prompt_width, prompt_width, 3, padding=1, groups=prompt_width, bias=False)
        self.norm = nn.BatchNorm2d(prompt_width)

    def forward(self, pyramid: Pyramid) -> Tensor:
        size = (pyramid[self.grid].shape[-2], pyramid[self.grid].shape[-1])
        weights = torch.softmax(self.level_logits, dim=0)
        terms = [
            weight * projection(resample(pyramid[level], size))
            for level, projection, weight in zip(self.levels, self.projections, weights, strict=True)
        ]
        fused = torch.stack(terms).sum(dim=0)
        mixed: Tensor = self.norm(fused + self.mix(fused))
        return mixed
