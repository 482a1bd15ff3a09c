"""What a decoder predicts and the loss it brings: the seam between decoders and methods.

A method knows nothing of what the criterion compares. A decoder that classifies masks, for example, returns
its class and mask logits as `parts` and matches them in its criterion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from spn.core.classes import IGNORE
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

    def plus(self, name: str, term: Tensor, *, weight: float) -> Loss:
        """This loss with `weight` times a further term."""
        return Loss(self.total + weight * term, {**self.terms, name: term.detach()})


Criterion = Callable[..., Loss]
"""The loss of one kind of decoder, with the arguments of `pixel_criterion`; stateless: what learns or is
remembered lives in the network."""


def pixel_criterion(
    prediction: Prediction,
    labels: Tensor,
    *,
    covers: tuple[int, int],
    options: LossOptions,
    generator: torch.Generator | None,
) -> Loss:
    """Cross-entropy of per-pixel logits: the `Criterion` of the decoders that classify pixels.

    Args:
        prediction: of B images, by the network in training mode.
        labels: train ids [B, H, W]; 255 counts nowhere. Without any other the loss is 0, not NaN.
        covers: pixels that the grid of the logits spans from the labels' top left corner, at least (H, W).
        options: of the training's loss.
        generator: what is random comes from here; torch's global one if None.
    """
    stride, balance, offset = options.label_stride, options.class_balance, (0, 0)
    if stride > 1:  # on the host: one would have to wait for a GPU's generator
        on_host = generator if generator is not None and generator.device.type == "cpu" else None
        row, column = torch.randint(stride, (2,), generator=on_host).tolist()
        offset = (row, column)
    loss = sampled_cross_entropy(
        prediction.logits, labels, covers=covers, stride=stride, offset=offset, balance=balance
    )
    return Loss(loss, {"cross_entropy": loss.detach()})


def sampled_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    covers: tuple[int, int],
    stride: int = 1,
    offset: tuple[int, int] = (0, 0),
    balance: float = 0.0,
) -> Tensor:
    """Cross-entropy of coarse logits [B, C, h, w] on every `stride`-th pixel of labels [B, H, W].

    covers: as for `pixel_criterion`. offset: the first row and column taken, each below `stride`. The logits
    are interpolated bilinearly at exactly the pixels that are taken, so a stride above 1 costs less and
    shifts nothing. balance: as for `cross_entropy`.
    """
    height, width = labels.shape[-2:]
    top, left = min(offset[0], height - 1), min(offset[1], width - 1)
    rows = torch.arange(top, height, stride, device=logits.device)
    columns = torch.arange(left, width, stride, device=logits.device)
    sampled = logits_at(logits, rows, columns, covers=covers)
    return cross_entropy(sampled, labels[:, top::stride, left::stride], balance=balance)


def logits_at(logits: Tensor, rows: Tensor, columns: Tensor, *, covers: tuple[int, int]) -> Tensor:
    """Logits [B, C, h, w] that span `covers` pixels, bilinearly at these: [B, C, rows, columns]."""
    vertical, horizontal = (
        F.interpolate(torch.eye(size, device=logits.device)[None], size=target, mode="linear")[0].t()[places]
        for size, target, places in zip(logits.shape[-2:], covers, (rows, columns), strict=True)
    )
    with torch.autocast(logits.device.type, enabled=False):
        return vertical @ (logits.float().contiguous() @ horizontal.t())


def cross_entropy(logits: Tensor, labels: Tensor, *, balance: float = 0.0) -> Tensor:
    """Mean over the evaluated pixels of logits [B, C, H, W] against train ids [B, H, W] (255 left out).

    balance: exponent of `class_weights`. Without a single evaluated pixel it is 0 with zero gradients.
    """
    classes, weights = logits.shape[1], None
    evaluated = labels != IGNORE
    if balance:
        weights = class_weights(labels, classes=classes, balance=balance)
        evaluated = torch.where(evaluated, weights[labels.clamp(max=classes - 1)], 0.0)
    total = F.cross_entropy(logits.float(), labels, weights, ignore_index=IGNORE, reduction="sum")
    return total / evaluated.sum().clamp(min=1)


def class_weights(labels: Tensor, *, classes: int, balance: float) -> Tensor:
    """Weight [C] of each class: its share of the batch's evaluated pixels to the power of -`balance`.

    Classes rarer than one pixel in 10,000 weigh as if they had that many, so that a few never rule a step.
    """
    places = labels.clamp(max=classes).reshape(-1)  # unlike bincount and masks, no size that the data decide
    counts = labels.new_zeros(classes + 1).scatter_add(0, places, torch.ones_like(places))[:classes].float()
    share = (counts / counts.sum().clamp(min=1)).clamp(min=1e-4)
    return share.pow(-balance)
