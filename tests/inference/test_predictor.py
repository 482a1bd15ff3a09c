"""The Python API: photos of any size, large ones in bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from inference.colour_network import ColourNetwork, painted, random_blocks
from models.small_network import SMALL
from spn.inference.bands import resized_bands
from spn.inference.predictor import Predictor
from spn.inference.views import Views
from spn.inference.weights import save_network
from spn.models.build import build_network

LABEL = random_blocks(np.random.default_rng(1), height=24, width=32)


def test_predictor_takes_rgb_arrays_only() -> None:
    predictor = Predictor(ColourNetwork())
    scene = predictor.predict(painted(LABEL))
    np.testing.assert_array_equal(scene.labels, LABEL)
    assert 0 <= scene.uncertainty.min() <= scene.uncertainty.max() <= 1
    assert scene.confidence.min() > 0.5
    assert scene.disagreement is None
    with pytest.raises(ValueError, match=r"wanted uint8 \[H, W, 3\]"):
        predictor.predict(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (37, 3)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    assert Predictor(ColourNetwork()).predict(np.zeros((*shape, 3), np.uint8)).labels.shape == shape


def test_half_precision_from_a_file_says_nearly_the_same_and_really_is_half(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(path, build_network(SMALL, seed=2), model_config=SMALL, info={})
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    exact, half = (
        Predictor.from_checkpoint(path, precision=precision).predict(image) for precision in ("32", "bf16")
    )
    np.testing.assert_allclose(half.uncertainty, exact.uncertainty, atol=0.02)
    assert not np.array_equal(half.uncertainty, exact.uncertainty)


@pytest.mark.parametrize("draws", [0, 2])
def test_a_large_photo_is_reduced_for_the_network_and_comes_back_whole(draws: int) -> None:
    label = random_blocks(np.random.default_rng(2), height=300, width=200, block=50)
    network = ColourNetwork(noise=0.1)
    scene = Predictor(network, views=Views(draws=draws), max_pixels=6000).predict(painted(label))
    assert all(size[2] * size[3] <= 6000 for size in network.sizes)
    assert scene.labels.shape == scene.uncertainty.shape == scene.confidence.shape == label.shape
    assert (scene.labels == label).mean() > 0.9
    assert (scene.disagreement is not None) == bool(draws)


@pytest.mark.parametrize("size", [(50, 33), (7, 9), (64, 3)])
def test_bands_equal_one_resize(size: tuple[int, int]) -> None:
    maps = torch.rand(1, 4, 13, 9, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    bands = list(resized_bands(maps, size[0], rows=8))
    assert bands[-1].bottom == size[0]
    torch.testing.assert_close(torch.cat([band.widened(size[1]) for band in bands], dim=2), expected)


@given(st.integers(0, 10**6), st.floats(0.5, 12), st.integers(1, 40))
def test_maps_left_out_of_a_band_would_have_won_nowhere(seed: int, spread: float, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = (spread * torch.randn(1, 19, 5, 7, generator=generator)).softmax(dim=1)
    expected = F.interpolate(maps, size=(17, width), mode="bilinear", align_corners=False)
    bands = [band.labels(width) for band in resized_bands(maps, 17, rows=4)]
    confidence = torch.cat([probability for _, probability in bands], dim=1)
    torch.testing.assert_close(confidence, expected.amax(dim=1))
    chosen = torch.cat([labels for labels, _ in bands], dim=1).long()
    torch.testing.assert_close(expected.gather(1, chosen[:, None])[:, 0], confidence)
