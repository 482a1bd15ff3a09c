"""A network made larger says what it said before, and its new parts learn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.small_network import SECOND, SMALL, prompt, waken
from spn.models.build import build_network, grown, load_grown
from spn.models.config import ModelConfig


def deeper(*layers: int, style_removal: bool = False) -> ModelConfig:
    return replace(SMALL, encoder=replace(SMALL.encoder, layers=layers, style_removal=style_removal))


def detailed(config: ModelConfig = SMALL) -> ModelConfig:
    return replace(config, decoder=replace(config.decoder, detail_width=6))


def striped(config: ModelConfig = SMALL, *, strips: int = 2) -> ModelConfig:
    return replace(config, decoder=replace(config.decoder, strips=strips, strip_length=5))


@pytest.mark.parametrize(
    ("wanted", "parts", "expected"),
    [
        (deeper(1, 2, 3, 1), 3, {"layer"}),
        (detailed(deeper(1, 1, 1, 2)), 2, {"layer", "detail"}),
        (detailed(deeper(1, 1, 1, 1)), 1, {"detail"}),
        (striped(deeper(1, 1, 1, 1)), 2, {"strips"}),
        (striped(detailed(deeper(1, 1, 2, 1))), 4, {"layer", "detail", "strips"}),
    ],
)
def test_a_grown_network_says_what_the_trained_one_says_and_trains_its_new_parts(
    wanted: ModelConfig, parts: int, expected: set[str]
) -> None:
    trained = build_network(deeper(1, 1, 1, 1), seed=0).eval()
    waken(trained)
    network = build_network(wanted, seed=1).eval()
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    assert load_grown(network, trained.state_dict()) == parts
    before, after = (net(images, upsample=False).logits for net in (trained, network))
    if wanted.decoder.detail_width:  # on a grid twice as fine
        before = torch.nn.functional.interpolate(before, after.shape[-2:], mode="bilinear")
    assert torch.equal(after, before)

    network(images).logits.square().mean().backward()
    new = {
        name: weight
        for name, weight in network.named_parameters()
        if name not in dict(trained.named_parameters())
    }
    kinds = {name.split(".")[1] if name.startswith("decoder.") else "layer" for name in new}
    assert kinds == expected
    for kind in kinds:
        gradients = [weight.grad for name, weight in new.items() if kind in name]
        assert any(grad is not None and grad.any() for grad in gradients), kind


@pytest.mark.parametrize("wanted", [SMALL, SECOND], ids=["first form", "second form"])
def test_a_baseline_grows_into_spn_which_says_what_it_said_and_learns(wanted: ModelConfig) -> None:
    encoder = replace(SMALL.encoder, style_removal=False)
    plain = replace(SMALL, encoder=encoder, scales=(1.0,), prompt=prompt("none"))
    assert grown(plain, wanted) == wanted
    trained = build_network(plain, seed=0)
    waken(trained)
    images = torch.rand(2, 3, 128, 192, generator=torch.Generator().manual_seed(0))
    trained(images)  # statistics that are not the first ones
    network = build_network(wanted, seed=1)
    assert load_grown(network, trained.state_dict()) > 1
    for name, of in network.encoder.stands_for().items():
        assert torch.equal(network.encoder.state_dict()[name], network.encoder.state_dict()[of])
    assert torch.equal(network.eval()(images).logits, trained.eval()(images).logits)

    network(images, num_samples=1).logits.square().mean().backward()
    shares = [p for name, p in network.named_parameters() if name.endswith((".strength", ".share"))]
    assert all(share.grad is not None for share in shares)
    assert sum(bool(share.grad.any()) for share in shares if share.grad is not None) > len(shares) / 2


def test_anything_else_that_is_missing_is_an_error() -> None:
    network = build_network(detailed(deeper(1, 2, 1, 1)), seed=0)
    weights = build_network(deeper(1, 1, 1, 1), seed=0).state_dict()
    decoder = next(name for name in weights if name.startswith("decoder."))
    with pytest.raises(ValueError, match="no part of a new block"):
        load_grown(network, {name: value for name, value in weights.items() if name != decoder})
    removal = build_network(deeper(1, 1, 1, 1, style_removal=True), seed=0).state_dict()
    with pytest.raises(ValueError, match="has no place"):
        load_grown(build_network(deeper(1, 2, 1, 1, style_removal=True), seed=0), removal)
    for part in ("layer2.1", "detail", "strips.1"):
        network = build_network(striped(detailed(deeper(1, 2, 1, 1))), seed=0)
        for name, parameter in network.named_parameters():
            if part in name:
                torch.nn.init.ones_(parameter)
        with pytest.raises(ValueError, match=f"{part} is new"):
            load_grown(network, weights)


@pytest.mark.parametrize(
    ("before", "after", "grows"),
    [
        ((1, 1, 1, 1), (1, 2, 2, 2), True),
        ((1, 2, 2, 2), (1, 2, 2, 2), True),
        ((1, 2, 2, 2), (1, 1, 3, 2), False),
        ((1, 2, 2), (1, 2, 2, 2), False),
        (None, (1, 2, 2, 2), False),
    ],
)
def test_only_more_blocks_are_growth(
    before: tuple[int, ...] | None, after: tuple[int, ...], grows: bool
) -> None:
    encoder = SMALL.encoder
    trained, wanted = (replace(SMALL, encoder=replace(encoder, layers=layers)) for layers in (before, after))
    assert (grown(trained, wanted) == wanted) is grows


def test_a_detail_branch_is_growth_but_not_another_one_and_nothing_else_is() -> None:
    assert grown(SMALL, detailed()) == detailed()
    assert grown(detailed(), SMALL) == detailed()
    other = replace(SMALL, decoder=replace(SMALL.decoder, detail_width=7))
    assert grown(detailed(), other) == detailed()
    assert grown(SMALL, replace(other, auxiliary_width=9)) == other


def test_strip_blocks_are_growth_where_there_were_none() -> None:
    assert grown(SMALL, striped(detailed())) == striped(detailed())
    assert grown(striped(), SMALL) == striped()
    assert grown(striped(), striped(strips=3)) == striped()


@pytest.mark.parametrize("how", [{"frozen_stages": 4, "frozen_norms": True}, {"drop_path_rate": 0.1}])
def test_how_an_encoder_is_trained_is_no_part_of_the_network(how: dict[str, float]) -> None:
    frozen = replace(SMALL, encoder=replace(SMALL.encoder, **how))
    assert grown(frozen, SMALL) == SMALL
    assert grown(SMALL, frozen) == frozen
    trained = build_network(frozen, seed=0).eval()
    waken(trained)
    network = build_network(SMALL, seed=1).eval()
    assert load_grown(network, trained.state_dict()) == 0
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images).logits, trained(images).logits)
    assert all(parameter.requires_grad for parameter in network.parameters())
