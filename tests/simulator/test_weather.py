"""Fog and rain: the published formulas, at the edges and in between."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spn.core.seeding import numpy_generator
from streets.weather import FOG_BETAS, RAIN_SETTINGS, add_fog, add_rain, atmospheric_light, streaks


def scene(seed: int = 0, *, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    return numpy_generator(seed, "scene").integers(0, 200, (height, width, 3), dtype=np.uint8)


def flat(distance: float, *, height: int = 48, width: int = 64) -> NDArray[np.float32]:
    return np.full((height, width), distance, np.float32)


def rain(
    image: NDArray[np.uint8], distance: NDArray[np.float32], setting: int = 0, seed: int = 0
) -> NDArray[np.uint8]:
    alpha, beta, drop_size = RAIN_SETTINGS[setting]
    generator = numpy_generator(seed, "rain")
    return add_rain(image, distance, alpha=alpha, beta=beta, drop_size=drop_size, generator=generator)


def test_parameters_are_the_published_ones() -> None:
    assert FOG_BETAS == (0.005, 0.01, 0.02)
    assert RAIN_SETTINGS == ((0.01, 0.005, 0.01), (0.02, 0.01, 0.005), (0.03, 0.015, 0.002))
    assert [round(2.996 / beta) for beta in FOG_BETAS] == [599, 300, 150]


def test_fog_follows_the_formula_where_the_distance_is_constant() -> None:
    """A constant transmission passes the guided filter unchanged: I = t R + (1 - t) L."""
    image = scene()
    light = atmospheric_light(image)
    transmission = np.exp(-0.01 * 120.0)
    expected = transmission * image + (1 - transmission) * light
    np.testing.assert_allclose(add_fog(image, flat(120.0), beta=0.01), expected, atol=0.6)


@given(beta=st.sampled_from(FOG_BETAS), seed=st.integers(0, 50))
def test_fog_spares_what_is_at_hand_and_hides_the_sky(beta: float, seed: int) -> None:
    image = scene(seed)
    np.testing.assert_array_equal(add_fog(image, flat(0.0), beta=beta), image)
    hidden = add_fog(image, flat(np.inf), beta=beta)
    np.testing.assert_allclose(hidden, np.broadcast_to(atmospheric_light(image), image.shape), atol=0.6)


def test_denser_fog_has_less_contrast() -> None:
    def contrast(image: NDArray[np.uint8]) -> float:
        return float(np.abs(np.diff(image.astype(int), axis=1)).mean())

    image, distance = scene(), np.tile(np.linspace(200, 5, 48, dtype=np.float32)[:, None], (1, 64))
    light, medium, dense = (contrast(add_fog(image, distance, beta=beta)) for beta in FOG_BETAS)
    assert contrast(image) > light > medium > dense


def test_fog_keeps_the_edge_between_near_and_far() -> None:
    """The guided filter follows the image: a dark near half stays clear beside a bright far half."""
    image = np.full((64, 512, 3), 220, np.uint8)
    image[:, :256] = 40
    distance = flat(1000.0, height=64, width=512)
    distance[:, :256] = 5.0
    foggy = add_fog(image, distance, beta=0.02)
    assert abs(int(foggy[32, 252, 0]) - int(foggy[32, 100, 0])) < 15


def test_atmospheric_light_is_the_brightest_haze_and_not_a_small_lamp() -> None:
    image = np.full((100, 100, 3), 90, np.uint8)
    image[:30] = (180, 190, 200)
    image[60, 60] = 255
    np.testing.assert_array_equal(atmospheric_light(image), (180, 190, 200))


@pytest.mark.parametrize("setting", range(3))
def test_rain_is_haze_plus_streaks(setting: int) -> None:
    """Beyond all streaks what remains is O = I (1 - A) + A0 A; nearer, streaks only brighten it."""
    image = scene()
    alpha, beta, _ = RAIN_SETTINGS[setting]
    far = np.float32(-np.log(1e-4) / alpha)
    haze = 1 - np.exp(-beta * far)
    expected = image * (1 - haze) + atmospheric_light(image) * haze
    np.testing.assert_allclose(rain(image, flat(float(far)), setting), expected, atol=0.7)
    near = rain(image, flat(3.0), setting).astype(int)
    haze = 1 - np.exp(-beta * 3.0)
    assert (near >= np.floor(image * (1 - haze) + atmospheric_light(image) * haze) - 1).all()
    assert (near - image).max() > 20


@pytest.mark.parametrize("setting", range(3))
def test_rain_over_sky_is_the_atmospheric_light(setting: int) -> None:
    image = scene()
    wet = rain(image, flat(np.inf), setting)
    np.testing.assert_allclose(wet, np.broadcast_to(atmospheric_light(image), image.shape), atol=0.6)


def test_rain_repeats_with_its_seed_and_differs_with_another() -> None:
    image, distance = scene(), flat(10.0)
    np.testing.assert_array_equal(rain(image, distance, seed=1), rain(image, distance, seed=1))
    assert (rain(image, distance, seed=1) != rain(image, distance, seed=2)).any()


def test_streaks_fall_downwards_and_grow_with_alpha() -> None:
    def pattern(alpha: float) -> NDArray[np.float32]:
        return streaks(192, 256, alpha=alpha, drop_size=0.005, generator=numpy_generator(3, "s"))

    light, heavy = pattern(0.01), pattern(0.03)
    assert light.min() >= 0.0
    assert heavy.max() <= 1.0
    assert heavy.mean() > 1.3 * light.mean()
    across = float(np.abs(cv2.Sobel(heavy, cv2.CV_32F, 1, 0)).mean())
    along = float(np.abs(cv2.Sobel(heavy, cv2.CV_32F, 0, 1)).mean())
    assert across > 1.5 * along


@pytest.mark.parametrize("distance", [flat(5.0, width=32), np.full((48, 64), np.nan, np.float32), flat(-1.0)])
def test_impossible_distances_are_refused(distance: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="distance"):
        add_fog(scene(), distance, beta=0.01)
