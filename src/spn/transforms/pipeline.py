"""The training transform: one random window of a sample, seen through one or more colour augmentations.

All views share the geometry, so one label serves them. View 0 has the standard augmentation (colour jitter in
random order, then blur) and is the same for every method given the generator: it is drawn before the others.

Views 1, 2, … are perturbed strongly (ours, not the paper's), because the consistency term of SPN compares
what the network says of two views of one crop. They went through a "different camera on a different day":
tone curve, colour cast, loss of contrast, texture, focus, sensor noise, resolution, compression. Nothing here
is fitted to any target domain. Each step happens with its own chance, in the order in which light, lens,
sensor and codec act; so the expected number of steps is about three.

The steps are functions of uint8 [H, W, 3] RGB and a strength. Those of the jitter follow torchvision's of the
same names, one after the other with clipping to 0..255 between them, to rounding. Each is one OpenCV pass,
most of them a 3x4 colour matrix: 0.3 to 1.5 ms at 768x768 on one core.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from spn.core.sample import Region, RegionSource
from spn.transforms.config import AugmentationConfig, BlurConfig, JitterConfig, PerturbationConfig
from spn.transforms.geometric import cut, draw_window, resized

Image = NDArray[np.uint8]
_LUMA = (0.2989, 0.587, 0.114)
"""ITU-R 601 weights of red, green and blue, as torchvision rounds them."""


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
        size, scale = (config.crop_height, config.crop_width), (config.scale_min, config.scale_max)
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
        image = apply_veil(image, top=top, bottom=bottom, colour=colour)
    image = _jitter(image, config.jitter, generator=generator)
    if generator.random() < config.gamma_probability:
        image = apply_gamma(image, float(np.exp(uniform(*np.log(config.gamma)))))
    if generator.random() < config.cast_probability:
        gain = 1 + uniform(-config.cast_gain, config.cast_gain, 3)
        offset = uniform(-config.cast_offset, config.cast_offset, 3)
        image = mix_channels(image, np.diag(gain), offset)
    if generator.random() < config.spectrum_probability:
        strength = uniform(0, config.spectrum_strength)
        image = scale_amplitudes(image, alpha=3 * strength, beta=0.25 * strength, generator=generator)
    image = _blur(image, config.blur, generator=generator)
    if generator.random() < config.resample_probability:
        image = resample(image, uniform(config.resample_factor, 1.0))
    if generator.random() < config.noise_probability:
        image = add_noise(image, uniform(0, config.noise_sigma), generator=generator)
    if generator.random() < config.jpeg_probability:
        quality = int(generator.integers(*config.jpeg_quality, endpoint=True))
        image = compress_jpeg(image, quality)
    return image


def _jitter(image: Image, config: JitterConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.probability:
        return image
    factors = 1 + generator.uniform(-1, 1, 3) * (config.brightness, config.contrast, config.saturation)
    strengths = [*np.maximum(factors, 0.0), generator.uniform(-config.hue, config.hue)]
    jitters = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
    for step in generator.permutation(4):
        if step < 3 or config.hue > 0:
            image = jitters[step](image, strengths[step])
    return image


def _blur(image: Image, config: BlurConfig, *, generator: np.random.Generator) -> Image:
    if generator.random() >= config.probability:
        return image
    return blur(image, generator.uniform(*config.sigma))


def adjust_brightness(image: Image, factor: float) -> Image:
    """v -> factor * v."""
    return mix_channels(image, factor * np.eye(3))


def adjust_contrast(image: Image, factor: float) -> Image:
    """Away from (factor > 1) or towards the image's mean grey."""
    grey = float(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0])
    return mix_channels(image, factor * np.eye(3), (1 - factor) * grey)


def adjust_saturation(image: Image, factor: float) -> Image:
    """Away from (factor > 1) or towards each pixel's grey; 0 gives a grey image."""
    return mix_channels(image, factor * np.eye(3) + (1 - factor) * np.tile(_LUMA, (3, 1)))


