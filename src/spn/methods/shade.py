"""SHADE: new styles from a basis of the training's own, and predictions that agree under them.

Zhao et al., "Style-hallucinated dual consistency learning for domain generalized semantic segmentation",
ECCV 2022. After the first stage, with style (μ, σ) of features x,

    x̃ = σ̃ · (x − μ) / σ + μ̃,   (μ̃, σ̃) = Σ_k w_k (μ_k, σ_k),   w ~ Dirichlet(1/K, …, 1/K)
    L = CE + 0.4 · CE_auxiliary (both over x and x̃) + 10 · JS(p(x), p(x̃))

The basis (μ_k, σ_k) is chosen by farthest point sampling: by the authors among the whole training set every
three epochs and after the stem, here in every step among the last 512 images
(spn.models.encoders.style_memory); K = 64 as theirs.
The paper's retrospection consistency, to features of a frozen ImageNet encoder, is left out: it needs
pretrained weights, without which it would tie the network to noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.losses.consistency import consistency
from spn.losses.options import LossOptions
from spn.methods.base import Batch, MethodLoss
from spn.methods.baseline import Baseline, supervised_loss
from spn.methods.feature_style import attach, numpy_stream, restyled, style
from spn.methods.options import SHADEOptions
from spn.models.encoders.style_memory import StyleMemory
from spn.models.network import NetworkOutput, SegmentationNetwork

LEVELS = (-4,)
"""Stride 4: the first stage."""
BASIS = 64


class SHADE(Baseline):
    def __init__(self, options: SHADEOptions, *, loss: LossOptions) -> None:
        super().__init__(options, loss=loss)
        self.settings = options
        self._generator: torch.Generator | None = None
        self._memory: StyleMemory | None = None

    def prepare(self, network: SegmentationNetwork) -> None:
        (self._memory,) = (module for module in network.modules() if isinstance(module, StyleMemory))
        attach(network, self._hallucinate, levels=LEVELS)

    def training_loss(
        self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None
    ) -> MethodLoss:
        """Every crop twice in one forward; the second half of the batch changes its style on the way."""
        self._generator = generator
        output: NetworkOutput = network(batch.images[:, 0].repeat(2, 1, 1, 1), upsample=False)
        loss = supervised_loss(output, batch.labels.repeat(2, 1, 1), loss=self.loss, generator=generator)
        own, hallucinated = output.logits.chunk(2)
        disagreement = consistency(own, hallucinated, divergence="js")
        total = loss.total + self.settings.weight * disagreement
        return MethodLoss(total, {**loss.terms, "style_consistency": disagreement.detach()})

    def _hallucinate(self, features: Tensor) -> Tensor:
        """Features [2B, C, h, w] → the first half as it is, the second in new styles."""
        assert self._memory is not None
        own, copy = features.chunk(2)
        self._memory.remember(torch.stack(style(own.detach()), dim=1).flatten(2))
        known = self._memory.known()
        basis = known[farthest_points(known.flatten(1), count=BASIS)]
        draws = numpy_stream(self._generator).dirichlet([1 / BASIS] * len(basis), len(own))
        weights = torch.from_numpy(draws).to(basis)
        mean, deviation = torch.einsum("bk,ksc->sbc", weights, basis)[..., None, None].to(features.dtype)
        return torch.cat([own, restyled(copy, mean=mean, deviation=deviation)])


def farthest_points(points: Tensor, *, count: int) -> Tensor:
    """Indices [min(count, n)] into points [n, D]: the one farthest from the mean, then always the one that is
    farthest from those chosen (Qi et al., "PointNet++", NeurIPS 2017).
    """
    chosen = [(points - points.mean(dim=0)).square().sum(dim=1).argmax(dim=0, keepdim=True)]
    distance = torch.full_like(points[:, 0], torch.inf)
    for _ in range(min(count, len(points)) - 1):
        distance = torch.minimum(distance, (points - points[chosen[-1]]).square().sum(dim=1))
        chosen.append(distance.argmax(dim=0, keepdim=True))
    return torch.cat(chosen)
