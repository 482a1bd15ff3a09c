"""The supervised loss that every method shares. No torch here."""

from dataclasses import dataclass
from typing import Literal

from spn.core.ranges import Count, NotNegative, Share

Divergence = Literal["symmetric_kl", "js", "angle"]
"""What compares two predictions."""


@dataclass(frozen=True)
class LossOptions:
    """Cross-entropy of the decoder's and the auxiliary head's logits, the same for every method."""

    auxiliary_weight: NotNegative = 0.4
    """Weight of the auxiliary head's cross-entropy; 0: no auxiliary head."""
    label_stride: Count = 1
    """The cross-entropy takes one row and column in this many, from a random first one each step: 2 costs a
    quarter of the loss's time and memory and shifts nothing."""
    class_balance: Share = 0.0
    """Pixels of a class weigh as its share of the batch to the power of minus this: 0 all pixels alike, 1 all
    classes alike. Short trainings see rare classes sooner with 0.5."""
