"""Each colour function against torchvision, or against its formula."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as torchvision

from spn.core.seeding import numpy_generator
from spn.transforms import pipeline


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Smooth, colourful, with black and white in it."""
    noise = numpy_generator(0).normal(0, 1, (96, 128, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(smooth / smooth.std() * 90 + 128, 0, 255).astype(np.uint8)


def _expected(image: np.ndarray, name: str, *arguments: object) -> np.ndarray:
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    return getattr(torchvision, name)(tensor, *arguments).permute(1, 2, 0).numpy().astype(int)


@pytest.mark.parametrize("name", ["adjust_brightness", "adjust_contrast", "adjust_saturation"])
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4])
def test_agrees_with_torchvision_to_rounding(image: np.ndarray, name: str, factor: float) -> None:
    ours = getattr(pipeline, name)(image, factor)
    assert np.abs(ours - _expected(image, name, factor)).max() <= 1


@pytest.mark.parametrize("shift", [-0.5, -0.1, 0.0, 0.1, 0.37])
def test_hue_agrees_with_torchvision_to_its_256_steps(image: np.ndarray, shift: float) -> None:
    difference = np.abs(pipeline.adjust_hue(image, shift) - _expected(image, "adjust_hue", shift))
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 8


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.3])
def test_blur_agrees_with_torchvision(image: np.ndarray, sigma: float) -> None:
    reach = 2 * round(3 * sigma) + 1
    difference = np.abs(
        pipeline.blur(image, sigma) - _expected(image, "gaussian_blur", [reach, reach], [sigma, sigma])
    )
    assert difference.max() <= 1


def test_gamma_and_cast_follow_their_formulas(image: np.ndarray) -> None:
    curve = 255 * (image / 255.0) ** 1.5
    assert np.abs(pipeline.apply_gamma(image, 1.5) - curve).max() <= 0.5 + 1e-6
    gain, offset = np.array([1.2, 0.8, 1.0]), np.array([-10.0, 5.0, 30.0])
    cast = pipeline.mix_channels(image, np.diag(gain), offset)
    assert np.abs(cast - np.clip(image * gain + offset, 0, 255)).max() <= 1


def test_veil_blends_towards_its_colour(image: np.ndarray) -> None:
    colour = np.array([250.0, 240.0, 230.0])
    veiled = pipeline.apply_veil(image, top=1.0, bottom=0.0, colour=colour)
    assert np.abs(veiled[0] - colour).max() <= 1
    assert np.abs(veiled[-1].astype(int) - image[-1]).max() <= 1
    opacity = np.linspace(1, 0, len(image))[:, None, None]
    assert np.abs(veiled - (image * (1 - opacity) + colour * opacity)).max() <= 1.5
    white = np.full_like(image, 255)
    assert pipeline.apply_veil(white, top=0.4, bottom=0.5, colour=np.full(3, 255.0)).min() >= 254


def test_noise_has_the_asked_deviation_and_no_bias() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noise = pipeline.add_noise(grey, 10.0, generator=numpy_generator(1)).astype(float) - 128
    assert abs(noise.mean()) < 0.2
    assert abs(noise.std() - 10) < 0.3


def test_resample_and_jpeg_keep_shape_and_lose_detail(image: np.ndarray) -> None:
    for changed in (pipeline.resample(image, 0.3), pipeline.compress_jpeg(image, 20)):
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        assert 0 < np.abs(changed.astype(int) - image).mean() < 20


def test_scaled_amplitudes_keep_the_phase() -> None:
    rows, columns = np.mgrid[0:32, 0:48]
    wave = 128 + 20 * np.cos(2 * np.pi * (3 * rows / 32 + 5 * columns / 48) + 0.7)
    image = np.repeat(wave[..., None], 3, axis=2).round().astype(np.uint8)
    changed = pipeline.scale_amplitudes(image, alpha=3, beta=0.05, generator=numpy_generator(3))
    before, after = (np.fft.fft2(array[..., 0].astype(float))[3, 5] for array in (image, changed))
    assert abs(np.angle(after / before)) < 0.05
    assert abs(abs(after) / abs(before) - 1) > 0.02


def test_amplitudes_of_high_frequencies_change_more(image: np.ndarray) -> None:
    grey = (image // 4 + 96).astype(np.uint8)
    same = pipeline.scale_amplitudes(grey, alpha=0, beta=0, generator=numpy_generator(3))
    assert np.abs(same.astype(int) - grey).max() <= 1
    changed = pipeline.scale_amplitudes(grey, alpha=2, beta=0, generator=numpy_generator(3))
    ratio = np.abs(np.fft.rfft2(changed[..., 0]) / np.fft.rfft2(grey[..., 0]))
    assert np.abs(ratio[1:4, 1:4] - 1).mean() < 0.2 < np.abs(ratio[20:44, 20:30] - 1).mean()