def adjust_hue(image: Image, shift: float) -> Image:
    """Turn the colour circle by `shift` turns (-0.5 to 0.5), at 256 steps a turn."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    turned = cv2.add(hsv[..., 0], 0)
    np.add(turned, np.uint8(round(shift * 256) % 256), out=turned)  # wraps round, as the circle does
    return cv2.cvtColor(cv2.merge([turned, hsv[..., 1], hsv[..., 2]]), cv2.COLOR_HSV2RGB_FULL)


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur; `sigma` in pixels. Below 0.2 nothing changes visibly and the image is returned as is."""
    if sigma < 0.2:
        return image
    reach = 2 * round(3 * sigma) + 1
    return cv2.GaussianBlur(image, (reach, reach), sigma, borderType=cv2.BORDER_REFLECT_101)


def apply_gamma(image: Image, gamma: float) -> Image:
    """Tone curve v -> 255 * (v / 255) ** gamma."""
    curve = 255 * (np.arange(256) / 255) ** gamma
    return cv2.LUT(image, np.rint(curve).astype(np.uint8))


def apply_veil(image: Image, *, top: float, bottom: float, colour: NDArray[np.float64]) -> Image:
    """Blend towards `colour` [3] with an opacity that runs from `top` to `bottom` (0 to 1) down the image.

    A generic loss of contrast (haze, glare, a wet or dusty lens), with neither depth nor any domain in it.
    """
    opacity = np.linspace(top, bottom, image.shape[0])[:, None, None]
    keep = np.rint((1 - opacity) * 256).astype(np.uint16)
    add = np.rint(opacity * colour * 256).astype(np.uint16)  # at most 255 * 256, so the sum fits 16 bits
    return ((image * keep + np.minimum(add, 65535 - 255 * keep)) >> 8).astype(np.uint8)


def add_noise(image: Image, sigma: float, *, generator: np.random.Generator) -> Image:
    """Gaussian noise of standard deviation `sigma` (of 255), independent per pixel and channel.

    Random bytes looked up in the quantiles of the normal distribution: six times faster than drawing floats.
    """
    middles = ndtri((np.arange(256) + 0.5) / 256)  # of equally likely slices
    table = np.rint(sigma * middles / middles.std()).astype(np.int16)
    noise = cv2.LUT(generator.integers(0, 256, image.shape, dtype=np.uint8), table)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def scale_amplitudes(image: Image, *, alpha: float, beta: float, generator: np.random.Generator) -> Image:
    """Fourier amplitudes of each channel times |1 + s * n|, n ~ N(0, 1), the phase as it is.

    s = (alpha * f)^2 + beta grows with the frequency f (1: the highest). Chattopadhyay et al., "PASTA",
    ICCV 2023, who use alpha 3 and beta 0.25.
    """
    height, width = image.shape[:2]
    spectrum = np.fft.rfft2(np.moveaxis(image, 2, 0).astype(np.float32))
    spread = np.square(alpha * _frequencies(height, width)) + np.float32(beta)
    noise = generator.standard_normal(spectrum.shape, dtype=np.float32)
    changed = np.fft.irfft2(spectrum * np.abs(1 + spread * noise), s=(height, width))
    return np.moveaxis(changed, 0, 2).clip(0, 255).round().astype(np.uint8)


def resample(image: Image, factor: float) -> Image:
    """Shrink by `factor` (0 to 1, averaging) and enlarge again (linearly)."""
    height, width = image.shape[:2]
    small = (max(1, round(height * factor)), max(1, round(width * factor)))
    return resized(resized(image, small), (height, width))


def compress_jpeg(image: Image, quality: int) -> Image:
    """There and back through JPEG at `quality` (1 to 100)."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def mix_channels(
    image: Image, matrix: NDArray[np.float64], offset: float | NDArray[np.float64] = 0.0
) -> Image:
    """clip(matrix [3, 3] @ rgb + offset) per pixel; offset: one for all channels, or [3]."""
    affine = np.column_stack([matrix, np.broadcast_to(offset, 3)]).astype(np.float32)
    return cv2.transform(image, affine)


@lru_cache(maxsize=4)
def _frequencies(height: int, width: int) -> NDArray[np.float32]:
    """f [H, W // 2 + 1], 0 to 1, in the order of numpy.fft.rfft2."""
    distance = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width)
    return np.asarray(distance / max(1.0, distance.max()), np.float32)
