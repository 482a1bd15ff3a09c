"""What a plan's file says, and what is wrong with it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from spn.benchmark.plan import BenchmarkPlan, read_plan
from spn.core.errors import UserError
from spn.core.plugins import VARIABLE
from spn.inference.tta import TestTimeAugmentation
from spn.methods.options import METHODS
from spn.training.presets import load_preset

ROOT = Path(__file__).parents[2]
PLAN = """
preset = "tiny"
baseline = "plain"
seeds = [3, 1]
data = ["gtav=data/gtav:train"]
validation = ["gtav=data/gtav:val"]
domains = ["cityscapes=data/cityscapes"]

[methods]
semantic = { title = "Semantic only", method.kind = "spn", model.prompt.kind = "semantic" }
plain = { method.kind = "baseline" }

[settings]
schedule.steps = 7
"""


def read(folder: Path, text: str) -> BenchmarkPlan:
    file = folder / "plan.toml"
    file.write_text(text)
    return read_plan(file, out=folder / "out")


def as_if_chosen(plan: BenchmarkPlan) -> BenchmarkPlan:
    """`plan` with the first candidate of each method that has any."""
    methods = [replace(m, choice=m.candidates[0] if m.candidates else m.choice) for m in plan.methods]
    return replace(plan, methods=tuple(methods))


def test_runs_go_seed_by_seed_with_the_baseline_first(tmp_path: Path) -> None:
    plan = read(tmp_path, PLAN)
    assert [run.name for run in plan.runs] == ["plain:3", "semantic:3", "plain:1", "semantic:1"]
    assert [run.title for run in plan.runs[:2]] == ["plain", "Semantic only"]
    assert plan.runs[1].config.out == tmp_path / "out" / "runs" / "semantic-3"
    assert plan.run("semantic:1") is plan.runs[3]
    with pytest.raises(UserError, match="no run 'semantic:2'; wanted VARIANT:SEED, one of plain:3"):
        plan.run("semantic:2")


def test_a_run_is_the_preset_the_settings_and_its_own_differences(tmp_path: Path) -> None:
    plain, semantic = (run.config for run in read(tmp_path, PLAN).runs[:2])
    tiny = load_preset("tiny", out=tmp_path)
    assert plain.schedule == replace(tiny.schedule, steps=7)
    assert plain.data == ("gtav=data/gtav:train",)
    assert plain.validation == ("gtav=data/gtav:val",)
    assert (plain.method.kind, semantic.method.kind) == ("baseline", "spn")
    assert semantic.model.prompt.kind == "semantic"
    same = replace(semantic, out=plain.out, method=plain.method, model=plain.model)
    assert same == plain, "variants differ in what the file says and in nothing else"


def test_tta_and_published_figures_are_read(tmp_path: Path) -> None:
    tta = "[tta]\ninput_height = 96\nscales = [0.75, 1.0]\n"
    extra = tta + '[published.P]\nsource = "S"\nmiou = { "cityscapes:val" = 36 }\n'
    plan = read(tmp_path, PLAN + extra)
    assert {(run.tta.input_height, run.tta.scales) for run in plan.runs} == {(96, (0.75, 1.0))}
    assert (plan.published["P"].source, plan.published["P"].miou) == ("S", {"cityscapes:val": 36.0})


def test_runs_are_seen_as_their_weights_say_unless_the_plan_says_otherwise(tmp_path: Path) -> None:
    carried = "tta.input_height = 128\ntta.flip = true\n"
    plan = read(tmp_path, PLAN + carried)
    assert {run.config.tta for run in plan.runs} == {TestTimeAugmentation(input_height=128, flip=True)}
    assert {run.tta for run in plan.runs} == {TestTimeAugmentation(input_height=128, flip=True)}
    plan = read(tmp_path, PLAN + carried + "[tta]\ninput_height = 96\n")
    assert {run.tta for run in plan.runs} == {TestTimeAugmentation(input_height=96)}


DRAWS = 'draws = { title = "8 draws", weights = "semantic", tta.num_samples = 8 }\nplain = {'


def test_weights_can_be_seen_in_another_way_without_another_training(tmp_path: Path) -> None:
    plan = read(tmp_path, PLAN.replace("plain = {", DRAWS) + "[tta]\ninput_height = 96\n")
    assert [run.name for run in plan.runs[:3]] == ["plain:3", "semantic:3", "draws:3"]
    semantic, draws = plan.runs[1:3]
    assert (semantic.trains, draws.trains) == (True, False)
    assert draws.config == semantic.config
    assert draws.folder == tmp_path / "out" / "runs" / "draws-3"
    assert draws.tta == replace(semantic.tta, num_samples=8)


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (DRAWS.replace('"semantic"', '"nothing"'), "weights is 'nothing'; wanted one of semantic, plain"),
        (DRAWS.replace("tta.num_samples", "method.views"), "method would change the training"),
        (DRAWS.replace("num_samples = 8", "num_samplez = 8"), "unknown field 'num_samplez'"),
        (DRAWS.replace("tta.num_samples = 8", "tta = 8"), r"methods\.draws\.tta: got 8"),
        (DRAWS.replace("tta.num_samples", "views.draws"), "views is called tta now"),
        (DRAWS.replace("num_samples = 8", "image_prior = 0.3"), r"prior is 0\.3, but trainings have none"),
        (DRAWS.replace("tta.num_samples", "tta.draws"), "its draws are num_samples"),
    ],
)
def test_weights_of_another_method_leave_no_other_choice_than_tta(
    tmp_path: Path, new: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        read(tmp_path, PLAN.replace("plain = {", new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds = [3, 1]", "", "field 'seeds' is missing"),
        ("seeds = [3, 1]", "seeds = [-1]", "expected `int` >= 0"),
        ("seeds = [3, 1]", "seeds = [3, 3]", "wanted one or more different numbers"),
        ("seeds = [3, 1]", 'seeds = ["a"]', r"seeds\[0\]"),
        ("seeds = [3, 1]", "sedes = [1]\nseeds = [1]", "unknown field 'sedes'"),
        ('"plain"', '"plane"', "baseline is 'plane'; wanted one of .*semantic, plain"),
        ("cityscapes=data/cityscapes", "citscapes=data", "unknown dataset 'citscapes'"),
        ('["cityscapes=data/cityscapes"]', "[]", r"domains: got \[\]"),
        ("plain = {", '"pl/ain" = {}\nplain = {', "a method is called 'pl/ain'"),
        (
            "schedule.steps",
            "schedule.stpes",
            "settings, schedule: unknown field 'stpes'; did you mean 'steps'",
        ),
        ("schedule.steps = 7", "schedule.steps = 0", "schedule.steps: got 0"),
        ("schedule.steps", "seed", "settings: seed cannot be set here"),
        ("model.prompt.kind", "out", "methods.semantic: out cannot be set here"),
        ('"Semantic only"', '"plain"', "methods share a title"),
        ('"Semantic only"', "3", r"methods\.semantic\.title: got 3"),
        ("schedule.steps", "runtime.devices", "runtime.devices is 7; .*--list"),
        ("[settings]", "[settings", "not valid TOML"),
        (
            "[settings]",
            '[published.P]\nsource = "S"\nmiou.citscapes = 3\n[settings]',
            "figures for citscapes",
        ),
        ("[settings]", "[published.P]\nmiou.cityscapes = 3\n[settings]", "field 'source' is missing"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read(tmp_path, PLAN.replace(old, new))


PLUGIN = """
from dataclasses import dataclass
from typing import Literal
from spn.methods.options import METHODS, BaselineOptions

