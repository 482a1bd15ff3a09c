"""TLDR: textures learned from style images, and kept near those of the pretrained encoder.

Kim, Kim and Kim, "Texture learning domain randomization for domain generalized segmentation", ICCV 2023. A
source image x is repainted as x̃ in the style of any image r. With the Gram matrices G_l = F_l F_lᵀ / (h w) of
the features F_l [C_l, h w] of stage l = 1..4, in the trained encoder (T) and its frozen pretrained copy (I),

    L   = ½ CE(x) + ½ CE(x̃) + (1 − τ) (L_TR + L_TG),    each CE with its auxiliary head's
    L_TR = Σ_{l ≤ 4} u_l ‖G_T(x) − G_I(x)‖ / C_l                        texture regularisation
    L_TG = Σ_{l ≤ 2} u_l ‖M_l ∘ (G_T(x̃) − G_T(r))‖ / C_l               texture generalisation
    M_l  = [G_T(x̃) − G_T(x) > 0.1]    only what the new style brought in (random style masking)

with u_l = 5 · 10^(−2−l), Frobenius norms, and τ the share of the training that is done.

From the paper and its authors' settings: all of the above. Ours: the repainting (they use a pretrained
photorealistic network, PhotoWCT; here colours are whitened and coloured, that is given r's mean and
covariance); norms per image, averaged (theirs are over the batch); x, x̃ and r in one forward, and so in
common BatchNorm statistics. Without pretrained weights L_TR would tie the network to noise and is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.core.ranges import NotNegative
from spn.methods.base import Batch, Loss, Retrospective
from spn.methods.options import METHODS, MethodOptions
from spn.models.network import NetworkOutput

STREAM = "style"
LAYER_WEIGHTS = (5e-3, 5e-4, 5e-5, 5e-6)
GENERALISED = 2
"""How many of the stages, from the first on, learn the styles' textures."""
EPSILON = 1e-5


@dataclass(frozen=True)
class TLDROptions(MethodOptions):
    """Texture learning with style images."""

    kind: Literal["tldr"] = "tldr"
    style_images: Path | None = None
    """A folder of style images, searched at all depths; the paper takes ImageNet's validation images."""
    regularisation_weight: NotNegative = 1.0
    """Weight of the distance to the pretrained encoder's textures."""
    generalisation_weight: NotNegative = 1.0
    """Weight of the distance to the style images' textures."""
    threshold: NotNegative = 0.1
    """How much an entry of the Gram matrix must grow under a new style to count as a part of it."""


@METHODS.register("tldr", options=TLDROptions, title="TLDR")
class TLDR(Retrospective):
    remembers = ("TLDR's texture regularisation", "regularisation_weight")
    options: TLDROptions

    def streams(self) -> Mapping[str, Path]:
        if self.options.style_images is None:
            raise UserError(
                "the method tldr repaints the training images in the style of others; wanted "
                "--method.style-images FOLDER, any folder of photographs or paintings (ImageNet's validation "
                "images in the paper)"
            )
        return {STREAM: self.options.style_images}

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        own, styles = batch.images[:, 0], batch.streams[STREAM]
        size = len(own)
        output: NetworkOutput = network(
            torch.cat([own, transfer_colours(own, styles), styles]), upsample=False
        )
        stages, known = self.take_stages(size)
        labels = batch.labels.repeat(2, 1, 1)
        loss = self.supervised_loss(output.first(2 * size), labels, generator=generator)
        own_grams, painted_grams, style_grams = zip(*(gram(f).chunk(3) for f in stages), strict=True)
        left = 1 - batch.progress
        if known is not None:
            term = texture_regularisation(own_grams, [gram(features) for features in known])
            loss = loss.plus("texture_regularisation", term, weight=left * self.options.regularisation_weight)
        if self.options.generalisation_weight > 0:
            term = texture_generalisation(
                own_grams, painted_grams, style_grams, threshold=self.options.threshold
            )
            loss = loss.plus("texture_generalisation", term, weight=left * self.options.generalisation_weight)
        return loss


def transfer_colours(images: Tensor, styles: Tensor) -> Tensor:
    """Images [B, 3, H, W] in 0..1 with the mean and covariance of the colours of `styles` [B, 3, h, w]."""
    own, wanted = images.float().flatten(2), styles.float().flatten(2)
    mean, wanted_mean = own.mean(dim=2, keepdim=True), wanted.mean(dim=2, keepdim=True)
    whiten = _covariance_power(own - mean, -0.5)
    colour = _covariance_power(wanted - wanted_mean, 0.5)
    painted = colour @ whiten @ (own - mean) + wanted_mean
    return painted.clamp(0, 1).view_as(images).to(images.dtype)


def gram(features: Tensor) -> Tensor:
    """Gram matrices [B, C, C] in float32 of features [B, C, h, w], per position."""
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().flatten(2)
        return flat @ flat.transpose(1, 2) / flat.shape[2]


def texture_regularisation(own: Sequence[Tensor], known: Sequence[Tensor]) -> Tensor:
    """L_TR of the Gram matrices [B, C, C] of each stage."""
    return _weighted([mine - theirs for mine, theirs in zip(own, known, strict=True)])


def texture_generalisation(
    own: Sequence[Tensor], painted: Sequence[Tensor], styles: Sequence[Tensor], *, threshold: float
) -> Tensor:
    """L_TG of the Gram matrices [B, C, C] of each stage: of images, of these repainted, of style images."""
    grams = list(zip(own, painted, styles, strict=True))[:GENERALISED]
    return _weighted([(after - style) * ((after - own) > threshold) for own, after, style in grams])


def _weighted(differences: Sequence[Tensor]) -> Tensor:
    """Frobenius norms of [B, C, C] by C, averaged over the images, weighted from the first stage on."""
    distances = [torch.linalg.matrix_norm(d).mean() / d.shape[-1] for d in differences]
    return torch.stack([w * d for w, d in zip(LAYER_WEIGHTS, distances, strict=False)]).sum()


def _covariance_power(centred: Tensor, exponent: float) -> Tensor:
    """[B, 3, N] → [B, 3, 3]; with a little of the identity, so that a grey image has an inverse."""
    identity = torch.eye(centred.shape[1], device=centred.device)
    covariance = centred @ centred.transpose(1, 2) / centred.shape[2] + EPSILON * identity
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.pow(exponent).unsqueeze(1) @ vectors.transpose(1, 2)
