"""What a decoder predicts and the loss it brings: the seam between decoders and methods.

A method takes the criterion of the network's decoder and knows nothing of what it compares. A decoder that
classifies masks, for example, returns its class and mask logits as `parts` and matches them in its criterion.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from spn.losses.options import LossOptions


class Prediction(NamedTuple):
    """logits: [B, C, h, w] per pixel, on the decoder's grid; softmax over C gives probabilities.

    parts: what else the decoder's criterion reads, while training; each tensor [B, ...].
    """

    logits: Tensor
    parts: tuple[Tensor, ...] = ()


class Loss(NamedTuple):
    """total: the scalar to minimise. terms: its parts before weighting, detached, for the log."""

    total: Tensor
    terms: dict[str, Tensor]


class Criterion(Protocol):
    """The loss of one kind of decoder; stateless: what learns or is remembered lives in the network."""

    def __call__(
        self,
        prediction: Prediction,
        labels: Tensor,
        *,
        covers: tuple[int, int],
        options: LossOptions,
        generator: torch.Generator | None,
    ) -> Loss:
        """How far the prediction is from the ground truth.

        Args:
            prediction: of B images, by the network in training mode.
            labels: train ids [B, H, W]; 255 counts nowhere. Without any other the loss is 0, not NaN.
            covers: height and width in pixels that the grid of the logits spans from the labels' top left
                corner: H and W or more.
            options: the options of the training's loss.
            generator: what is random comes from here; torch's global one if None.
        """
        ...


def draw_offset(stride: int, *, generator: torch.Generator | None) -> tuple[int, int]:
    """A random first row and column for a loss on every `stride`-th pixel; (0, 0) for stride 1.

    Drawn on the host, with torch's global generator in place of a GPU's, for which one would have to wait.
    """
    if stride == 1:
        return (0, 0)
    on_host = generator if generator is not None and generator.device.type == "cpu" else None
    row, column = torch.randint(stride, (2,), generator=on_host).tolist()
    return (row, column)
