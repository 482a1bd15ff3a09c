"""The standard colour augmentation of view 0: colour jitter in random order, then blur."""

from __future__ import annotations

import numpy as np

from spn.transforms.config import BlurConfig, JitterConfig
from spn.transforms.photometric import (
    Image,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    blur,
)


def jitter(image: Image, config: JitterConfig, *, generator: np.random.Generator) -> Image:
    """Brightness, contrast, saturation and hue in random order, with the chance `config.probability`."""
    if generator.random() >= config.probability:
        return image
    factors = 1 + generator.uniform(-1, 1, 3) * (config.brightness, config.contrast, config.saturation)
    brightness, contrast, saturation = np.maximum(factors, 0.0)
    hue = generator.uniform(-config.hue, config.hue)
    for step in generator.permutation(4):
        if step == 0:
            image = adjust_brightness(image, brightness)
        elif step == 1:
            image = adjust_contrast(image, contrast)
        elif step == 2:
            image = adjust_saturation(image, saturation)
        elif config.hue > 0:
            image = adjust_hue(image, hue)
    return image


def random_blur(image: Image, config: BlurConfig, *, generator: np.random.Generator) -> Image:
    """Gaussian blur with sigma uniform in `config.sigma`, with the chance `config.probability`."""
    if generator.random() >= config.probability:
        return image
    return blur(image, generator.uniform(*config.sigma))
