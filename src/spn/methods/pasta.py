"""PASTA: the image's Fourier amplitudes perturbed, the more the higher the frequency.

Chattopadhyay et al., "PASTA: proportional amplitude spectrum training augmentation for syn-to-real domain
generalization", ICCV 2023. With f the distance from the zero frequency over the largest one,

    A ← |ε| A,   ε ~ N(1, s²),   s = (α f)^k + β,   α = 3, k = 2, β = 0.25

for every image, channel and frequency; the phase, and with it where things are, stays. ε is the mean of the
draws for a frequency and its mirror, which is what remains of independent ones in a real image; its absolute
value keeps the phase where s is above 1. Every image of every step is perturbed, then cut to 0..1.
"""

import torch
from torch import Tensor, nn

from spn.methods.base import Baseline, Batch, Loss
from spn.methods.feature_style import normal_like

ALPHA = 3.0
EXPONENT = 2.0
BETA = 0.25


class PASTA(Baseline):
    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        images = perturb_amplitudes(batch.images[:, 0], generator=generator).clamp(0, 1)
        return super().training_loss(network, batch._replace(images=images[:, None]), generator=generator)


def perturb_amplitudes(
    images: Tensor, *, generator: torch.Generator | None, alpha: float = ALPHA, beta: float = BETA
) -> Tensor:
    """Images [B, 3, H, W] with other amplitudes; values may leave 0..1. beta = 0 keeps each image's mean."""
    images = images.float()
    noise = normal_like(images, generator=generator)
    mirrored = noise.flip((-2, -1)).roll((1, 1), dims=(-2, -1))
    spread = perturbation(images.shape[-2], images.shape[-1], alpha=alpha, beta=beta).to(images)
    factor = (1 + spread * (noise + mirrored) / 2).abs()
    return torch.fft.ifft2(torch.fft.fft2(images) * factor).real


def perturbation(height: int, width: int, *, alpha: float, beta: float) -> Tensor:
    """s [H, W] of each frequency, in the order of torch.fft."""
    rows = torch.fft.fftfreq(height) * height
    columns = torch.fft.fftfreq(width) * width
    distance = torch.hypot(rows[:, None], columns)
    return (alpha * distance / distance.amax().clamp(min=1)) ** EXPONENT + beta
