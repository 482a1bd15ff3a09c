"""Which method trains, and the weights of its losses."""

from __future__ import annotations

from dataclasses import dataclass

from spn.losses.divergence import Divergence


@dataclass(frozen=True)
class MethodConfig:
    """A weight of 0 switches its term off. The fields after `class_balance` belong to SPN or as named."""

    name: str = "spn"
    """baseline, spn, ibn, mixstyle, dsu, randconv, pasta, isw or shade (spn.methods.catalogue)."""
    auxiliary_weight: float = 0.4
    """Weight of the auxiliary head's cross-entropy."""
    label_stride: int = 1
    """The cross-entropy takes one row and column in this many, from a random first one each step: 2 costs a
    quarter of the loss's time and memory and shifts nothing."""
    class_balance: float = 0.0
    """Pixels of a class weigh as its share of the batch to the power of minus this: 0 all pixels alike, 1 all
    classes alike. Short trainings see rare classes sooner with 0.5."""
    views: int = 2
    """2: two photometric views of each crop, one random prompt each. 1: one view, two random prompts."""
    second_view_share: float = 0.25
    """With two views (SPN, ISW): the share of the crops (the first of the batch) that get the second one."""
    own_car_share: float = 0.5
    """SPN: share of the second views that show a random bonnet at their lower edge, unlabelled. Cameras in
    cars see their own, sources often show none."""
    consistency_weight: float = 0.5
    consistency_divergence: Divergence = "symmetric_kl"
    consistency_stop_gradient: bool = False
    consistency_stride: int = 1
    """Predictions are compared after averaging blocks of this many cells of the decoder's grid a side."""
    kl_weight: float = 0.001
    """Weight of the stochastic prompt's divergence from its prior."""
    whitening_start: int = 4000
    """ISW: steps (forward passes) that only measure which covariances follow the style; then the whitening
    loss acts."""
    whitening_weight: float = 0.6
    """ISW: weight of the whitening loss."""
    style_consistency_weight: float = 10.0
    """SHADE: weight of the divergence between predictions under an image's own and under a new style."""
