"""RandConv: images through a random convolution (Xu et al., "Robust and generalizable visual representation
learning via random convolutions", ICLR 2021), in the mixing form RC_mix.

    I ← α I + (1 − α) (I * Θ),   Θ ~ N(0, 1 / (3 k²)),   k ∈ {1, 3, 5, 7},   α ~ U(0, 1)

It keeps shapes and changes textures and colours. Half of the steps see the original images, as in the paper;
kernel and α are drawn once a step, and the images are centred at 0.5 for it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.methods.base import Baseline, Batch, Loss
from spn.methods.feature_style import happens
from spn.models.seeds import draw

PROBABILITY = 0.5
SIZES = (1, 3, 5, 7)


class RandConv(Baseline):
    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        if happens(PROBABILITY, generator=generator):
            convolved = random_convolution(batch.images[:, 0], generator=generator)
            batch = batch._replace(images=convolved[:, None])
        return super().training_loss(network, batch, generator=generator)


def random_convolution(images: Tensor, *, generator: torch.Generator | None) -> Tensor:
    """Images [B, 3, H, W] in 0..1 → the same mixed with their random convolution (values may leave 0..1)."""
    choice, share = draw(torch.rand, (2,), like=images, generator=generator).tolist()
    size = SIZES[int(choice * len(SIZES))]
    weights = draw(torch.randn, (3, 3, size, size), like=images, generator=generator)
    kernel, centred = weights / (3 * size * size) ** 0.5, images - 0.5
    padded = F.pad(centred, (size // 2,) * 4, mode="replicate")
    convolved = F.conv2d(padded, kernel.to(images.dtype))
    return 0.5 + share * centred + (1 - share) * convolved
