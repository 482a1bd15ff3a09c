"""The ego vehicle at the lower edge of an image, drawn at random: a bonnet that mirrors the street.

Datasets that were recorded from a car show it (Cityscapes in nearly every image) and leave it unlabelled; a
simulator or a game often shows none. A network that never saw a bonnet takes it for one more car, which then
grows over the road before it, the more so the less it looks at styles. Ours; near to random erasing (Zhong et
al., AAAI 2020), but at one place, like a car, and unlabelled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spn.core.classes import IGNORE
from spn.models.seeds import draw

HEIGHT = (0.03, 0.25)
"""How far up the bonnet reaches at its highest point, in heights of the image."""
CENTRE = (0.3, 0.7)
"""Where that point is, in widths of the image."""
SAG = (0.0, 0.12)
"""How much lower the bonnet is half a width beside that point, in heights of the image."""
BEND = (2.0, 4.0)
"""It sags with the distance from that point to the power of this."""
REFLECTION = (0.0, 0.5)
"""Share of the mirrored street in what the bonnet shows; the rest is paint."""


def with_ego_vehicle(
    images: Tensor, labels: Tensor, *, probability: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Images [B, 3, H, W] in 0..1 and labels [B, H, W] → the same, each with a bonnet with this probability.

    Where a bonnet hides the street the label is 255.
    """
    batch, _, height, width = images.shape
    drawn = draw(torch.rand, (13, batch, 1, 1), like=images, generator=generator)
    shown = drawn[0] < probability
    top, centre, sag, bend, reflection = (
        low + (high - low) * share
        for share, (low, high) in zip(drawn[1:6], (HEIGHT, CENTRE, SAG, BEND, REFLECTION), strict=True)
    )
    rows = torch.arange(height, device=images.device).view(1, height, 1) + 0.5
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    edge = height * (1 - top + sag * (2 * (columns - centre)).abs().pow(bend))
    hidden = (rows > edge) & shown
    mirrored = (2 * edge - rows).clamp(0, height - 1).long()
    street = images.gather(2, mirrored[:, None].expand(-1, 3, -1, -1))
    paint = _paint(drawn[6:], depth=((rows - edge) / (height - edge).clamp_min(1)).clamp(0, 1))
    bonnet = torch.lerp(paint.to(images.dtype), street, reflection[:, None].to(images.dtype))
    return torch.where(hidden[:, None], bonnet, images), labels.masked_fill(hidden, IGNORE)


def _paint(drawn: Tensor, *, depth: Tensor) -> Tensor:
    """[B, 3, H, W] in 0..1: a tone with a slight tint, shaded with depth, and a glint along the far edge.

    drawn: seven numbers an image, [7, B, 1, 1]. depth: [B, H, W], 0 at the far edge, 1 at the near one.
    """
    tone, tint, slope, glint, fall = drawn[0], 0.7 + 0.3 * drawn[1:4], drawn[4], drawn[5], drawn[6]
    shade = 1 + (slope - 0.5) * depth + (glint - 0.3) * torch.exp(-6 * fall * depth)
    return ((tone * tint).transpose(0, 1) * shade[:, None]).clamp(0, 1)
