"""Presets hold differences only, and mistakes in them are named."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spn.core.errors import UserError
from spn.core.records import from_plain, to_plain
from spn.models.build import build_network
from spn.training.config import TrainConfig
from spn.training.presets import apply_differences, load_preset, preset_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PRESETS = Path(__file__).parents[2] / "src" / "spn" / "presets"


def test_the_presets_are_there() -> None:
    assert {"tiny", "r50", "r101"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_loads_and_states_only_what_differs(name: str, tmp_path: Path) -> None:
    config = load_preset(name, out=tmp_path)
    default = to_plain(TrainConfig(out=tmp_path))

    def assert_differs(differences: dict[str, object], base: dict[str, object], where: str) -> None:
        for key, value in differences.items():
            if isinstance(value, dict):
                assert_differs(value, base[key], f"{where}.{key}")  # type: ignore[arg-type]
            else:
                assert value != base[key], f"{where}.{key} repeats the default"

    assert_differs(tomllib.loads((PRESETS / f"{name}.toml").read_text()), default, name)
    replace(config, data=("gtav=x",)).check()
    assert from_plain(TrainConfig, to_plain(config)) == config


def test_the_default_is_the_usual_recipe(tmp_path: Path) -> None:
    config = load_preset("r50", out=tmp_path)
    assert config == TrainConfig(out=tmp_path)
    assert (config.optimisation.learning_rate, config.optimisation.weight_decay) == (0.01, 5e-4)
    assert (config.schedule.steps, config.schedule.power) == (40_000, 0.9)
    assert config.sampling.tile == 1024


def test_a_deep_difference_keeps_its_neighbours(tmp_path: Path) -> None:
    base = TrainConfig(out=tmp_path)
    changed = apply_differences(base, "[augmentation.perturbation.jitter]\nhue = 0.2\n", source="test")
    jitter = changed.augmentation.perturbation.jitter
    assert jitter == replace(base.augmentation.perturbation.jitter, hue=0.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[schedule]\nstpes = 3\n", "unknown field 'stpes'; did you mean 'steps'"),
        ("[schedule]\nsteps = 'many'\n", "steps"),
        ("[schedule\n", "not valid TOML"),
        ("[model.encoder]\nchannels = [1, 'b']\n", "channels"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_preset(str(path), out=tmp_path)


def test_an_unknown_preset_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are r101, r50, tiny"):
        load_preset("huge", out=tmp_path)


def test_the_tiny_network_is_small(tmp_path: Path) -> None:
    network = build_network(load_preset("tiny", out=tmp_path).model)
    assert sum(parameter.numel() for parameter in network.parameters()) < 5e6
