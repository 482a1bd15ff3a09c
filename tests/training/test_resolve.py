"""What is recorded is what is trained, and what is not trained cannot be asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spn.core.errors import UserError
from spn.core.records import from_plain, to_plain
from spn.methods.options import METHODS
from spn.models.build import build_network
from spn.training.config import TrainConfig, resolved
from spn.training.presets import load_preset, preset_names

CHANGES_THE_ENCODER = ("ibn", "isw", "shade")
"""They refuse one that is frozen."""


def asked(preset: str, method: str) -> TrainConfig:
    return load_preset(preset, out=Path("run"), kinds={"method": method})


def recorded(config: TrainConfig) -> TrainConfig:
    """As it comes back from config.json."""
    return from_plain(TrainConfig, json.loads(json.dumps(to_plain(config))))


@pytest.mark.parametrize("method", METHODS.names())
def test_a_network_built_from_the_record_is_the_one_that_is_trained(method: str) -> None:
    config = asked("tiny", method)
    trained = build_network(config.method.resolve(config.model), seed=3).eval()
    rebuilt = build_network(recorded(resolved(config)).model, seed=3).eval()
    assert trained.state_dict().keys() == rebuilt.state_dict().keys()
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(trained(images).logits, rebuilt(images).logits)


PRESETS = [
    pytest.param(name, marks=pytest.mark.slow if name.endswith("_l") else ()) for name in preset_names()
]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS.names())
def test_the_record_has_the_parameters_of_every_preset_and_method(preset: str, method: str) -> None:
    config = asked(preset, method)
    if config.model.encoder.kind == "frozen_vit" and method in CHANGES_THE_ENCODER:
        with pytest.raises(UserError, match="frozen"):
            resolved(config)
        return
    settled = resolved(config)
    assert resolved(settled) == settled
    assert recorded(settled) == settled
    with torch.device("meta"):
        trained = build_network(config.method.resolve(config.model))
        rebuilt = build_network(recorded(settled).model)
    shapes = [{name: p.shape for name, p in n.state_dict().items()} for n in (trained, rebuilt)]
    assert shapes[0] == shapes[1]


def test_the_baseline_is_recorded_without_what_it_does_not_have() -> None:
    model = resolved(asked("tiny", "baseline")).model
    assert model.prompt.kind == "none"
    assert model.scales == (1.0,)
    assert model.encoder.style_removal is False


def test_no_auxiliary_weight_means_no_auxiliary_head() -> None:
    config = asked("tiny", "spn")
    config = replace(config, loss=replace(config.loss, auxiliary_weight=0.0))
    assert resolved(config).model.auxiliary is False


@pytest.mark.parametrize(
    ("method", "name", "users"),
    [
        ("baseline", "model.prompt.kind", "spn"),
        ("baseline", "model.prompt.tokens", "spn"),
        ("isw", "model.scales", "spn"),
        ("mixstyle", "model.encoder.style_removal", "spn"),
    ],
)
def test_an_option_that_the_method_overrides_is_refused_with_who_uses_it(
    method: str, name: str, users: str
) -> None:
    config = asked("tiny", method)
    with pytest.raises(UserError, match=f"method {method} .* uses it: .*{users}"):
        resolved(config, names=[name])


def test_what_stays_as_asked_for_is_accepted() -> None:
    config = asked("tiny", "spn")
    resolved(config, names=["model.prompt.kind", "model.scales", "loss.label_stride"])
    config = asked("tiny", "baseline")
    resolved(config, names=["model.decoder.width", "model.encoder.name"])
