"""Colour and sharpness on uint8 [H, W, 3] RGB: pure functions of an image and a strength.

The first four follow torchvision's functions of the same names, one after the other with clipping to
0..255 between them, and agree with them to rounding (a test compares them). Each is one OpenCV pass, most
of them a 3x4 colour matrix: 0.3 to 1.5 ms at 768x768 on one core.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
_LUMA = (0.2989, 0.587, 0.114)
"""ITU-R 601 weights of red, green and blue, as torchvision rounds them."""


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
    table = np.rint(sigma * _normal_quantiles()).astype(np.int16)
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
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)


def compress_jpeg(image: Image, quality: int) -> Image:
    """There and back through JPEG at `quality` (1 to 100)."""
    _, code = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def mix_channels(
    image: Image, matrix: NDArray[np.float64], offset: float | NDArray[np.float64] = 0.0
) -> Image:
    """clip(matrix [3, 3] @ rgb + offset) per pixel; offset: one for all channels, or [3]."""
    affine = np.column_stack([matrix, np.broadcast_to(offset, 3)]).astype(np.float32)
    return cv2.transform(image, affine)


@lru_cache(maxsize=1)
def _normal_quantiles() -> NDArray[np.float64]:
    """The middles [256] of 256 equally likely slices of the standard normal, scaled to unit variance."""
    values = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    return values / values.std()


@lru_cache(maxsize=4)
def _frequencies(height: int, width: int) -> NDArray[np.float32]:
    """f [H, W // 2 + 1], 0 to 1, in the order of numpy.fft.rfft2."""
    distance = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width)
    return np.asarray(distance / max(1.0, distance.max()), np.float32)
