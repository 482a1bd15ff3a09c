"""What the training transform does to a crop; the defaults are the usual GTAV recipe (docs/datasets.md).

A probability of 0 switches an augmentation off. Ranges are (smallest, largest).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.ranges import Count, NotNegative, Positive, Share


@dataclass(frozen=True)
class JitterConfig:
    """Brightness, contrast, saturation and hue in random order, as torchvision's ColorJitter."""

    probability: Share = 0.5
    """Chance that the jitter is applied at all."""
    brightness: NotNegative = 0.4
    """Factor drawn from 1 ± this."""
    contrast: NotNegative = 0.4
    """Factor drawn from 1 ± this."""
    saturation: NotNegative = 0.4
    """Factor drawn from 1 ± this."""
    hue: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    """Shift drawn from ± this, as a part of the colour circle (0 to 0.5)."""


@dataclass(frozen=True)
class BlurConfig:
    """Gaussian blur."""

    probability: Share = 0.5
    """Chance that the blur is applied."""
    sigma: tuple[float, float] = (0.15, 1.3)
    """Standard deviation in pixels of the crop."""


@dataclass(frozen=True)
class PerturbationConfig:
    """The stronger photometric perturbation of views 1, 2, … (ours; see pipeline.py)."""

    jitter: JitterConfig = JitterConfig(
        probability=0.8, brightness=0.5, contrast=0.5, saturation=0.6, hue=0.15
    )
    """Colour jitter, stronger than that of view 0."""
    gamma_probability: Share = 0.4
    """Chance of a tone curve v -> v**gamma."""
    gamma: tuple[float, float] = (0.6, 1.7)
    """Range of its exponent, drawn evenly on a log scale."""
    cast_probability: Share = 0.4
    """Chance of a colour cast: gain and offset per channel."""
    cast_gain: NotNegative = 0.25
    """Gain per channel drawn from 1 ± this."""
    cast_offset: NotNegative = 20.0
    """Offset per channel drawn from ± this (of 255)."""
    veil_probability: Share = 0.3
    """Chance of a bright veil that takes contrast away, as haze, glare or a wet lens does."""
    veil_strength: Share = 0.6
    """Largest opacity of the veil, 0 to 1."""
    spectrum_probability: Share = 0.3
    """Chance that Fourier amplitudes are scaled at random, high frequencies more (PASTA, ICCV 2023)."""
    spectrum_strength: NotNegative = 1.0
    """Largest strength of that; 1 is PASTA's own."""
    noise_probability: Share = 0.4
    """Chance of Gaussian noise, independent per pixel and channel."""
    noise_sigma: NotNegative = 12.0
    """Largest standard deviation of the noise (of 255)."""
    blur: BlurConfig = BlurConfig(probability=0.4, sigma=(0.15, 2.0))
    """Gaussian blur."""
    resample_probability: Share = 0.2
    """Chance of being shrunk and enlarged again, as a coarse sensor or a distant object is."""
    resample_factor: Share = 0.4
    """Smallest factor it is shrunk by, up to 1."""
    jpeg_probability: Share = 0.3
    """Chance of JPEG compression."""
    jpeg_quality: tuple[int, int] = (25, 85)
    """Range of the JPEG quality, 1 to 100."""


@dataclass(frozen=True)
class AugmentationConfig:
    """Geometry shared by all views of a crop, then colour for each view."""

    crop_height: Count = 768
    """Height of the training crop in pixels."""
    crop_width: Count = 768
    """Width of the training crop in pixels."""
    scale_min: Positive = 0.5
    """Smallest factor the image is resized by before the crop."""
    scale_max: Positive = 2.0
    """Largest factor the image is resized by before the crop."""
    flip: Share = 0.5
    """Chance of mirroring left and right."""
    jitter: JitterConfig = JitterConfig()
    """Colour jitter of view 0, the same for every method."""
    blur: BlurConfig = BlurConfig()
    """Blur of view 0."""
    perturbation: PerturbationConfig = PerturbationConfig()
    """The stronger colour augmentation of views 1, 2, …"""
    perturb_first: Share = 0.0
    """Chance that view 0 gets the strong perturbation as well, instead of its own jitter and blur."""

    def __post_init__(self) -> None:
        if self.scale_min > self.scale_max:
            raise UserError(
                f"the scale range is {self.scale_min} to {self.scale_max}; wanted the smaller first "
                "(augmentation.scale-min, augmentation.scale-max)"
            )
        for name, (low, high), least in (
            ("blur.sigma", self.blur.sigma, 0.01),
            ("perturbation.blur.sigma", self.perturbation.blur.sigma, 0.01),
            ("perturbation.gamma", self.perturbation.gamma, 0.01),
            ("perturbation.jpeg-quality", self.perturbation.jpeg_quality, 1),
        ):
            if not least <= low <= high:
                raise UserError(
                    f"augmentation.{name} is {low} {high}; wanted the smaller first, from {least} on"
                )

    def halved(self) -> AugmentationConfig:
        """The same views at half the size: crop and scale halved, colours as they are."""
        return replace(
            self,
            crop_height=max(self.crop_height // 2, 1),
            crop_width=max(self.crop_width // 2, 1),
            scale_min=self.scale_min / 2,
            scale_max=self.scale_max / 2,
        )
