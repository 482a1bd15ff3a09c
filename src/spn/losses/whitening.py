"""Instance-selective whitening: which covariances follow the style, and a loss on these.

Choi et al., "RobustNet", CVPR 2021. For features normalised by instance, X [C, hw] of one image,

    Σ = X Xᵀ / (hw − 1)
    σ² = ½ ((Σ₁ − μ)² + (Σ₂ − μ)²),  μ = ½ (Σ₁ + Σ₂)      two views of one image; V = mean of σ² over images
    L = mean over images of the mean of |Σ| over the sensitive elements

The strict upper triangle of V is split by k-means with k = 3; the elements outside the lowest cluster are
sensitive to style.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CLUSTERS = 3
ITERATIONS = 100


def covariance(normalised: Tensor) -> Tensor:
    """Σ [B, C, C] in float32 of features [B, C, h, w] whose channels have mean 0 in each image."""
    with torch.autocast(normalised.device.type, enabled=False):
        flat = normalised.float().flatten(2)
        return flat @ flat.transpose(1, 2) / max(1, flat.shape[-1] - 1)


def pair_variance(first: Tensor, second: Tensor) -> Tensor:
    """σ² [C, C], averaged over the images, of the covariances [B, C, C] of their first and second views."""
    return ((first - second) / 2).square().mean(dim=0)


def sensitive_elements(variance: Tensor) -> Tensor:
    """Where V [C, C] is above the lowest of its clusters: bool [C, C], True in the strict upper triangle."""
    upper = torch.ones_like(variance, dtype=torch.bool).triu(diagonal=1)
    centres = cluster_centres(variance[upper], clusters=CLUSTERS)
    return upper & (variance > (centres[0] + centres[1]) / 2)


def cluster_centres(values: Tensor, *, clusters: int) -> Tensor:
    """Centres [clusters], ascending, of k-means on values [n]: Lloyd's iteration from even quantiles."""
    ordered = values.double().sort().values
    sums = F.pad(ordered.cumsum(0), (1, 0))
    quantiles = (torch.arange(clusters, device=values.device) + 0.5) / clusters
    centres = ordered[(quantiles * len(ordered)).long()]
    for _ in range(ITERATIONS):
        borders = torch.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        edges = F.pad(F.pad(borders, (1, 0)), (0, 1), value=len(ordered))
        counts = edges.diff()
        centres = torch.where(counts > 0, sums[edges].diff() / counts.clamp(min=1), centres)
    return centres.to(values.dtype)


def whitening_loss(covariances: Tensor, sensitive: Tensor) -> Tensor:
    """Mean of |Σ| [B, C, C] over the images and the elements in `sensitive` [C, C] (0 if there is none)."""
    suppressed = (covariances.abs() * sensitive).sum(dim=(1, 2))
    return suppressed.mean() / sensitive.sum().clamp(min=1)