@dataclass(frozen=True)
class OwnOptions(BaselineOptions):
    kind: Literal["own_of_a_plan"] = "own_of_a_plan"

@METHODS.register("own_of_a_plan", options=OwnOptions, title="Own")
class Own: ...
"""


TUNED = (
    PLAN
    + """
[tuning]
seeds = [0, 2]
domains = ["camvid=data/camvid:val"]
grid = { optimisation.learning_rate = [1e-3, 3e-3], optimisation.batch_size = [4] }
"""
)


def test_a_grid_is_tried_by_every_method_before_anything_is_chosen(tmp_path: Path) -> None:
    plan = read(tmp_path, TUNED)
    assert not plan.runs
    assert not plan.decided
    assert [run.name for run in plan.trials] == [
        f"{name}@{rate},4:{seed}"
        for seed in (0, 2)
        for name in ("plain", "semantic")
        for rate in (0.001, 0.003)
    ]
    trial = plan.run("semantic@0.003,4:2")
    assert trial.config.out == tmp_path / "out" / "runs" / "semantic@0.003,4-2"
    assert trial.folder == trial.config.out
    assert (trial.config.optimisation.learning_rate, trial.config.optimisation.batch_size) == (3e-3, 4)
    assert (trial.config.seed, trial.config.model.prompt.kind) == (2, "semantic")
    assert trial.domains == ("camvid=data/camvid:val",)
    with pytest.raises(UserError, match="those of other methods once their trials are finished"):
        plan.run("semantic:3")
    best = plan.methods[1].candidates[1]
    decided = replace(plan, methods=(plan.methods[0], replace(plan.methods[1], choice=best)))
    assert [run.name for run in decided.runs] == ["semantic:3", "semantic:1"]
    assert decided.runs[0].config == replace(
        trial.config, seed=3, out=tmp_path / "out" / "runs" / "semantic-3"
    ), "a run is trained as the trial was"
    assert decided.runs[0].domains == ("cityscapes=data/cityscapes",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds = [0, 2]", "seeds = [0, 3]", "seed 3 would report what it has chosen"),
        ("seeds = [0, 2]", "seeds = [0, 0]", "wanted one or more different numbers"),
        ("batch_size = [4]", "batch_size = 4", "optimisation.batch_size has no list of values"),
        ("batch_size = [4]", "batch_size = []", "optimisation.batch_size has no list of values"),
        ("grid = {", "grid = {} # {", "grid: it is empty"),
        ("batch_size = [4]", "batch_sizes = [4]", "batch_sizes"),
        ("[1e-3, 3e-3]", "[1e-3, 0.001]", "look alike"),
        ("camvid=", "camvids=", "camvids"),
        (
            'method.kind = "baseline"',
            'method.kind = "baseline", optimisation.learning_rate = 1e-2',
            "methods.plain sets optimisation.learning_rate, which tuning.grid chooses",
        ),
    ],
)
def test_mistakes_in_what_is_tuned_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TUNED
    with pytest.raises(UserError, match=re.escape(says)):
        read(tmp_path, TUNED.replace(old, new))


def test_a_method_like_another_starts_from_its_settings(tmp_path: Path) -> None:
    extra = (
        "stochastic = { like = 'wide', model.prompt.kind = 'stochastic' }\n"
        "wide = { like = 'semantic', title = 'W', model.prompt.width = 32 }\n"
    )
    plan = read(tmp_path, PLAN.replace("[settings]", f"{extra}[settings]"))
    config = plan.run("stochastic:3").config
    assert (config.method.kind, config.model.prompt.kind) == ("spn", "stochastic")
    assert config.model.prompt.width == plan.run("wide:3").config.model.prompt.width == 32  # type: ignore[attr-defined]
    assert [method.title for method in plan.methods if method.name == "stochastic"] == ["stochastic"]
    for wrong, says in (
        ("nothing", "like is 'nothing'; wanted one of"),
        ("stochastic", "are like each other"),
    ):
        with pytest.raises(UserError, match=says):
            read(tmp_path, PLAN.replace("[settings]", f"{extra.replace('semantic', wrong)}[settings]"))


def test_a_plugin_beside_the_plan_adds_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS._entries))
    (tmp_path / "plugin_of_a_plan.py").write_text(PLUGIN)
    text = PLAN.replace("plain = {", 'own_of_a_plan = { method.kind = "own_of_a_plan" }\nplain = {')
    with pytest.raises(UserError, match="no method 'own_of_a_plan'"):
        read(tmp_path, text)
    plan = read(tmp_path, 'plugins = ["plugin_of_a_plan.py"]' + text)
    assert [run.title for run in plan.runs[:3]] == ["plain", "Semantic only", "Own"]
    assert os.environ[VARIABLE] == str(tmp_path / "plugin_of_a_plan.py"), "processes it starts get it, too"
    with pytest.raises(UserError, match="plugin nothing_of_a_plan cannot be imported"):
        read(tmp_path, 'plugins = ["nothing_of_a_plan"]' + text)


def test_the_plan_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = ROOT / "docs" / "benchmark.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    plan = as_if_chosen(read(tmp_path, example))
    titles = {run.variant: run.title for run in plan.runs}
    assert (titles["baseline"], titles["spn"]) == ("Baseline", "SPN")
    assert not plan.run("samples:2").trains
    assert plan.run("samples:2").tta.num_samples == 8


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.toml")), ids=lambda file: file.stem)
def test_the_plans_of_this_repository_can_be_read(file: Path, tmp_path: Path) -> None:
    plan = as_if_chosen(read_plan(file, out=tmp_path))
    assert plan.runs[0].name == f"baseline:{plan.seeds[0]}"
    assert len(plan.runs) == len(plan.methods) * len(plan.seeds)
    assert {run.config.out for run in plan.runs if not run.trains} <= {
        r.config.out for r in plan.runs if r.trains
    }


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no benchmark file .*nothing\.toml"):
        read_plan(tmp_path / "nothing.toml", out=tmp_path)
