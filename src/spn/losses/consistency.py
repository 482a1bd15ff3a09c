"""How much two predictions of the same pixels disagree: symmetric KL, Jensen-Shannon, squared angle."""

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spn.losses.options import Divergence

LARGEST_COSINE = 1 - 1e-7
"""Of two equal predictions: the slope of the arccos is infinite at 1."""


def symmetric_kl(first: Tensor, second: Tensor, *, stop_gradient: bool = False) -> Tensor:
    """½ KL(p ‖ q) + ½ KL(q ‖ p) per pixel, in nats: logits [B, C, H, W] twice → [B, H, W].

    stop_gradient: in each term the prediction compared with (the first argument of KL) is a fixed target.
    """
    log_p, log_q = (F.log_softmax(logits.float(), dim=1) for logits in (first, second))
    if not stop_gradient:
        return 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1)
    to_q = (log_p.detach().exp() * (log_p.detach() - log_q)).sum(dim=1)
    to_p = (log_q.detach().exp() * (log_q.detach() - log_p)).sum(dim=1)
    return 0.5 * (to_q + to_p)


def jensen_shannon(first: Tensor, second: Tensor, *, stop_gradient: bool = False) -> Tensor:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) with m = ½ (p + q), per pixel, in nats (0 to log 2).

    Logits [B, C, H, W] twice → [B, H, W]. stop_gradient: the mixture m is a fixed target.
    """
    log_p, log_q = (F.log_softmax(logits.float(), dim=1) for logits in (first, second))
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    log_m = log_m.detach() if stop_gradient else log_m
    return 0.5 * (log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)).sum(dim=1)


def squared_angle(first: Tensor, second: Tensor, *, stop_gradient: bool = False) -> Tensor:
    """arccos² of Σ √(p q) per pixel, 0 to (π/2)²: logits [B, C, H, W] twice → [B, H, W].

    The angle between √p and √q is the distance of the distributions on their own manifold (Rao, 1945), half
    of it. stop_gradient: the first prediction is a fixed target for the second.
    """
    log_p, log_q = (F.log_softmax(logits.float(), dim=1) for logits in (first, second))
    log_p = log_p.detach() if stop_gradient else log_p
    cosine = (0.5 * (log_p + log_q)).exp().sum(dim=1)
    return cosine.clamp(max=LARGEST_COSINE).arccos().square()


MEASURES: Final = {"symmetric_kl": symmetric_kl, "js": jensen_shannon, "angle": squared_angle}


def consistency(
    first: Tensor,
    second: Tensor,
    *,
    divergence: Divergence = "symmetric_kl",
    stop_gradient: bool = False,
    stride: int = 1,
) -> Tensor:
    """Mean disagreement of two logits [B, C, H, W]: a scalar in float32.

    stride: logits are averaged over blocks of stride x stride first.
    """
    stride = min(stride, *first.shape[-2:])
    if stride > 1:
        first, second = F.avg_pool2d(first, stride), F.avg_pool2d(second, stride)
    return MEASURES[divergence](first, second, stop_gradient=stop_gradient).mean()
