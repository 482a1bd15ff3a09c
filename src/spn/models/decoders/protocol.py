"""What every decoder offers, so that encoders, prompts and methods need not know which one it is."""

from __future__ import annotations

from torch import nn

from spn.losses.criterion import Criterion
from spn.losses.segmentation import pixel_criterion


class Decoder(nn.Module):
    """Base of all decoders, with the loss of those that classify pixels.

    A new one sets `levels` and writes `forward(pyramid) -> Prediction`: logits on a grid that spans
    the image; in training mode also the parts that its `criterion` reads.
    """

    levels: tuple[int, ...]
    """Indices of the pyramid's levels that it reads, ascending; coarse views and prompts go into these."""
    criterion: Criterion = staticmethod(pixel_criterion)
    """The loss that trains it; stateless."""
