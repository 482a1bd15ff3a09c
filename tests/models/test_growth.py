"""A network made deeper says what it said before, and its new blocks learn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.small_network import SMALL, waken
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.growth import can_grow, load_grown


def deeper(*layers: int, style_removal: bool = False) -> ModelConfig:
    return replace(SMALL, encoder=replace(SMALL.encoder, layers=layers, style_removal=style_removal))


def test_a_grown_network_says_what_the_trained_one_says_and_trains_its_new_blocks() -> None:
    trained = build_network(deeper(1, 1, 1, 1), seed=0).eval()
    waken(trained)
    grown = build_network(deeper(1, 2, 3, 1), seed=1).eval()
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    assert load_grown(grown, trained.state_dict()) == 3
    assert torch.equal(grown(images).logits, trained(images).logits)

    grown(images).logits.square().mean().backward()
    new = [
        weight for name, weight in grown.named_parameters() if name not in dict(trained.named_parameters())
    ]
    assert any(weight.grad is not None and weight.grad.any() for weight in new)


def test_anything_else_that_is_missing_is_an_error() -> None:
    network = build_network(deeper(1, 2, 1, 1), seed=0)
    weights = build_network(deeper(1, 1, 1, 1), seed=0).state_dict()
    decoder = next(name for name in weights if name.startswith("decoder."))
    with pytest.raises(ValueError, match="no part of a residual block"):
        load_grown(network, {name: value for name, value in weights.items() if name != decoder})
    removal = build_network(deeper(1, 1, 1, 1, style_removal=True), seed=0).state_dict()
    with pytest.raises(ValueError, match="has no place"):
        load_grown(build_network(deeper(1, 2, 1, 1, style_removal=True), seed=0), removal)
    for parameter in network.encoder.parameters():
        torch.nn.init.ones_(parameter)
    with pytest.raises(ValueError, match="does not start as the identity"):
        load_grown(network, weights)


@pytest.mark.parametrize(
    ("before", "after", "grows"),
    [
        ((1, 1, 1, 1), (1, 2, 2, 2), True),
        ((1, 2, 2, 2), (1, 2, 2, 2), False),
        ((1, 2, 2, 2), (1, 1, 3, 2), False),
        (None, (1, 2, 2, 2), False),
    ],
)
def test_only_more_blocks_are_growth(
    before: tuple[int, ...] | None, after: tuple[int, ...], grows: bool
) -> None:
    encoder = SMALL.encoder
    assert can_grow(replace(encoder, layers=before), replace(encoder, layers=after)) is grows
