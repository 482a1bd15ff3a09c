"""The random bonnet: what it covers, what it leaves, and when it comes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spn.core.classes import IGNORE
from spn.methods.spn import HEIGHT, with_ego_vehicle

SIZE = (64, 96)


def street(images: int = 32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.rand(images, 3, *SIZE, generator=generator),
        torch.randint(0, 19, (images, *SIZE), generator=generator),
    )


def driven(probability: float, *, seed: int = 1) -> tuple[Tensor, Tensor]:
    return with_ego_vehicle(*street(), probability=probability, generator=torch.Generator().manual_seed(seed))


def test_only_what_the_bonnet_hides_changes_and_is_unlabelled() -> None:
    images, labels = street()
    seen, told = driven(1.0)
    hidden = told == IGNORE
    assert torch.equal(told[~hidden], labels[~hidden])
    shown = ~hidden[:, None].expand_as(images)
    assert torch.equal(seen[shown], images[shown])
    assert (seen[~shown] != images[~shown]).float().mean() > 0.9
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_the_bonnet_stands_on_the_lower_edge() -> None:
    hidden = driven(1.0)[1] == IGNORE
    assert torch.equal(hidden, hidden.cummax(dim=1).values), "a street below the bonnet"
    reach = hidden.any(dim=2).sum(dim=1) / SIZE[0]
    assert reach.min() >= HEIGHT[0] - 1 / SIZE[0]
    assert reach.max() <= HEIGHT[1] + 1 / SIZE[0]
    assert reach.std() > 0.03, "bonnets differ"


@pytest.mark.parametrize(("probability", "few", "many"), [(0.0, 0, 0), (0.5, 8, 24), (1.0, 32, 32)])
def test_it_comes_as_often_as_asked(probability: float, few: int, many: int) -> None:
    images, labels = street()
    seen, told = driven(probability)
    count = int((told == IGNORE).flatten(1).any(dim=1).sum())
    assert few <= count <= many
    untouched = (told == labels).flatten(1).all(dim=1)
    assert torch.equal(seen[untouched], images[untouched])


def test_the_generator_decides() -> None:
    first, again, other = driven(1.0), driven(1.0), driven(1.0, seed=2)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_half_precision_stays_half_precision() -> None:
    images, labels = street(2)
    seen, told = with_ego_vehicle(images.bfloat16(), labels, probability=1.0, generator=None)
    assert seen.dtype == torch.bfloat16
    assert told.dtype == labels.dtype


def test_a_step_without_second_views_passes() -> None:
    images, labels = street(1)
    seen, told = with_ego_vehicle(images[:0], labels[:0], probability=1.0, generator=None)
    assert seen.shape == (0, 3, *SIZE)
    assert told.shape == (0, *SIZE)
