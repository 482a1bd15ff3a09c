"""The training transform: one random window of a sample, seen through one or more colour augmentations.

All views share the geometry, so one label serves them. View 0 has the standard augmentation (colour jitter in
random order, then blur) and is the same for every method given the generator: it is drawn before the others.

Views 1, 2, … are perturbed strongly (ours, not the paper's), because the consistency term of SPN compares
what the network says of two views of one crop. They went through a "different camera on a different day":
tone curve, colour cast, loss of contrast, texture, focus, sensor noise, resolution, compression. Nothing here
is fitted to any target domain. Each step happens with its own chance, in the order in which light, lens,
sensor and codec act; so the expected number of steps is about three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spn.core.sample import Region, RegionSource
from spn.transforms import photometric
from spn.transforms.config import AugmentationConfig, BlurConfig, JitterConfig, PerturbationConfig
from spn.transforms.geometric import cut, draw_window
from spn.transforms.photometric import Image


@dataclass(frozen=True)
class TrainTransform:
    """Turns a sample into a training crop with `views` photometric views of it."""

    config: AugmentationConfig
    views: int = 1

    def __call__(
        self, sample: RegionSource, *, generator: np.random.Generator, centre: tuple[int, int] | None = None
    ) -> Region:
        """A crop drawn with `generator`; the pixel `centre` (x, y), in native pixels, lies inside it.

        Only the region that the crop shows is read from `sample`. Its image is uint8 [V, H, W, 3], one per
        view; its label uint8 [H, W], 255 where ignored or padded.
        """
        config = self.config
        size = (config.crop_height, config.crop_width)
        scale = (config.scale_min, config.scale_max)
        window = draw_window(
            sample.size, size, scale=scale, flip=config.flip, generator=generator, centre=centre
        )
        image, label = cut(sample, window=window, size=size)
        views = np.empty((self.views, *size, 3), np.uint8)
        for number in range(self.views):
            if number > 0 or generator.random() < config.perturb_first:
                views[number] = perturb(image, config.perturbation, generator=generator)
            else:
                jittered = _jitter(image, config.jitter, generator=generator)
                views[number] = _blur(jittered, config.blur, generator=generator)
        return Region(views, label)


def perturb(image: Image, config: PerturbationConfig, *, generator: np.random.Generator) -> Image:
    """A strongly perturbed copy of uint8 [H, W, 3]; the label stays valid."""
    uniform = generator.uniform
    if generator.random() < config.veil_probability:  # white to grey; strongest on top, below, or even
        top, bottom = uniform(0, config.veil_strength, 2)
        if generator.random() < 0.3:
            bottom = top
        colour = np.clip(uniform(150, 255) + uniform(-12, 12, 3), 0, 255)
        image = photometric.apply_veil(image, top=top, bottom=bottom, colour=colour)
    image = _jitter(image, config.jitter, generator=generator)
    if generator.random() < config.gamma_probability:
        image = photometric.apply_gamma(image, float(np.exp(uniform(*np.log(config.gamma)))))
    if generator.random() < config.cast_probability:
        gain = 1 + uniform(-config.cast_gain, config.cast_gain, 3)
        offset = uniform(-config.cast_offset, config.cast_offset, 3)
        image = photometric.mix_channels(image, np.diag(gain), offset)
    if generator.random() < config.spectrum_probability:
        strength = uniform(0, config.spectrum_strength)
        image = photometric.scale_amplitudes(
            image, alpha=3 * strength, beta=0.25 * strength, generator=generator
        )
    image = _blur(image, config.blur, generator=generator)
    if generator.random() < config.resample_probability:
        image = photometric.resample(image, uniform(config.resample_factor, 1.0))
    if generator.random() < config.noise_probability:
        image = photometric.add_noise(image, uniform(0, config.noise_sigma), generator=generator)
    if generator.random() < config.jpeg_probability:
        quality = int(generator.integers(*config.jpeg_quality, endpoint=True))
        image = photometric.compress_jpeg(image, quality)
    return image


def _jitter(image: Image, config: JitterConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.probability:
        return image
    factors = 1 + generator.uniform(-1, 1, 3) * (config.brightness, config.contrast, config.saturation)
    strengths = [*np.maximum(factors, 0.0), generator.uniform(-config.hue, config.hue)]
    for step in generator.permutation(4):
        if step < 3 or config.hue > 0:
            image = _JITTERS[step](image, strengths[step])
    return image


def _blur(image: Image, config: BlurConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.probability:
        return image
    return photometric.blur(image, generator.uniform(*config.sigma))


_JITTERS = (
    photometric.adjust_brightness,
    photometric.adjust_contrast,
    photometric.adjust_saturation,
    photometric.adjust_hue,
)
