"""A configuration survives JSON, and mistakes in it are named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from models.small_network import SMALL
from spn.core.errors import UserError
from spn.models.build import build_network
from spn.models.config import ModelConfig


@pytest.mark.parametrize("config", [ModelConfig(), SMALL, SMALL.baseline()])
def test_round_trip_through_json(config: ModelConfig) -> None:
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"encodr": {}}, "encodr"),
        ({"encoder": {"name": 5}}, "name"),
        ({"prompt": {"kind": "both"}}, "kind"),
        ({"scales": 1.0}, "scales"),
        ({"decoder": {"width": True}}, "width"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ModelConfig.from_dict(values)


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, num_classes=0),
        replace(SMALL, prompt=replace(SMALL.prompt, groups=0)),
        replace(SMALL, prompt=replace(SMALL.prompt, tokens=0)),
        replace(SMALL, decoder=replace(SMALL.decoder, refine_convolutions=(0, 1))),
    ],
)
def test_parts_of_no_size_are_refused(config: ModelConfig) -> None:
    with pytest.raises(UserError, match="is 0; wanted at least 1"):
        build_network(config, seed=0)
