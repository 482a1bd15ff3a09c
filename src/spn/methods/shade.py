"""SHADE: new styles from a basis of the training's own, and predictions that agree under them.

Zhao et al., "Style-hallucinated dual consistency learning for domain generalized semantic segmentation",
ECCV 2022. After the first stage, with style (μ, σ) of features x,

    x̃ = σ̃ · (x − μ) / σ + μ̃,   (μ̃, σ̃) = Σ_k w_k (μ_k, σ_k),   w ~ Dirichlet(1/K, …, 1/K)
    L = CE + 0.4 · CE_auxiliary (both over x and x̃) + 10 · JS(p(x), p(x̃)) + L_RC
    L_RC = mean over cells of ‖F₄ − I₄‖₂, of x and of x̃

L_RC is the retrospection consistency: F₄ are features of the last stage, I₄ those that the frozen pretrained
encoder has of x, and the cells are those that a thing (a traffic light or sign, a person, a vehicle) fills by
three quarters, as in Hoyer et al., "DAFormer", CVPR 2022. Without pretrained weights it would tie the
network to noise and is left out.

The basis (μ_k, σ_k) is chosen by farthest point sampling: by the authors among the whole training set every
three epochs and after the stem, here in every step among the last 512 images
(spn.models.encoders.style_parts); K = 64 as theirs.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.losses.consistency import consistency
from spn.methods.base import Batch, Loss, Retrospective, Teachers
from spn.methods.feature_style import attach, numpy_stream, restyled, style
from spn.methods.options import SHADEOptions
from spn.models.encoders.style_parts import StyleMemory
from spn.models.network import NetworkOutput, SegmentationNetwork

LEVELS = (-4,)
"""Stride 4: the first stage."""
BASIS = 64
THING_SHARE = 0.75


class SHADE(Retrospective):
    remembers = ("SHADE's retrospection consistency", "retrospection_weight")
    options: SHADEOptions
    _memory: StyleMemory

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        if self.teacher is not None and not self.classes.things:
            raise UserError(
                "SHADE's retrospection consistency looks at things, and no class is one: name them "
                'in the dataset\'s TOML, as things = ["car"], or write --method.retrospection-weight 0'
            )
        (self._memory,) = (module for module in network.modules() if isinstance(module, StyleMemory))
        attach(network, self._hallucinate, levels=LEVELS)

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        """Every crop twice in one forward; the second half of the batch changes its style on the way."""
        self.generator = generator
        output: NetworkOutput = network(batch.images[:, 0].repeat(2, 1, 1, 1), upsample=False)
        loss = self.supervised_loss(output, batch.labels.repeat(2, 1, 1), generator=generator)
        own, hallucinated = output.logits.chunk(2)
        disagreement = consistency(own, hallucinated, divergence="js")
        loss = loss.plus("style_consistency", disagreement, weight=self.options.weight)
        stages, known = self.take_stages(len(batch.images))
        if known is not None:
            labels = padded_labels(batch.labels, output.covers).repeat(2, 1, 1)
            known_twice = known[-1].repeat(2, 1, 1, 1)
            distance = retrospection(stages[-1], known_twice, labels, things=self.classes.things)
            loss = loss.plus("retrospection", distance, weight=self.options.retrospection_weight)
        return loss

    def _hallucinate(self, features: Tensor) -> Tensor:
        """Features [2B, C, h, w] → the first half as it is, the second in new styles."""
        own, copy = features.chunk(2)
        self._memory.remember(torch.stack(style(own.detach()), dim=1).flatten(2))
        known = self._memory.known()
        basis = known[farthest_points(known.flatten(1), count=BASIS)]
        draws = numpy_stream(self.generator).dirichlet([1 / BASIS] * len(basis), len(own))
        weights = torch.from_numpy(draws).to(basis)
        mean, deviation = torch.einsum("bk,ksc->sbc", weights, basis)[..., None, None].to(features.dtype)
        return torch.cat([own, restyled(copy, mean=mean, deviation=deviation)])


def retrospection(features: Tensor, known: Tensor, labels: Tensor, *, things: Sequence[int]) -> Tensor:
    """Mean distance of features [B, C, h, w] twice over the cells that things fill; 0 where there are none.

    labels: [B, H, W], of the area that the features cover. things: their classes.
    """
    seen = torch.stack([labels == thing for thing in things], dim=1).float()
    shares = F.adaptive_avg_pool2d(seen, (features.shape[-2], features.shape[-1]))
    filled = shares.amax(dim=1) >= THING_SHARE
    distance = torch.linalg.vector_norm(features.float() - known.float(), dim=1)
    return (distance * filled).sum() / filled.sum().clamp(min=1)


def padded_labels(labels: Tensor, covers: tuple[int, int]) -> Tensor:
    """Labels [B, H, W] up to the area that the network's grids cover; nothing is known of what was added."""
    bottom, right = covers[0] - labels.shape[1], covers[1] - labels.shape[2]
    return F.pad(labels, (0, right, 0, bottom), value=IGNORE)


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
