"""ISW: instance-selective whitening (Choi et al., "RobustNet", CVPR 2021).

    L = CE + 0.4 · CE_auxiliary + 0.6 · mean of L_ISW over three layers

For features normalised by instance, X [C, hw] of one image, and two views of each image,

    Σ = X Xᵀ / (hw − 1)
    σ² = ½ ((Σ₁ − μ)² + (Σ₂ − μ)²),  μ = ½ (Σ₁ + Σ₂),  V = mean of σ² over images
    L_ISW = mean over images of the mean of |Σ| over the sensitive elements

The strict upper triangle of V is split by k-means with k = 3; the elements outside the lowest cluster are
sensitive to style.

The stem and the first two stages end in instance normalisation. For the first tenth of the training, a
second photometric view of some crops passes through the network beside the first, only to measure which
covariances it changes; from then on the loss suppresses these. All that was measured is in the network's
buffers, and with several processes all of them use what the first one measured.

The paper measures once over the whole training set after its warm-up; here every step of it adds its pairs.
"""

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn

from spn.methods.base import Baseline, Batch, Loss, Teachers
from spn.methods.options import ISWOptions
from spn.models.encoders.style_parts import InstanceWhitening
from spn.models.network import NetworkOutput, SegmentationNetwork

START = (1 / 6, 1 / 2, 5 / 6)
"""Quantiles that k-means starts from."""


class ISW(Baseline):
    views = 2

    options: ISWOptions
    _whitens = False

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        self._normalised: list[Tensor] = []

        def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if module.training:
                self._normalised.append(output)

        self._layers = [layer for layer in network.modules() if isinstance(layer, InstanceWhitening)]
        for layer in self._layers:
            layer.register_forward_hook(record)

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        if not self._whitens and batch.progress >= self.options.start:
            self._whitens = self._choose_elements()
        self._normalised.clear()
        if self._whitens:
            loss = super().training_loss(network, batch, generator=generator)
            pairs = zip(self._layers, self._normalised, strict=True)
            penalties = [whitening_loss(covariance(features), layer.sensitive) for layer, features in pairs]
            loss = loss.plus("whitening", torch.stack(penalties).mean(), weight=self.options.weight)
        else:
            loss = self._measure(network, batch, generator)
        self._normalised.clear()
        return loss

    def _measure(self, network: nn.Module, batch: Batch, generator: torch.Generator | None) -> Loss:
        """The baseline's loss on the first views; the second views of the first crops are only measured."""
        size = len(batch.images)
        pairs = max(1, round(size * self.options.second_view_share))
        images = torch.cat([batch.images[:, 0], batch.images[:pairs, 1]])
        output: NetworkOutput = network(images, upsample=False)
        with torch.no_grad():
            for layer, features in zip(self._layers, self._normalised, strict=True):
                layer.variance += pair_variance(covariance(features[:pairs]), covariance(features[size:]))
                layer.steps += 1
        return self.supervised_loss(output.first(size), batch.labels, generator=generator)

    @torch.no_grad()
    def _choose_elements(self) -> bool:
        """Which covariances are suppressed from now on; False if none was measured yet.

        After a resume it chooses again, from the same measurements. DDP hands out those of the first process.
        """
        if int(self._layers[0].steps) == 0:
            return False
        for layer in self._layers:
            layer.sensitive.copy_(sensitive_elements(layer.variance / layer.steps))
        return True


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
    values = variance[upper].double().cpu().numpy()
    (lowest, second, _), _ = kmeans2(values, np.quantile(values, START), iter=100, minit="matrix")
    return upper & (variance > (lowest + second) / 2)


def whitening_loss(covariances: Tensor, sensitive: Tensor) -> Tensor:
    """Mean of |Σ| [B, C, C] over the images and the elements in `sensitive` [C, C] (0 if there is none)."""
    suppressed = (covariances.abs() * sensitive).sum(dim=(1, 2))
    return suppressed.mean() / sensitive.sum().clamp(min=1)
