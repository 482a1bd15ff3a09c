"""Per-pixel cross-entropy that leaves out pixels without ground truth."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from spn.core.classes import IGNORE


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the evaluated pixels of logits [B, C, H, W] against train ids [B, H, W] (255 left out).

    A scalar in float32. Without a single evaluated pixel it is 0 with zero gradients, not NaN.
    Raises ValueError when the sizes differ.
    """
    if logits.shape[-2:] != labels.shape[-2:] or logits.shape[0] != labels.shape[0]:
        raise ValueError(
            f"logits {tuple(logits.shape)} do not cover labels {tuple(labels.shape)}; wanted [B, C, H, W] "
            "and [B, H, W]"
        )
    evaluated = (labels != IGNORE).sum().clamp(min=1)
    total = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE, reduction="sum")
    return total / evaluated


def sampled_cross_entropy(logits: Tensor, labels: Tensor, *, stride: int = 4) -> Tensor:
    """Cross-entropy on every `stride`-th pixel of labels [B, H, W], for logits [B, C, h, w] of any grid.

    For the auxiliary head: its logits are coarse, so comparing them at every pixel costs much, tells little.
    """
    sampled = labels[:, stride // 2 :: stride, stride // 2 :: stride]
    if sampled.numel() == 0:
        sampled = labels
    resized = F.interpolate(logits, size=sampled.shape[-2:], mode="bilinear", align_corners=False)
    return cross_entropy(resized, sampled)
