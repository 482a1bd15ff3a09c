"""MRFP: features perturbed at several resolutions, in style and in texture, while training only.

Udupa et al., "MRFP: learning generalizable semantic segmentation from sim-2-real with multi-resolution
feature perturbation", CVPR 2024. With features F, μ their mean over the image (per image and channel) and Δ
the spread of μ over the batch (per channel), after the stem and after the first stage (the paper's NP+, on
Fan et al., "Towards robust object detection invariant to real-world domain shifts", ICLR 2023):

    F ← s (F − μ) + t μ,    s ~ N(1, 0.75²),    t = 1 + ε · 1.5 Δ / max Δ,    ε ~ N(0, 0.75²)

and after the stem (HRFP):

    F ← F + R(F),    R(F) = shrink(U) * Θ₃,    U = ReLU(ReLU(enlarge(F) * Θ₁) * Θ₂)

R is a convolutional autoencoder that is never trained: it goes up to half the image's resolution, where it
smears fine structure anew each time, and comes back. MRFP+ adds U to the decoder's last features too, with as
many channels as these. Each happens with chance ½; nothing has parameters or is left at inference.

Ours: the stem is all that comes before the first stage, as the encoder states it, and the pooling; R's depth
and its Θ ~ N(0, 2/(9C)), which keep the size of what they get (He et al., ICCV 2015); Θ is drawn whenever R
acts. Theirs is drawn in half of the steps and kept in the others, so that a resumed training would have to
save it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.methods.base import Baseline, Teachers
from spn.methods.feature_style import attach, happens, normal_like
from spn.methods.options import METHODS
from spn.models.network import SegmentationNetwork
from spn.models.resampling import resize

PROBABILITY = 0.5
SCALE_DEVIATION = 0.75
SPREAD_FACTOR = 1.5
FIRST_STAGE = -4
WIDEST_STRIDE = 2
"""Pixels of the image to a cell of R's widest map."""


class RandomPrompt:
    """Perturbs what a network in training computes; random by the generator of its method's step.

    reaches_decoder: whether U is added to the decoder's last features as well (MRFP+). Frozen stages, which
    stay in evaluation, are perturbed too.
    """

    _grid: tuple[int, int] | None = None
    """Of U, for the images that the encoder works on; None while it is not in training."""
    _width: int | None = None
    _widest: Tensor | None = None
    """U, on its way to the decoder."""

    def __init__(self, method: Baseline, network: SegmentationNetwork, *, reaches_decoder: bool) -> None:
        self.method, self.reaches_decoder = method, reaches_decoder
        network.encoder.backbone.register_forward_pre_hook(self._before_encoder)
        attach(network, self._after_first_stage, levels=(FIRST_STAGE,))
        encoder = network.encoder.backbone
        if (first := encoder.outline[1].begin) is None:
            raise UserError(
                "MRFP perturbs what the first stage of the encoder gets; wanted one in which a single module "
                f"gets that: {type(encoder).__name__} has several that read the same, or no convolution there"
            )
        encoder.get_submodule(first).register_forward_pre_hook(self._before_first_stage)
        if reaches_decoder:
            classifier = network.decoder.get_submodule("classifier")
            self._width = int(classifier.get_parameter("weight").shape[1])
            classifier.register_forward_pre_hook(self._before_classifier)

    def _happens(self) -> bool:
        return happens(PROBABILITY, generator=self.method.generator)

    def _before_encoder(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows, columns = (-(-side // WIDEST_STRIDE) for side in inputs[0].shape[-2:])
        self._grid = (rows, columns) if module.training else None

    def _before_first_stage(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return None if self._grid is None else (self._after_stem(inputs[0], self._grid),)

    def _after_stem(self, features: Tensor, grid: tuple[int, int]) -> Tensor:
        self._widest = None
        if self._happens():
            features = perturb_style(features, generator=self.method.generator)
        inside, beyond = self._happens(), self.reaches_decoder and self._happens()
        if not inside and not beyond:
            return features
        width, generator = self._width or features.shape[1], self.method.generator
        residual, widest = random_texture(features, grid=grid, width=width, generator=generator)
        self._widest = widest if beyond else None
        return features + residual if inside else features

    def _after_first_stage(self, features: Tensor) -> Tensor:
        return perturb_style(features, generator=self.method.generator) if self._happens() else features

    def _before_classifier(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not module.training or self._widest is None:
            return None
        widest, self._widest = self._widest, None
        (features,) = inputs
        return (features + resize(widest, (features.shape[-2], features.shape[-1])),)


@METHODS.register("mrfp", title="MRFP")
class MRFP(Baseline):
    """Features perturbed at several resolutions."""

    reaches_decoder = False

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        self.random_prompt = RandomPrompt(self, network, reaches_decoder=self.reaches_decoder)


@METHODS.register("mrfp_plus", title="MRFP+")
class MRFPPlus(MRFP):
    """Features perturbed at several resolutions, up to the decoder's last."""

    reaches_decoder = True


def perturb_style(features: Tensor, *, generator: torch.Generator | None) -> Tensor:
    """Features [B, C, h, w] with other means and spreads; without a batch to compare, t = 1."""
    mean = features.mean(dim=(2, 3), keepdim=True)
    spread = mean.std(dim=0, unbiased=False, keepdim=True)
    relative = spread / spread.amax().clamp(min=torch.finfo(spread.dtype).tiny)
    scale = 1 + SCALE_DEVIATION * normal_like(mean, generator=generator)
    shift = 1 + SCALE_DEVIATION * normal_like(mean, generator=generator) * SPREAD_FACTOR * relative
    return scale * (features - mean) + shift * mean


def random_texture(
    features: Tensor, *, grid: tuple[int, int], width: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """R(F), with new weights, of features F [B, C, h, w], and its widest map U [B, width, *grid]."""
    channels, own_grid = features.shape[1], (features.shape[-2], features.shape[-1])
    inner = F.relu(_random_convolution(resize(features, grid), channels, gain=2, generator=generator))
    widest = F.relu(_random_convolution(inner, width, gain=2, generator=generator))
    return _random_convolution(resize(widest, own_grid), channels, gain=1, generator=generator), widest


def _random_convolution(
    features: Tensor, width: int, *, gain: float, generator: torch.Generator | None
) -> Tensor:
    """A 3x3 convolution with weights N(0, gain / (9 C)): [B, C, h, w] → [B, width, h, w]."""
    like = features.new_empty(width, features.shape[1], 3, 3)
    deviation = (gain / like[0].numel()) ** 0.5
    return F.conv2d(features, deviation * normal_like(like, generator=generator), padding=1)
