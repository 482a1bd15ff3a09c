"""A configuration survives JSON, and mistakes in it are named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from models.small_network import SMALL
from spn.core.errors import UserError
from spn.core.records import to_plain
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.encoders.options import FrozenViTOptions, TimmOptions
from spn.models.prompts.options import SemanticOptions


@pytest.mark.parametrize("config", [ModelConfig(), SMALL, SMALL.baseline()])
def test_round_trip_through_json(config: ModelConfig) -> None:
    assert ModelConfig.from_dict(json.loads(json.dumps(to_plain(config)))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"encodr": {}}, "encodr"),
        ({"encoder": {"kind": "timm", "name": 5}}, "name"),
        ({"prompt": {"kind": "both"}}, "both"),
        ({"scales": 1.0}, "scales"),
        ({"decoder": {"kind": "deeplab", "width": True}}, "width"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ModelConfig.from_dict(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_classes": 0},
        {"prompt": {"groups": 0}},
        {"prompt": {"tokens": 0}},
        {"decoder": {"width": 0}},
        {"encoder": {"drop_path_rate": -0.1}},
    ],
)
def test_parts_of_no_size_are_refused(changes: dict[str, Any]) -> None:
    plain = to_plain(SMALL)
    for name, value in changes.items():
        plain[name] = {**plain[name], **value} if isinstance(value, dict) else value
    with pytest.raises(UserError, match=r"got (0|-0\.1)|is 0"):
        ModelConfig.from_dict(plain)


def test_a_configuration_made_in_python_is_checked_when_it_is_built() -> None:
    with pytest.raises(UserError, match=r"model\.decoder\.strips: got -1"):
        build_network(replace(SMALL, decoder=replace(SMALL.decoder, strips=-1)), seed=0)


VERSION_1 = {
    "encoder": {"name": "resnet18", "family": "convolutional", "level_width": 256, "channels": [8, 8, 8, 8]},
    "scales": [1.0, 0.5],
    "block_prompt": {"kind": "none", "width": 128},
    "prompt": {"kind": "semantic", "width": 8, "tokens": 4, "groups": 3, "noise": "pixel"},
    "decoder": {"width": 16, "skip_strides": [8, 4], "skip_widths": [8, 4], "refine_widths": [16, 12],
                "refine_convolutions": [1, 2]},
}  # fmt: skip


def test_a_configuration_of_version_1_is_read() -> None:
    config = ModelConfig.from_dict(VERSION_1)
    assert config.encoder == TimmOptions(name="resnet18", channels=(8, 8, 8, 8), style_removal=False)
    assert config.prompt == SemanticOptions(width=8, tokens=4)
    assert config.decoder == DeepLabOptions(width=16, skips=(Skip(8, 8, 16, 1), Skip(4, 4, 12, 2)))
    frozen = {**VERSION_1, "encoder": {"name": "test_vit", "family": "frozen_vit", "level_width": 12}}
    assert ModelConfig.from_dict(frozen).encoder == FrozenViTOptions(name="test_vit", level_width=12)
