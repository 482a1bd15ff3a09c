"""Bilinear enlarging in bands of rows: all maps of a photo at its full size never stand in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from spn.inference.scores import label_map
from spn.models.resampling import resize


class Band(NamedTuple):
    """Rows top..bottom (exclusive) of the result, as maps [B, C, bottom - top, w] of their first width."""

    top: int
    bottom: int
    maps: Tensor

    def widened(self, width: int) -> Tensor:
        """[B, C, bottom - top, width]."""
        return resize(self.maps, (self.bottom - self.top, width))

    def labels(self, width: int) -> tuple[Tensor, Tensor]:
        """Of maps of probabilities, the largest: which, uint8 [B, bottom - top, width], and how large.

        Between two pixels one map always keeps half of the smaller of their maxima, so maps that stay below
        that in the whole band win nowhere and are not widened: a third of the work on streets.
        Raises UserError where they are not numbers.
        """
        highest = self.maps.amax(dim=(0, 2, 3))
        beaten = highest < 0.5 * self.maps.amax(dim=1).min()  # false for what is not a number
        contenders = torch.nonzero(~beaten)[:, 0]
        scores = Band(self.top, self.bottom, self.maps[:, contenders]).widened(width)
        return contenders.to(torch.uint8)[label_map(scores).long()], scores.amax(dim=1)


def resized_bands(maps: Tensor, height: int, *, rows: int = 64) -> Iterator[Band]:
    """Maps [B, C, h, w] resized to `height`, band by band; with `widened` equal to F.interpolate's bilinear
    without aligned corners.

    Bands that fit into a processor's cache are also faster than the whole: what reads them finds them there.
    """
    if maps.shape[-2] == height:
        for top in range(0, height, rows):
            yield Band(top, min(top + rows, height), maps[:, :, top : top + rows])
        return
    step = maps.shape[-2] / height
    place = ((torch.arange(height, device=maps.device) + 0.5) * step - 0.5).clamp_(0, maps.shape[-2] - 1)
    above = place.long()
    below = (above + 1).clamp_(max=maps.shape[-2] - 1)
    share = (place - above).to(maps.dtype)[:, None]
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        yield Band(
            part.start, part.stop, torch.lerp(maps[:, :, above[part]], maps[:, :, below[part]], share[part])
        )
