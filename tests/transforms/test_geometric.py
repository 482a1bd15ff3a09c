"""Scale, crop and mirror: the right pixels, in the right place, with image and label in step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spn.core.classes import IGNORE
from spn.core.sample import Sample
from spn.core.seeding import numpy_generator
from spn.transforms.geometric import PADDING_COLOUR, CropWindow, cut, draw_window


def _numbered(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose colour is its label, so that the two can be compared after a cut."""
    label = (np.arange(height * width).reshape(height, width) % 19).astype(np.uint8)
    return np.repeat(label[..., None], 3, axis=2), label


def _sample(image: np.ndarray, label: np.ndarray) -> Sample:
    return Sample(image, label, "gtav", "a", Path("a.png"), Path("b.png"))


def test_native_scale_is_a_plain_crop() -> None:
    image, label = _numbered(40, 50)
    crop = cut(_sample(image, label), window=CropWindow(7, 5, 20, 16, mirrored=False), size=(16, 20))
    np.testing.assert_array_equal(crop.label, label[5:21, 7:27])
    np.testing.assert_array_equal(crop.image, image[5:21, 7:27])


def test_mirrored_window_is_the_mirrored_crop() -> None:
    image, label = _numbered(40, 50)
    plain = cut(_sample(image, label), window=CropWindow(7, 5, 30, 30, mirrored=False), size=(15, 15))
    mirrored = cut(_sample(image, label), window=CropWindow(7, 5, 30, 30, mirrored=True), size=(15, 15))
    np.testing.assert_array_equal(mirrored.label, plain.label[:, ::-1])
    np.testing.assert_array_equal(mirrored.image, plain.image[:, ::-1])


def test_outside_is_padding_and_ignored() -> None:
    image, label = _numbered(10, 10)
    crop = cut(_sample(image, label), window=CropWindow(-5, -10, 20, 20, mirrored=False), size=(20, 20))
    np.testing.assert_array_equal(crop.label[10:, 5:15], label)
    assert (crop.label == IGNORE).sum() == 300
    assert (crop.image[0, 0] == PADDING_COLOUR).all()


@pytest.mark.parametrize("size", [(16, 24), (37, 61), (90, 33)])
def test_labels_sample_pixel_centres(size: tuple[int, int]) -> None:
    """Each label pixel is the source pixel that its centre falls into (plain NEAREST is half a pixel off)."""
    columns = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    rows = np.repeat(np.arange(48, dtype=np.uint8)[:, None], 64, axis=1)
    for label, axis, length in ((columns, 1, 64), (rows, 0, 48)):
        image = np.zeros((48, 64, 3), np.uint8)
        crop = cut(_sample(image, label), window=CropWindow(0, 0, 64, 48, mirrored=False), size=size)
        wanted = (np.arange(size[axis]) + 0.5) * length / size[axis]
        found = crop.label[0] if axis == 1 else crop.label[:, 0]
        assert np.abs(found + 0.5 - wanted).max() <= 0.5 + 1e-6


def test_image_and_label_stay_in_step() -> None:
    """A vertical edge lies at the same column of both, at every scale."""
    label = np.zeros((60, 80), np.uint8)
    label[:, 40:] = 1
    image = np.repeat(label[..., None] * np.uint8(200), 3, axis=2)
    for width in (20, 33, 57, 80):
        crop = cut(
            _sample(image, label),
            window=CropWindow(40 - width // 2, 4, width, width // 2, mirrored=False),
            size=(40, 80),
        )
        assert np.abs((crop.image[..., 0] > 100).sum(1) - (crop.label == 1).sum(1)).max() <= 1


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    low=st.floats(0.2, 1.0),
    high=st.floats(1.0, 4.0),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_the_centre_is_always_inside(height: int, width: int, low: float, high: float, seed: int) -> None:
    generator = numpy_generator(seed)
    centre = (int(generator.integers(width)), int(generator.integers(height)))
    window = draw_window(
        (height, width), (24, 32), scale=(low, high), flip=0.5, generator=generator, centre=centre
    )
    x, y = centre
    assert window.left <= x < window.left + window.width
    assert window.top <= y < window.top + window.height
    image, label = _numbered(height, width)
    crop = cut(_sample(image, label), window=window, size=(24, 32))
    assert crop.label.shape == (24, 32)
    assert crop.image.shape == (24, 32, 3)
    assert (crop.label != IGNORE).any()


def test_windows_cover_the_image_evenly() -> None:
    generator = numpy_generator(0)
    draws = [
        draw_window((50, 100), (20, 20), scale=(1.0, 1.0), flip=0.5, generator=generator) for _ in range(2000)
    ]
    lefts = np.array([window.left for window in draws])
    assert lefts.min() == 0
    assert lefts.max() == 80
    assert abs(lefts.mean() - 40) < 2
    assert 0.45 < np.mean([window.mirrored for window in draws]) < 0.55


def test_a_centre_outside_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="centre lies at 70 of 60"):
        draw_window((40, 60), (8, 8), scale=(1, 1), flip=0, generator=numpy_generator(0), centre=(70, 3))
