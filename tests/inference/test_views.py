"""Windows, scales, flips and draws: what is averaged, and at which size."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.colour_network import ColourNetwork, painted, random_blocks
from spn.core.errors import UserError
from spn.inference.probabilities import predict_batch, predict_logits, predict_probabilities
from spn.inference.scores import entropy, grouped, label_map
from spn.inference.views import Views
from spn.inference.windows import windows
from spn.models.build import build_network
from spn.models.resampling import resize
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
    places = windows(height, width, size=(tall, wide), overlap=overlap)
    seen = np.zeros((height, width), int)
    for place in places:
        assert place.bottom - place.top == min(tall, height)
        assert place.right - place.left == min(wide, width)
        seen[place.top : place.bottom, place.left : place.right] += 1
    assert seen.min() >= 1
    tops = sorted({place.top for place in places})
    stride = max(1, int(min(tall, height) * (1 - overlap)))
    assert all(after - before <= stride for before, after in itertools.pairwise(tops))
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    "views",
    [
        Views(),
        Views(flip=True),
        Views(window=(16, 24)),
        Views(window=(16, 24), overlap=0.0),
        Views(window=(100, 100)),
        Views(scales=(0.5, 1.0, 2.0), flip=True),
        Views(scales=(0.5, 1.0, 2.0), alternate_flip=True),
        Views(input_height=80),
        Views(draws=3),
        Views(draws=2, window=(20, 20), flip=True),
    ],
)
def test_every_view_sees_the_same_picture(views: Views) -> None:
    prediction = predict_probabilities(ColourNetwork(), IMAGE, views=views)
    assert prediction.probabilities.shape == (19, 40, 56)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    inner = np.s_[2::8, 2::8]  # block centres; their edges blur where views are resized
    assert (prediction.probabilities.argmax(axis=0)[inner] == LABEL[inner]).mean() > 0.99
    assert (prediction.mutual_information is None) == (views.draws == 0)


def test_one_pass_equals_the_network() -> None:
    network = ColourNetwork(sharpness=3.0)
    batch = torch.from_numpy(IMAGE)[None]
    expected = network(batch.permute(0, 3, 1, 2) / 255).logits
    torch.testing.assert_close(predict_logits(network, batch, views=Views()), expected.detach())
    probabilities = predict_batch(network, batch, views=Views()).probabilities
    torch.testing.assert_close(probabilities, expected.detach().softmax(dim=1))


@pytest.mark.parametrize("size", [(64, 96), (37, 70)])
def test_logits_stay_on_the_decoder_s_grid_until_they_are_merged(
    size: tuple[int, int], tmp_path: Path
) -> None:
    """What is enlarged once, past the padding that the network adds, is what the network enlarges itself."""
    torch.manual_seed(0)
    network = build_network(load_preset("tiny", out=tmp_path).model).eval()
    batch = torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = network(batch.permute(0, 3, 1, 2) / 255).logits
    torch.testing.assert_close(predict_logits(network, batch, views=Views()), expected)
    mirrored = network(batch.flip(2).permute(0, 3, 1, 2) / 255).logits.detach().flip(-1)
    both = (expected.softmax(dim=1) + mirrored.softmax(dim=1)) / 2
    flipped = predict_batch(network, batch, views=Views(flip=True)).probabilities
    torch.testing.assert_close(flipped, both)


def test_alternate_flip_mirrors_every_second_scale(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(load_preset("tiny", out=tmp_path).model).eval()
    batch = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    straight = predict_batch(network, batch, views=Views(scales=(0.5,))).probabilities
    mirrored = predict_batch(network, batch.flip(2), views=Views()).probabilities.flip(-1)
    views = Views(scales=(0.5, 1.0), alternate_flip=True)
    torch.testing.assert_close(
        predict_batch(network, batch, views=views).probabilities, (straight + mirrored) / 2
    )
    with pytest.raises(UserError, match="one of them"):
        Views(flip=True, alternate_flip=True)


def test_flip_and_scales_average_probabilities() -> None:
    network = ColourNetwork(sharpness=3.0)
    single = [
        predict_probabilities(network, IMAGE, views=Views(scales=(scale,))).probabilities
        for scale in (0.5, 1.0)
    ]
    both = predict_probabilities(network, IMAGE, views=Views(scales=(0.5, 1.0))).probabilities
    np.testing.assert_allclose(both, np.mean(single, axis=0), atol=1e-6)


def test_views_smaller_than_the_image_are_averaged_at_half_the_size_of_the_largest() -> None:
    network = ColourNetwork(sharpness=3.0)
    small = [
        predict_probabilities(network, IMAGE, views=Views(scales=(scale,)), size=(10, 14)).probabilities
        for scale in (0.25, 0.5)
    ]
    both = predict_probabilities(network, IMAGE, views=Views(scales=(0.25, 0.5))).probabilities
    mean = torch.from_numpy(np.mean(small, axis=0))[None]
    np.testing.assert_allclose(both, resize(mean, (40, 56))[0].numpy(), atol=1e-6)


def test_windows_of_a_pointwise_network_change_nothing() -> None:
    network = ColourNetwork(sharpness=3.0)
    whole = predict_probabilities(network, IMAGE, views=Views()).probabilities
    slid = predict_probabilities(network, IMAGE, views=Views(window=(16, 16), overlap=0.4)).probabilities
    np.testing.assert_allclose(slid, whole, atol=1e-6)


def test_windows_run_in_batches() -> None:
    network = ColourNetwork()
    batch = torch.from_numpy(IMAGE)[None]
    predict_logits(network, batch, views=Views(window=(20, 28), overlap=0.0), window_batch=3)
    assert [size[0] for size in network.sizes] == [3, 1]


def test_input_height_sets_the_working_size_and_the_result_is_native() -> None:
    network = ColourNetwork()
    prediction = predict_probabilities(network, IMAGE, views=Views(input_height=20, scales=(1.0, 2.0)))
    assert [size[2:] for size in network.sizes] == [(20, 28), (40, 56)]
    assert prediction.entropy.shape == (40, 56)


def test_draws_repeat_with_the_seed_and_disagree_by_their_noise() -> None:
    network = ColourNetwork(sharpness=2.0, noise=2.0)
    views = Views(draws=6)
    first, again, other = (
        predict_probabilities(network, IMAGE, views=views, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.probabilities, other.probabilities)
    assert first.mutual_information is not None
    assert (first.mutual_information >= 0).all()
    assert (first.mutual_information <= first.entropy + 1e-5).all()
    still = predict_probabilities(ColourNetwork(sharpness=2.0), IMAGE, views=views)
    assert still.mutual_information is not None
    assert still.mutual_information.max() < 1e-5 < first.mutual_information.mean()


@pytest.mark.parametrize(
    "values",
    [
        {"scales": ()}, {"scales": (0.0,)}, {"overlap": 1.0}, {"window": (0, 4)}, {"draws": -1},
        {"input_height": 0},
    ],
)  # fmt: skip
def test_impossible_views_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Views(**values)  # type: ignore[arg-type]


def test_label_map_is_argmax_with_the_first_of_equals() -> None:
    scores = torch.randint(0, 4, (2, 19, 9, 11), generator=torch.Generator().manual_seed(0)).float()
    expected = scores.numpy().argmax(axis=1)
    np.testing.assert_array_equal(label_map(scores).numpy(), expected)
    strided = scores.contiguous(memory_format=torch.channels_last)
    assert scores.gather(1, label_map(strided).long()[:, None]).equal(scores.amax(dim=1, keepdim=True))


def test_broken_scores_are_refused() -> None:
    scores = torch.zeros(1, 3, 2, 2)
    scores[0, :, 1, 1] = float("nan")
    with pytest.raises(UserError, match="not numbers"):
        label_map(scores)


def test_groups_add_probabilities_before_the_argmax() -> None:
    probabilities = torch.tensor([0.4, 0.35, 0.25]).view(1, 3, 1, 1)
    assert label_map(probabilities).item() == 0
    assert label_map(grouped(probabilities, ((0,), (1, 2)))).item() == 1
    assert grouped(probabilities, ((0,), (1,), (2,))) is probabilities


def test_entropy_is_zero_when_sure_and_largest_when_uniform() -> None:
    assert entropy(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)).item() == 0
    assert entropy(torch.full((1, 19, 1, 1), 1 / 19)).item() == pytest.approx(np.log(19))
