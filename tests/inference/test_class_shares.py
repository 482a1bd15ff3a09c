"""The prior of an image's own classes: what it does to probabilities, and where it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.colour_network import ColourNetwork, painted, random_blocks
from spn.core.classes import CLASS_NAMES
from spn.core.errors import UserError
from spn.inference.class_shares import LEAST, ClassShares, expected
from spn.inference.model import Model
from spn.inference.tta import TestTimeAugmentation, protocol

EVEN = (1 / 19,) * 19
IMAGE = painted(random_blocks(np.random.default_rng(1), height=40, width=56))


def _maps(seed: int, *, classes: int = 5, images: int = 2) -> torch.Tensor:
    stream = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(images, classes, 6, 8, generator=stream)).softmax(dim=1)


@given(seed=st.integers(0, 50), power=st.floats(0.05, 1))
def test_classes_that_an_image_shows_are_expected_more(seed: int, power: float) -> None:
    maps = _maps(seed)
    before, usual = maps.clone(), (0.4, 0.3, 0.2, 0.05, 0.05)
    found = expected(maps, usual, power)
    assert torch.equal(maps, before)  # a video's running average must stay as it is
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, 6, 8))
    for image, own in zip(maps, found, strict=True):
        best = image.argmax(dim=0)
        for one in range(5):
            share = max(float((best == one).float().mean()), LEAST)
            other = (one + 1) % 5
            others = max(float((best == other).float().mean()), LEAST)
            odds = (share / usual[one] / (others / usual[other])) ** power
            torch.testing.assert_close(
                own[one] / own[other], odds * image[one] / image[other], rtol=1e-3, atol=1e-5
            )
    alone = torch.cat([expected(image[None], usual, power) for image in maps])
    torch.testing.assert_close(alone, found)


def test_an_image_like_the_usual_one_changes_nothing() -> None:
    maps = torch.eye(4).repeat(1, 4).view(1, 4, 4, 4) * 0.6 + 0.1
    torch.testing.assert_close(expected(maps, (0.25,) * 4, 0.5), maps)


def test_broken_scores_stay_broken() -> None:
    maps = _maps(0)
    maps[1, 2, 3, 4] = torch.nan
    found = expected(maps, (0.2,) * 5, 0.3)
    assert torch.isfinite(found[0]).all()
    assert torch.isnan(found[1, :, 3, 4]).all()


def test_doubtful_pixels_follow_the_image_and_sure_ones_stay() -> None:
    """Of 100 pixels 90 are road beyond doubt, 9 sky, and one is torn between road and a class not there."""
    maps = torch.full((1, 3, 10, 10), 0.005)
    maps[0, 0, :9], maps[0, 1, 9] = 0.99, 0.99
    maps[0, :, 9, 9] = torch.tensor([0.45, 0.05, 0.5])
    found = expected(maps, (0.5, 0.4, 0.1), 0.3)
    wanted = maps.argmax(dim=1)
    wanted[0, 9, 9] = 0
    assert torch.equal(found.argmax(dim=1), wanted)


def test_a_model_uses_it_where_asked_to_and_says_so() -> None:
    network = ColourNetwork()
    plain = Model(network, tta=TestTimeAugmentation())
    usual = (0.5, *(0.5 / 18,) * 18)
    prior = replace(plain, tta=TestTimeAugmentation(image_prior=0.5, usual_shares=usual))
    before, after = (model.predict(IMAGE, probabilities=True) for model in (plain, prior))
    assert before.probabilities is not None
    maps = plain.probabilities(torch.from_numpy(IMAGE)[None], IMAGE.shape[:2])[0]
    wanted = expected(maps, usual, 0.5)[0].half()
    assert after.probabilities is not None
    np.testing.assert_allclose(after.probabilities, wanted.numpy(), atol=2e-3)
    assert not np.allclose(after.probabilities, before.probabilities, atol=2e-3)
    assert protocol(prior.tta)["name"] == "whole-native-prior0.5"
    assert protocol(replace(prior.tta, image_prior=0.0))["name"] == "whole-native"


def test_weights_bring_their_prior_along_whatever_else_is_asked_for() -> None:
    released = TestTimeAugmentation(64, (0.75, 1.0), image_prior=0.3, usual_shares=EVEN)
    for asked in (
        TestTimeAugmentation(), TestTimeAugmentation(input_height=96), TestTimeAugmentation(scales=(1.0,)),
        TestTimeAugmentation(flip=True),
    ):  # fmt: skip
        seen = asked.completed(released)
        assert (seen.image_prior, seen.usual_shares) == (0.3, EVEN)
        off = replace(asked, image_prior=0.0).completed(released)
        assert off == replace(seen, image_prior=0.0)
    assert TestTimeAugmentation(input_height=96).completed(TestTimeAugmentation(64)).image_prior is None


def test_a_prior_without_usual_shares_is_refused() -> None:
    with pytest.raises(UserError, match=r"the usual share of each of 19 classes, .* come with 0; wanted"):
        Model(ColourNetwork(), tta=TestTimeAugmentation(image_prior=0.3))
    with pytest.raises(UserError, match=r"image prior 1\.5: wanted 0 to 1"):
        TestTimeAugmentation(image_prior=1.5)
    with pytest.raises(UserError, match=r"usual shares .*: wanted more than 0 each"):
        TestTimeAugmentation(image_prior=0.5, usual_shares=(0.5, 0.0))


def test_a_table_gives_the_usual_shares_in_the_order_of_the_classes(tmp_path: Path) -> None:
    model = Model(ColourNetwork())
    table = {name: float(number) for number, name in reversed([*enumerate(CLASS_NAMES)])}
    shares = ClassShares(table, table, usual=table, image_prior=0.2)
    seen = shares.seen_with(TestTimeAugmentation(32), model.label_space)
    assert (seen.input_height, seen.image_prior) == (32, 0.2)
    np.testing.assert_allclose(seen.usual_shares, [LEAST, *(number / 171 for number in range(1, 19))])
    assert replace(shares, image_prior=0.0).seen_with(TestTimeAugmentation(), model.label_space) == (
        TestTimeAugmentation()
    )
    with pytest.raises(UserError, match=r"\[usual\] of the class shares lacks road"):
        replace(shares, usual={}).seen_with(TestTimeAugmentation(), model.label_space)
