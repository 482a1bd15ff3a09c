"""Presets hold differences only, and mistakes in them are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spn.core.errors import UserError
from spn.core.records import from_plain, to_plain
from spn.models.build import build_network
from spn.models.decoders.options import Skip
from spn.models.encoders.options import TimmOptions
from spn.training.config import TrainConfig, resolved
from spn.training.presets import REGISTRIES, changed_fields, load_preset, preset_lineage, preset_names


def test_the_presets_are_there() -> None:
    assert {"tiny", "r101", "gtav_r50", "gtav_r101", "gtav_convnext"} <= set(preset_names())


def _kind(config: TrainConfig, path: str) -> str:
    part: Any = config
    for name in path.split("."):
        part = getattr(part, name)
    return str(part.kind)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_loads_and_states_only_what_differs(name: str, tmp_path: Path) -> None:
    config = load_preset(name, out=tmp_path)
    file = preset_lineage(name)[0]
    tables = {f"{registry.kind}s": registry for registry in REGISTRIES.values()}
    kinds = {path: _kind(config, path) for path in REGISTRIES}
    start = load_preset(file.base or "", out=tmp_path, kinds=kinds) if file.base else None
    if start is None:
        (tmp_path / "empty.toml").write_text("")
        start = load_preset(str(tmp_path / "empty.toml"), out=tmp_path, kinds=kinds)

    def assert_differs(differences: dict[str, object], base: dict[str, object], where: str) -> None:
        for key, value in differences.items():
            if key in tables:
                for kind, fields in value.items():  # type: ignore[attr-defined]
                    assert_differs(fields, to_plain(tables[key].entry(kind).options()), f"{where}.{key}")
            elif key == "kind" and value in tables["encoders"].names():
                continue  # `start` has the kind that the preset chooses
            elif isinstance(value, dict):
                assert_differs(value, base[key], f"{where}.{key}")  # type: ignore[arg-type]
            else:
                assert value != base[key], f"{where}.{key} repeats what it starts from"

    assert file.description
    assert_differs(dict(file.differences), to_plain(start), name)
    replace(config, data=("gtav=x",)).check()
    assert from_plain(TrainConfig, to_plain(config)) == config


def test_the_default_is_the_usual_recipe(tmp_path: Path) -> None:
    config = load_preset("gtav_r50", out=tmp_path)
    assert (config.optimisation.learning_rate, config.optimisation.weight_decay) == (0.01, 5e-4)
    assert (config.schedule.steps, config.schedule.power) == (40_000, 0.9)
    assert config.sampling.tile == 1024


def test_gtav_r50_is_the_recipe_of_the_public_code(tmp_path: Path) -> None:
    config = load_preset("gtav_r50", out=tmp_path)
    model, decoder, optimisation = config.model, config.model.decoder, config.optimisation
    assert (model.encoder.output_stride, decoder.dilations, decoder.width) == (16, (6, 12, 18), 256)
    assert decoder.skips == (Skip(stride=4, width=48, out=256, convolutions=2),)
    assert (decoder.separable, model.auxiliary, model.auxiliary_width) == (False, True, 512)
    assert config.loss.auxiliary_weight == 0.4
    assert (optimisation.optimiser, optimisation.learning_rate) == ("sgd", 0.01)
    assert (optimisation.momentum, optimisation.weight_decay) == (0.9, 5e-4)
    assert (optimisation.batch_size, config.schedule.steps, config.schedule.power) == (8, 40_000, 0.9)
    augmentation = config.augmentation
    assert (augmentation.crop_height, augmentation.crop_width, augmentation.flip) == (768, 768, 0.5)
    assert (augmentation.scale_min, augmentation.scale_max) == (0.5, 2.0)
    jitter = augmentation.jitter
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (0.4, 0.4, 0.4, 0.1)
    assert (jitter.probability, augmentation.blur.sigma) == (0.5, (0.15, 1.3))
    assert (config.sampling.class_uniform, config.sampling.tile) == (0.5, 1024)
    assert (config.pretrained, config.loss.class_balance, config.schedule.keep) == (True, 0, "last")


def test_gtav_r101_differs_from_gtav_r50_in_its_encoder_alone(tmp_path: Path) -> None:
    small, large = (changed_fields(load_preset(name, out=tmp_path)) for name in ("gtav_r50", "gtav_r101"))
    assert {name for name in small if small[name] != large.get(name)} == {"model.encoder.name"}
    assert set(small) == set(large)


def test_lite0_gives_spn_tokens_and_the_recipes_for_streets_keep_them(tmp_path: Path) -> None:
    def encoder(kind: str, name: str = "lite0") -> TimmOptions:
        options = resolved(load_preset(name, out=tmp_path, kinds={"method": kind})).model.encoder
        assert isinstance(options, TimmOptions)
        return options

    assert (encoder("spn").tokens.kind, encoder("spn").tokens.first_block) == ("semantic", 6)
    for kind in ("baseline", "isw", "mrfp_plus"):
        assert encoder(kind).tokens.kind == "none", kind
    recipe = Path(__file__).parents[2] / "recipes/streets/3_full.toml"
    assert encoder("spn", str(recipe)) == encoder("spn", "streets") == encoder("spn")


def test_a_preset_may_start_from_another(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text('base = "tiny"\n[schedule]\nsteps = 7\n')
    (tmp_path / "second.toml").write_text('base = "first.toml"\n[schedule]\nwarmup_steps = 3\n')
    config = load_preset(str(tmp_path / "second.toml"), out=tmp_path)
    tiny = load_preset("tiny", out=tmp_path)
    assert config == replace(tiny, schedule=replace(tiny.schedule, steps=7, warmup_steps=3))
    (tmp_path / "first.toml").write_text('base = "second.toml"\n')
    with pytest.raises(UserError, match=r"start from each other: .*second.toml → .*first.toml → .*second"):
        load_preset(str(tmp_path / "second.toml"), out=tmp_path)
    (tmp_path / "first.toml").write_text("base = 3\n")
    with pytest.raises(UserError, match="base is 3; wanted the name of a preset"):
        load_preset(str(tmp_path / "first.toml"), out=tmp_path)


def test_a_deep_difference_keeps_its_neighbours(tmp_path: Path) -> None:
    base = load_preset("gtav_r50", out=tmp_path)
    table = {"augmentation": {"perturbation": {"jitter": {"hue": 0.2}}}}
    changed = load_preset("gtav_r50", out=tmp_path, tables=[("test", table)])
    jitter = changed.augmentation.perturbation.jitter
    assert jitter == replace(base.augmentation.perturbation.jitter, hue=0.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[schedule]\nstpes = 3\n", "unknown field 'stpes'; did you mean 'steps'"),
        ("[schedule]\nsteps = 'many'\n", "steps"),
        ("[runtime]\nprecision = '16-mixed'\n", "16-mixed is called runtime.precision 16 now"),
        ("[model.block_prompt]\nkind = 'none'\n", "it is called model.encoder.prompt .* now"),
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
    with pytest.raises(UserError, match=r"there are gtav_convnext, .*tiny"):
        load_preset("huge", out=tmp_path)


def test_the_tiny_network_is_small(tmp_path: Path) -> None:
    network = build_network(load_preset("tiny", out=tmp_path).model)
    assert sum(parameter.numel() for parameter in network.parameters()) < 5e6
