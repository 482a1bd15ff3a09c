"""The whole training transform: reproducible, the same first view for every method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spn.core.errors import UserError
from spn.core.records import from_plain
from spn.core.sample import Sample
from spn.core.seeding import numpy_generator
from spn.transforms.config import AugmentationConfig, BlurConfig, JitterConfig
from spn.transforms.pipeline import TrainTransform, perturb

CONFIG = AugmentationConfig(crop_height=48, crop_width=64)


@pytest.fixture
def sample() -> Sample:
    generator = numpy_generator(3)
    image = generator.integers(0, 256, (72, 96, 3), dtype=np.uint8)
    label = generator.integers(0, 19, (72, 96), dtype=np.uint8)
    return Sample(image, label, "gtav", "a", Path("a.png"), Path("b.png"))


def test_same_seed_same_item(sample: Sample) -> None:
    transform = TrainTransform(CONFIG, views=2)
    first, second = (transform(sample, generator=numpy_generator(5)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.label, second.label)
    other = transform(sample, generator=numpy_generator(6))
    assert (other.image != first.image).any()


def test_shapes(sample: Sample) -> None:
    item = TrainTransform(CONFIG, views=3)(sample, generator=numpy_generator(0))
    assert item.image.shape == (3, 48, 64, 3)
    assert item.label.shape == (48, 64)
    assert item.image.dtype == item.label.dtype == np.uint8


def test_the_first_view_does_not_depend_on_the_number_of_views(sample: Sample) -> None:
    for seed in range(8):
        one = TrainTransform(CONFIG, views=1)(sample, generator=numpy_generator(seed))
        two = TrainTransform(CONFIG, views=2)(sample, generator=numpy_generator(seed))
        np.testing.assert_array_equal(one.image[0], two.image[0])
        np.testing.assert_array_equal(one.label, two.label)


def test_without_augmentation_the_image_comes_through(sample: Sample) -> None:
    config = AugmentationConfig(
        crop_height=72, crop_width=96, scale_min=1, scale_max=1, flip=0,
        jitter=JitterConfig(probability=0), blur=BlurConfig(probability=0),
    )  # fmt: skip
    item = TrainTransform(config)(sample, generator=numpy_generator(0))
    np.testing.assert_array_equal(item.image[0], sample.image)
    np.testing.assert_array_equal(item.label, sample.label)


def test_a_large_fixed_jitter_is_applied(sample: Sample) -> None:
    config = replace(CONFIG, jitter=JitterConfig(probability=1), perturb_first=1.0)
    plain = TrainTransform(CONFIG)(sample, generator=numpy_generator(1))
    strong = TrainTransform(config)(sample, generator=numpy_generator(1))
    np.testing.assert_array_equal(plain.label, strong.label)
    assert (plain.image != strong.image).any()


def test_perturbation_keeps_the_scene_recognisable() -> None:
    """Strong, yet the grey picture stays correlated with the original, on average well above chance."""
    ramp = np.linspace(30, 220, 64).astype(np.uint8)
    image = np.repeat(np.tile(ramp, (48, 1))[..., None], 3, axis=2)
    image[20:30, 20:40] = (200, 40, 40)
    correlations = []
    for seed in range(40):
        changed = perturb(image, CONFIG.perturbation, generator=numpy_generator(seed))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        correlations.append(np.corrcoef(changed.mean(2).ravel(), image.mean(2).ravel())[0, 1])
    assert np.mean(correlations) > 0.8


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match=r"scale range is 2\.0 to 1\.0"):
        AugmentationConfig(scale_min=2.0, scale_max=1.0)
    for name, value in (("crop_width", 0), ("flip", 5), ("scale_min", -1.0), ("perturb_first", float("nan"))):
        with pytest.raises(UserError, match=name):
            from_plain(AugmentationConfig, {name: value})
    with pytest.raises(UserError, match="brightness"):
        from_plain(AugmentationConfig, {"jitter": {"brightness": -3}})
