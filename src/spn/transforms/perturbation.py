"""The strong photometric perturbation of views 1, 2, …: a second look at a crop (ours, not the paper's).

The consistency term of SPN compares what the network says of two views of one crop. The views share their
geometry; the second one went through a "different camera on a different day": tone curve, colour cast, loss
of contrast, texture, focus, sensor noise, resolution, compression. Nothing here is fitted to any target
domain. Each step happens with its own chance, in the order in which light, lens, sensor and codec act; so the
expected number of steps is about three.
"""

from __future__ import annotations

import numpy as np

from spn.transforms.config import PerturbationConfig
from spn.transforms.jitter import jitter, random_blur
from spn.transforms.photometric import (
    Image,
    add_noise,
    apply_cast,
    apply_gamma,
    apply_veil,
    compress_jpeg,
    resample,
    scale_amplitudes,
)


def perturb(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    """A strongly perturbed copy of uint8 [H, W, 3]; the label stays valid."""
    image = _random_veil(image, config, generator=generator)
    image = jitter(image, config.jitter, generator=generator)
    image = _random_gamma(image, config, generator=generator)
    image = _random_cast(image, config, generator=generator)
    image = _random_spectrum(image, config, generator=generator)
    image = random_blur(image, config.blur, generator=generator)
    image = _random_resample(image, config, generator=generator)
    image = _random_noise(image, config, generator=generator)
    return _random_jpeg(image, config, generator=generator)


def _random_veil(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    """White to grey, slightly tinted; strongest at the top, at the bottom, or even."""
    if generator.random() >= config.veil_probability:
        return image
    top, bottom = generator.uniform(0, config.veil_strength, 2)
    if generator.random() < 0.3:
        bottom = top
    colour = np.clip(generator.uniform(150, 255) + generator.uniform(-12, 12, 3), 0, 255)
    return apply_veil(image, top=top, bottom=bottom, colour=colour)


def _random_gamma(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.gamma_probability:
        return image
    return apply_gamma(image, float(np.exp(generator.uniform(*np.log(config.gamma)))))


def _random_cast(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.cast_probability:
        return image
    gain = 1 + generator.uniform(-config.cast_gain, config.cast_gain, 3)
    offset = generator.uniform(-config.cast_offset, config.cast_offset, 3)
    return apply_cast(image, gain=gain, offset=offset)


def _random_spectrum(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.spectrum_probability:
        return image
    strength = generator.uniform(0, config.spectrum_strength)
    return scale_amplitudes(image, alpha=3 * strength, beta=0.25 * strength, generator=generator)


def _random_resample(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.resample_probability:
        return image
    return resample(image, generator.uniform(config.resample_factor, 1.0))


def _random_noise(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.noise_probability:
        return image
    return add_noise(image, generator.uniform(0, config.noise_sigma), generator=generator)


def _random_jpeg(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.jpeg_probability:
        return image
    return compress_jpeg(image, int(generator.integers(*config.jpeg_quality, endpoint=True)))
