"""A configuration survives JSON, and mistakes in it are named."""

from __future__ import annotations

import json

import pytest

from models.small_network import SMALL
from spn.core.errors import UserError
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
