"""Photographs of any kind and size through a model, large ones in bands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Barrier, get_ident
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from inference.colour_network import ColourNetwork, painted, random_blocks
from models.small_network import SECOND, SMALL, waken
from spn.inference.maps import best_labels
from spn.inference.model import Model
from spn.inference.results import PhotoError
from spn.inference.scene import Scene
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import load, save_network
from spn.models.build import build_network
from spn.models.network import NetworkOutput

LABEL = random_blocks(np.random.default_rng(1), height=24, width=32)


@pytest.mark.parametrize("kind", ["str", "path", "pil", "array", "tensor"])
def test_a_picture_may_be_a_file_an_image_an_array_or_a_tensor(kind: str, tmp_path: Path) -> None:
    image = painted(LABEL)
    file = tmp_path / "street.png"
    Image.fromarray(image).save(file)
    tensor = torch.from_numpy(image).permute(2, 0, 1) / 255
    pictures = {
        "str": str(file),
        "path": file,
        "pil": Image.fromarray(image),
        "array": image,
        "tensor": tensor,
    }
    model = Model(ColourNetwork())
    scene, again = model.predict([pictures[kind], pictures[kind]])
    np.testing.assert_array_equal(scene.labels, LABEL)
    np.testing.assert_array_equal(scene.image, image)
    np.testing.assert_array_equal(again.confidence, model.predict(pictures[kind]).confidence)
    assert 0 <= scene.uncertainty.min() <= scene.uncertainty.max() <= 1
    assert scene.confidence.min() > 0.5
    assert scene.disagreement is None


@pytest.fixture
def four_threads() -> Iterator[None]:
    """Which take turns as often as they can."""
    before, interval = torch.get_num_threads(), sys.getswitchinterval()
    torch.set_num_threads(4)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    torch.set_num_threads(before)


class Watched(ColourNetwork):
    """Its first two calls wait for each other."""

    at_once = 3

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.together = count(), Barrier(2, timeout=60)
        self.threads: dict[int, int] = {}

    def forward(self, images: Tensor, **options: Any) -> NetworkOutput:
        if next(self.calls) < 2:
            self.together.wait()
        self.threads[get_ident()] = torch.get_num_threads()
        return super().forward(images, **options)


@pytest.mark.usefixtures("four_threads")
def test_several_pictures_share_the_threads_and_get_what_each_gets_alone() -> None:
    pictures = [painted(np.roll(LABEL, shift)) for shift in range(8)]
    network = Watched()
    scenes = Model(network).predict(pictures)
    for picture, scene in zip(pictures, scenes, strict=True):
        alone = Model(ColourNetwork()).predict(picture)
        np.testing.assert_array_equal(scene.labels, alone.labels)
        np.testing.assert_allclose(scene.uncertainty, alone.uncertainty, atol=1e-6)
    assert set(network.threads.values()) <= {1, 2}  # four among three
    assert len(network.threads) > 1
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(
    "options",
    [
        {}, {"fold": False}, {"tta": TestTimeAugmentation(own_statistics=0.5)},
        {"source": "shipped", "tta": TestTimeAugmentation(input_height=96, num_samples=3)},
    ],
    ids=["folded", "borrowed statistics", "own statistics", "draws of trained prompts"],
)  # fmt: skip
def test_real_networks_mix_nothing_of_different_pictures(tmp_path: Path, options: dict[str, Any]) -> None:
    network = build_network(SECOND, seed=2)  # two scales, tokens
    waken(network)
    for value in network.encoder.statistics.buffers():  # as if training had moved them
        value.copy_(value * 1.5 + 0.3 if value.is_floating_point() else value)
    path = tmp_path / "model.safetensors"
    save_network(path, network, model_config=SECOND, info={})
    model = load(**({"source": path, "device": "cpu"} | options))
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    pictures = [np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8) for seed in range(12)]

    def predict(seed: int) -> Scene:  # as an evaluation does: draws of its own for each
        return replace(model, seed=seed).predict(pictures[seed])

    alone = [predict(seed) for seed in range(12)]
    for scene, other in zip(model.each(predict, range(12)), alone, strict=True):
        np.testing.assert_allclose(scene.confidence, other.confidence, atol=1e-4)
        if other.disagreement is not None:
            np.testing.assert_allclose(scene.disagreement, other.disagreement, atol=1e-4)
    for name, value in model.network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), torch.ones(4, 4, 3),
        torch.full((3, 4, 4), 2.0), torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8),
        torch.full((3, 4, 4), float("nan")),
    ],
)  # fmt: skip
def test_other_pictures_are_refused(picture: Any) -> None:
    with pytest.raises(ValueError, match=r"wanted a file, a PIL image, an array uint8 \[H, W, 3\]"):
        Model(ColourNetwork()).predict(picture)
    with pytest.raises(PhotoError, match="no such file"):
        Model(ColourNetwork()).predict("absent.jpg")


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (37, 3)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    assert Model(ColourNetwork()).predict(np.zeros((*shape, 3), np.uint8)).labels.shape == shape


def test_half_precision_from_a_file_says_nearly_the_same_and_really_is_half(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(path, build_network(SMALL, seed=2), model_config=SMALL, info={})
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    exact, half = (
        load(path, device="cpu", precision=precision).predict(image) for precision in ("32", "bf16")
    )
    np.testing.assert_allclose(half.uncertainty, exact.uncertainty, atol=0.02)
    assert not np.array_equal(half.uncertainty, exact.uncertainty)


@pytest.mark.parametrize("num_samples", [0, 2])
def test_a_large_photo_is_reduced_for_the_network_and_comes_back_whole(num_samples: int) -> None:
    label = random_blocks(np.random.default_rng(2), height=300, width=200, block=50)
    network = ColourNetwork(noise=0.1)
    scene = Model(network, tta=TestTimeAugmentation(num_samples=num_samples), max_pixels=6000).predict(
        painted(label)
    )
    assert all(size[2] * size[3] <= 6000 for size in network.sizes)
    assert scene.labels.shape == scene.uncertainty.shape == scene.confidence.shape == label.shape
    assert (scene.labels == label).mean() > 0.9
    assert (scene.disagreement is not None) == bool(num_samples)


@given(
    st.integers(0, 10**6), st.floats(0.5, 12), st.sampled_from([(17, 40), (17, 1), (50, 33), (5, 7), (3, 64)])
)
def test_labels_found_at_borders_alone_are_those_of_one_resize(
    seed: int, spread: float, size: tuple[int, int]
) -> None:
    """Of two images, with areas of one class and without."""
    generator = torch.Generator().manual_seed(seed)
    scores = spread * torch.randn(2, 19, 5, 7, generator=generator)
    scores[:, 3, :3, 2:] += 4 * spread
    maps = scores.softmax(dim=1)
    expected = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    labels, confidence = best_labels(maps, size, pixels=50)
    torch.testing.assert_close(confidence, expected.amax(dim=1))
    torch.testing.assert_close(expected.gather(1, labels.long()[:, None])[:, 0], confidence)


def test_probabilities_on_request_at_the_picture_s_size() -> None:
    picture = painted(random_blocks(np.random.default_rng(0), height=40, width=56))
    model = Model(ColourNetwork(), tta=TestTimeAugmentation(input_height=24, scales=(1, 1.5)))
    scene = model.predict(picture, probabilities=True)
    assert scene.probabilities is not None
    assert scene.probabilities.shape == (19, 40, 56)
    np.testing.assert_allclose(scene.probabilities.astype(np.float32).sum(axis=0), 1, atol=5e-3)
    np.testing.assert_allclose(scene.probabilities.max(axis=0), scene.confidence, atol=1e-3)
    assert model.predict(picture).probabilities is None
