"""Fog and rain over a clear image, from the distance of every pixel.

Fog (Sakaridis et al., "Semantic Foggy Scene Understanding with Synthetic Data", IJCV 2018):
I = t R + (1 - t) L with t = exp(-beta * distance), distance along the ray in metres, beta in 1/m, t smoothed
by a guided filter (He et al., 2013; window 41, regulariser 1e-3), L taken from the brightest 0.1% of the
15x15 dark channel. Rain (Hu et al., "Depth-Attentional Features for Single-Image Rain Removal", CVPR 2019):
O = I (1 - S - A) + S + A0 A, streaks S attenuated by exp(-alpha * max(d1, distance)), haze
A = 1 - exp(-beta * distance).

Ours: both windows are meant for 2048x1024 images and shrink in proportion to the width (at least 3 pixels);
the guide is the grey image; L is the pixel of median brightness among the brightest of the dark channel; d1
is the distance at which a drop of that radius covers one pixel of a Cityscapes camera; streak shapes.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_PUBLISHED_WIDTH: Final = 2048
_DARK_CHANNEL_WINDOW: Final = 15
_GUIDED_WINDOW: Final = 41
_GUIDED_REGULARISER: Final = 1e-3
_FOCAL_LENGTH: Final = 2262.5
"""Of the Cityscapes camera, in pixels at 2048x1024."""


class RainSetting(NamedTuple):
    """alpha: attenuation of streaks in 1/m. beta: haze in 1/m. drop_size: drop radius in metres."""

    alpha: float
    beta: float
    drop_size: float


FOG_BETAS: Final[tuple[float, ...]] = (0.005, 0.01, 0.02)
"""Published densities in 1/m: visibility about 599, 300 and 150 m (2.996 / beta)."""
RAIN_SETTINGS: Final[tuple[RainSetting, ...]] = (
    RainSetting(0.01, 0.005, 0.01),
    RainSetting(0.02, 0.01, 0.005),
    RainSetting(0.03, 0.015, 0.002),
)


def add_fog(image: NDArray[np.uint8], distance: NDArray[np.float32], *, beta: float) -> NDArray[np.uint8]:
    """Fog of density `beta` (1/m) over `image` uint8 [H, W, 3]; `distance` [H, W] in metres, inf for sky."""
    _check(image, distance)
    transmission = np.exp(-beta * distance)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) * np.float32(1 / 255)
    smooth = _guided_filter(grey, transmission, window=_scaled(_GUIDED_WINDOW, image.shape[1]))
    light = atmospheric_light(image)
    weight = np.clip(smooth, 0.0, 1.0)[..., None]
    return _to_uint8(weight * (image.astype(np.float32) - light) + light)


def add_rain(
    image: NDArray[np.uint8],
    distance: NDArray[np.float32],
    *,
    alpha: float,
    beta: float,
    drop_size: float,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Rain over `image` uint8 [H, W, 3]; `distance` [H, W] in metres, inf for sky. See `RainSetting`."""
    _check(image, distance)
    nearest = 2.0 * _FOCAL_LENGTH * drop_size
    pattern = streaks(image.shape[0], image.shape[1], alpha=alpha, drop_size=drop_size, generator=generator)
    haze = 1.0 - np.exp(-beta * distance)
    streak = np.minimum(pattern * np.exp(-alpha * np.maximum(nearest, distance)), 1.0 - haze)
    light = atmospheric_light(image)
    clear = (1.0 - streak - haze)[..., None]
    return _to_uint8(
        image.astype(np.float32) * clear + (streak * np.float32(255.0))[..., None] + light * haze[..., None]
    )


def atmospheric_light(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The colour [3] of light scattered into the view, 0..255, from the dark channel of `image`."""
    window = _scaled(_DARK_CHANNEL_WINDOW, image.shape[1])
    dark = cv2.erode(image.min(axis=2), np.ones((window, window), np.uint8)).ravel()
    count = max(1, round(0.001 * dark.size))
    brightest = np.argpartition(dark, dark.size - count)[-count:]
    colours = image.reshape(-1, 3)[np.sort(brightest)]
    order = np.argsort(colours.sum(axis=1, dtype=np.int32), kind="stable")
    return colours[order[len(order) // 2]].astype(np.float32)


def streaks(
    height: int, width: int, *, alpha: float, drop_size: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """A rain pattern [H, W] in 0..1: more streaks for larger `alpha`, longer and wider for larger drops.

    Three layers stand for drops near to and far from the camera; all fall in about the same direction.
    """
    slant = generator.normal(0.0, 0.12)
    size = 0.6 + 40.0 * drop_size
    pattern = np.zeros((height, width), np.uint8)
    for reach, share in ((1.0, 0.15), (0.5, 0.35), (0.25, 0.5)):
        count = int(generator.poisson(share * (500.0 + 50_000.0 * alpha)))
        length = 0.16 * height * reach * size * generator.uniform(0.6, 1.3, count)
        start = generator.uniform((-0.1 * width, -0.15 * height), (1.1 * width, 1.05 * height), (count, 2))
        lean = slant + generator.normal(0.0, 0.02, count)
        step = np.stack([length * np.sin(lean), length * np.cos(lean)], axis=1)
        ends = np.rint(np.stack([start, start + step], axis=1) * 16.0).astype(np.int32)
        wanted = 3.0 * width / _PUBLISHED_WIDTH * (0.4 + reach) * size
        thickness = max(1, round(wanted))
        strong = np.clip(wanted / thickness, 0.5, 1.0)  # a streak thinner than a pixel covers part of it
        strength = generator.integers(0, 4, count)
        for level in range(4):
            shade = round((110 + 45 * level) * (0.55 + 0.45 * reach) * strong)
            lines = list(ends[strength == level][:, :, None, :])
            cv2.polylines(pattern, lines, False, shade, thickness, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(pattern, (0, 0), max(0.45, width / 1400))
    return blurred.astype(np.float32) * np.float32(0.8 / 255)


def _guided_filter(
    guide: NDArray[np.float32], source: NDArray[np.float32], *, window: int
) -> NDArray[np.float32]:
    """Edge-preserving smoothing of `source` [H, W] along the edges of `guide` [H, W] (0..1)."""

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.boxFilter(values, -1, (window, window), borderType=cv2.BORDER_REFLECT)

    mean_guide, mean_source = mean(guide), mean(source)
    covariance = mean(guide * source) - mean_guide * mean_source
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = (covariance / (variance + _GUIDED_REGULARISER)).astype(np.float32, copy=False)
    offset = mean_source - slope * mean_guide
    return mean(slope) * guide + mean(offset)


def _scaled(window: int, width: int) -> int:
    """The published window for an image of this width: odd, at least 3."""
    return max(3, 2 * round((window * width / _PUBLISHED_WIDTH - 1) / 2) + 1)


def _to_uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(image + np.float32(0.5), 0.0, 255.0).astype(np.uint8)


def _check(image: NDArray[np.uint8], distance: NDArray[np.float32]) -> None:
    if image.ndim != 3 or image.dtype != np.uint8 or distance.shape != image.shape[:2]:
        raise ValueError(
            f"image {image.dtype} {image.shape} and distance {distance.shape}; "
            "wanted uint8 [H, W, 3] and [H, W]"
        )
    if np.isnan(distance).any() or float(distance.min(initial=0.0)) < 0.0:
        raise ValueError("distance holds negative values or NaN; wanted metres, inf for sky")
