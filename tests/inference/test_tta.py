"""Windows, scales, flips and random draws: what is averaged, and at which size."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.colour_network import ColourNetwork, painted, random_blocks
from spn.core.errors import UserError
from spn.inference.maps import entropy, grouped, label_map
from spn.inference.model import Maps, Model
from spn.inference.tta import TestTimeAugmentation
from spn.models.build import build_network
from spn.models.resampling import resize, resize_images
from spn.training.presets import load_preset

LABEL = random_blocks(np.random.default_rng(0), height=40, width=56)
IMAGE = painted(LABEL)


@given(
    height=st.integers(1, 90), width=st.integers(1, 90), tall=st.integers(1, 40), wide=st.integers(1, 40),
    overlap=st.floats(0, 0.9),
)  # fmt: skip
def test_windows_cover_the_image_with_the_overlap(
    height: int, width: int, tall: int, wide: int, overlap: float
) -> None:
    places = TestTimeAugmentation(window=(tall, wide), overlap=overlap).windows(height, width)
    seen = np.zeros((height, width), int)
    for rows, columns in places:
        assert rows.stop - rows.start == min(tall, height)
        assert columns.stop - columns.start == min(wide, width)
        seen[rows, columns] += 1
    assert seen.min() >= 1
    tops = sorted({rows.start for rows, _ in places})
    stride = max(1, int(min(tall, height) * (1 - overlap)))
    assert all(after - before <= stride for before, after in itertools.pairwise(tops))
    assert len({(rows.start, columns.start) for rows, columns in places}) == len(places)


def seen(
    network: nn.Module, image: NDArray[np.uint8] = IMAGE, *, size: tuple[int, int] | None = None, **tta: Any
) -> Tensor:
    """Probabilities [C, H, W] of one image at its own size, or at `size`."""
    size = size or (image.shape[0], image.shape[1])
    model = Model(network, tta=TestTimeAugmentation(**tta))
    return resize(model.probabilities(torch.from_numpy(image.copy())[None], size)[0], size)[0]


def at_half_scale(network: nn.Module, image: NDArray[np.uint8]) -> Tensor:
    """Probabilities [C, H, W] of one image that the network sees at half its size."""
    height, width = image.shape[:2]
    batch = torch.from_numpy(image.copy())[None].permute(0, 3, 1, 2)
    with torch.inference_mode():
        logits = network(resize_images(batch, (height // 2, width // 2)) / 255, upsample=False).logits
    return resize(logits, (height, width)).softmax(dim=1)[0]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"flip": True},
        {"window": (16, 24)},
        {"window": (16, 24), "overlap": 0.0},
        {"window": (100, 100)},
        {"scales": (0.5, 1.0, 2.0), "flip": True},
        {"scales": (0.5, 1.0, 2.0), "alternate_flip": True},
        {"input_height": 80},
        {"num_samples": 3},
        {"num_samples": 2, "window": (20, 20), "flip": True},
    ],
)
def test_every_pass_sees_the_same_picture(values: dict[str, Any]) -> None:
    probabilities = seen(ColourNetwork(), **values)
    assert probabilities.shape == (19, 40, 56)
    torch.testing.assert_close(probabilities.sum(dim=0), torch.ones(40, 56))
    tta = TestTimeAugmentation(**values)
    prediction = Model(ColourNetwork(), tta=tta).label(torch.from_numpy(IMAGE)[None], (40, 56))
    inner = np.s_[2::8, 2::8]  # block centres; their edges blur where images are resized
    assert (prediction.labels[0].numpy()[inner] == LABEL[inner]).mean() > 0.99
    assert (prediction.disagreement is None) == (tta.num_samples == 0)


def test_one_pass_equals_the_network() -> None:
    network = ColourNetwork(sharpness=3.0)
    expected = network(torch.from_numpy(IMAGE)[None].permute(0, 3, 1, 2) / 255).logits
    torch.testing.assert_close(seen(network), expected.detach().softmax(dim=1)[0])


@pytest.mark.parametrize("size", [(64, 96), (37, 70)])
def test_logits_stay_on_the_decoder_s_grid_until_they_are_merged(
    size: tuple[int, int], tmp_path: Path
) -> None:
    """What is enlarged once, past the padding that the network adds, is what the network enlarges itself."""
    torch.manual_seed(0)
    network = build_network(load_preset("tiny", out=tmp_path).model).eval()
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    batch = torch.from_numpy(image)[None].permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = network(batch).logits.softmax(dim=1)[0]
        mirrored = network(batch.flip(-1)).logits.softmax(dim=1)[0].flip(-1)
    torch.testing.assert_close(seen(network, image), expected)
    torch.testing.assert_close(seen(network, image, flip=True), (expected + mirrored) / 2)


def test_labels_and_confidence_are_those_of_the_maps_at_full_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(load_preset("tiny", out=tmp_path).model).eval()
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)
    values = {"scales": (0.25, 0.5), "flip": True}  # averaged on a smaller grid
    groups = ((2, 3), (0,), tuple(range(8, 14)))
    maps = grouped(seen(network, image, **values)[None], groups)
    model = Model(network, tta=TestTimeAugmentation(**values))
    prediction = model.label(torch.from_numpy(image)[None], (90, 130), groups=groups)
    torch.testing.assert_close(prediction.confidence, maps.amax(dim=1))
    torch.testing.assert_close(maps.gather(1, prediction.labels.long()[:, None])[:, 0], prediction.confidence)


def test_alternate_flip_mirrors_every_second_scale(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(load_preset("tiny", out=tmp_path).model).eval()
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    straight = at_half_scale(network, image)
    mirrored = seen(network, image[:, ::-1]).flip(-1)
    both = seen(network, image, scales=(0.5, 1.0), alternate_flip=True)
    torch.testing.assert_close(both, (straight + mirrored) / 2)
    with pytest.raises(UserError, match="one of them"):
        TestTimeAugmentation(flip=True, alternate_flip=True)


def test_flip_and_scales_average_probabilities() -> None:
    network = ColourNetwork(sharpness=3.0)
    mean = (at_half_scale(network, IMAGE) + seen(network)) / 2
    torch.testing.assert_close(seen(network, scales=(0.5, 1.0)), mean)


def test_passes_smaller_than_the_image_are_averaged_at_half_the_size_of_the_largest() -> None:
    network = ColourNetwork(sharpness=3.0)
    small = [seen(network, scales=(scale,), size=(10, 14)) for scale in (0.25, 0.5)]
    mean = resize(((small[0] + small[1]) / 2)[None], (40, 56))[0]
    torch.testing.assert_close(seen(network, scales=(0.25, 0.5)), mean)
    torch.testing.assert_close(seen(network, scales=(0.5,)), resize(small[1][None], (40, 56))[0])


def test_windows_of_a_pointwise_network_change_nothing() -> None:
    network = ColourNetwork(sharpness=3.0)
    torch.testing.assert_close(seen(network, window=(16, 16), overlap=0.4), seen(network))


def test_windows_run_in_batches() -> None:
    network = ColourNetwork()
    tta = TestTimeAugmentation(window=(20, 20), overlap=0.0)
    Model(network, tta=tta).probabilities(torch.from_numpy(IMAGE)[None], (40, 56))
    assert [size[0] for size in network.sizes] == [4, 2]


def test_input_height_sets_the_working_size_and_the_result_is_native() -> None:
    network = ColourNetwork()
    assert seen(network, input_height=20, scales=(1.0, 2.0)).shape == (19, 40, 56)
    assert [size[2:] for size in network.sizes] == [(20, 28), (40, 56)]


def test_random_draws_repeat_with_the_seed_and_disagree_by_their_noise() -> None:
    def drawn(noise: float, seed: int) -> Maps:
        network = ColourNetwork(sharpness=2.0, noise=noise)
        tta = TestTimeAugmentation(num_samples=6)
        return Model(network, tta=tta, seed=seed).label(torch.from_numpy(IMAGE)[None], (40, 56))

    first, again, other = drawn(2.0, 1), drawn(2.0, 1), drawn(2.0, 2)
    assert torch.equal(first.confidence, again.confidence)
    assert not torch.equal(first.confidence, other.confidence)
    assert first.disagreement is not None
    assert first.uncertainty is not None
    assert (first.disagreement >= 0).all()
    assert (first.disagreement <= first.uncertainty + 1e-5).all()
    still = drawn(0.0, 1).disagreement
    assert still is not None
    assert still.max() < 1e-5 < first.disagreement.mean()


def test_released_weights_bring_along_what_is_not_asked_for() -> None:
    released = TestTimeAugmentation(64, (0.75, 1.0), flip=True, own_statistics=0.2, num_samples=4)
    assert TestTimeAugmentation().completed(TestTimeAugmentation()) == TestTimeAugmentation()
    assert TestTimeAugmentation().completed(released) == released
    assert TestTimeAugmentation(input_height=64, num_samples=2).completed(released) == replace(
        released, num_samples=2
    )
    assert TestTimeAugmentation(input_height=96).completed(released) == TestTimeAugmentation(96)
    assert TestTimeAugmentation(scales=(1.0,)).completed(released) == TestTimeAugmentation(64, (1.0,))
    other_flip = TestTimeAugmentation(alternate_flip=True).completed(released)
    assert other_flip == replace(released, flip=False, alternate_flip=True)


@pytest.mark.parametrize(
    "values",
    [
        {"scales": ()}, {"scales": (0.0,)}, {"scales": (math.inf,)}, {"scales": (1.0, math.nan)},
        {"overlap": 1.0}, {"window": (0, 4)}, {"num_samples": -1}, {"input_height": 0},
    ],
)  # fmt: skip
def test_what_no_image_can_be_shown_as_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(UserError):
        TestTimeAugmentation(**values)  # type: ignore[arg-type]


def test_label_map_is_argmax_with_the_first_of_equals() -> None:
    scores = torch.randint(0, 4, (2, 19, 9, 11), generator=torch.Generator().manual_seed(0)).float()
    for layout in (torch.contiguous_format, torch.channels_last):
        labels, best = label_map(scores.contiguous(memory_format=layout))
        np.testing.assert_array_equal(labels.numpy(), scores.numpy().argmax(axis=1))
        assert torch.equal(best, scores.amax(dim=1))


def test_broken_scores_are_refused() -> None:
    scores = torch.zeros(1, 3, 2, 2)
    scores[0, :, 1, 1] = float("nan")
    with pytest.raises(UserError, match="not numbers"):
        label_map(scores)


def test_groups_add_probabilities_before_the_argmax() -> None:
    probabilities = torch.tensor([0.4, 0.35, 0.25]).view(1, 3, 1, 1)
    assert label_map(probabilities)[0].item() == 0
    assert label_map(grouped(probabilities, ((0,), (1, 2))))[0].item() == 1
    assert grouped(probabilities, ((0,), (1,), (2,))) is probabilities


def test_entropy_is_zero_when_sure_and_largest_when_uniform() -> None:
    assert entropy(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)).item() == 0
    assert entropy(torch.full((1, 19, 1, 1), 1 / 19)).item() == pytest.approx(np.log(19))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_no_shape_of_a_photograph_is_enlarged_without_end(height: int, width: int) -> None:
    rows, columns = TestTimeAugmentation(288).working_size(height, width)
    assert rows * columns <= max(288 * 2880, height * width) * 1.01
    if width < 10 * height:
        assert rows == 288
