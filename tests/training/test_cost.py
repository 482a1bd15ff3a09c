"""Costs without training: they follow the network that is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.small_network import SMALL, SMALL_VIT
from spn.methods.options import METHODS, BaselineOptions
from spn.models.build import build_network
from spn.training.config import TrainConfig
from spn.training.cost import measure_cost
from spn.training.presets import load_preset, preset_names
from spn.transforms.config import AugmentationConfig

CONFIG = TrainConfig(out=Path(), model=SMALL, augmentation=AugmentationConfig(crop_height=64, crop_width=96))


def test_parameters_are_those_of_the_network_that_is_trained() -> None:
    for config, model in ((CONFIG, SMALL), (replace(CONFIG, method=BaselineOptions()), SMALL.baseline())):
        network = build_network(model)
        assert measure_cost(config).parameters == sum(p.numel() for p in network.parameters())


def test_what_is_frozen_is_not_trainable() -> None:
    cost = measure_cost(replace(CONFIG, model=SMALL_VIT))
    network = build_network(SMALL_VIT)
    assert cost.trainable == sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert cost.trainable < cost.parameters


def test_flops_grow_with_the_crop_and_with_what_spn_adds() -> None:
    cost = measure_cost(CONFIG)
    assert measure_cost(replace(CONFIG, method=BaselineOptions())).flops < cost.flops
    larger = AugmentationConfig(crop_height=128, crop_width=96)
    assert measure_cost(replace(CONFIG, augmentation=larger)).flops == pytest.approx(2 * cost.flops, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("method", METHODS.names())
def test_every_preset_has_a_cost_for_every_method(preset: str, method: str) -> None:
    if preset in ("gtav_dinov2_l", "gtav_eva02_l") and method in ("ibn", "isw", "shade"):
        pytest.skip("these change the encoder, which is frozen")
    assert measure_cost(load_preset(preset, out=Path(), kinds={"method": method})).flops > 0
