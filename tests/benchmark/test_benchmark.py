"""A whole benchmark of two methods and two seeds: interrupted, continued, run by run, and reported."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmark.miniature_plan import write_data, write_plan
from spn.benchmark.plan import read_plan
from spn.benchmark.runs import Job, check_plan, run_jobs
from spn.cli.main import dispatch
from spn.core.classes import CLASS_NAMES
from spn.core.errors import DatasetError
from spn.evaluation import run as evaluation
from spn.evaluation.counts import Calibration, read_counts
from spn.evaluation.results import read_results
from spn.inference.weights import load

RUNS = ("baseline-0", "one-view-0", "baseline-1", "one-view-1")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    write_data(folder)
    return write_plan(folder, data=folder)


@pytest.fixture(scope="module")
def finished(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interrupted in the evaluation of its second run, then repeated."""
    out = tmp_path_factory.mktemp("benchmark")
    arguments = ["benchmark", str(plan), "--out", str(out)]
    evaluate, calls = evaluation.evaluate_run, []

    def interrupted(*positional: object, **named: object) -> None:
        calls.append(positional)
        if len(calls) == 2:
            raise KeyboardInterrupt
        evaluate(*positional, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "evaluate_run", interrupted)
        assert dispatch(arguments) == 130
    trained = sorted(path.parent.name for path in out.rglob("runs/*/model.safetensors"))
    assert trained == sorted(RUNS[:2])
    before = _logs(out, RUNS[:2])
    assert dispatch(arguments) == 0
    assert _logs(out, RUNS[:2]) == before, "finished trainings were repeated"
    return out


def _logs(out: Path, names: tuple[str, ...]) -> list[str]:
    return [(out / "runs" / name / "log.jsonl").read_text() for name in names]


def _table(out: Path) -> list[dict[str, str]]:
    text = (out / "report" / "table.csv").read_text()
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_trained_as_planned_and_evaluated_everywhere(finished: Path, name: str) -> None:
    folder = finished / "runs" / name
    variant, _, seed = name.rpartition("-")
    info = load(folder, fold=False).info
    assert (info["method"], info["seed"]) == ("baseline" if variant == "baseline" else "spn", int(seed))
    config = json.loads((folder / "config.json").read_text())
    assert config["method"].get("views") == (1 if variant == "one-view" else None)
    assert config["model"]["prompt"]["kind"] == ("hybrid" if variant == "one-view" else "none")
    results = json.loads((folder / "evaluation" / "results.json").read_text())
    places = [(domain["key"], domain["split"], domain["images"]) for domain in results["domains"]]
    assert places == [
        ("cityscapes", "val", 2),
        ("foggy_cityscapes", "val@beta_0.005", 2),
        ("foggy_cityscapes", "val@beta_0.02", 2),
    ]


def test_the_table_follows_from_the_results(finished: Path) -> None:
    rows = [row for row in _table(finished) if row["domain"] == "Cityscapes (simulated)"]
    assert [(row["method"], row["source"]) for row in rows] == [
        ("Baseline", "measured"), ("SPN, one view", "measured"), ("Paper", "published"),
    ]  # fmt: skip
    mious = {}
    for name in RUNS:
        results = json.loads((finished / "runs" / name / "evaluation" / "results.json").read_text())
        mious[name] = 100 * results["domains"][0]["miou"]
    mine = np.array([mious["one-view-0"], mious["one-view-1"]])
    base = np.array([mious["baseline-0"], mious["baseline-1"]])
    assert float(rows[0]["mean"]) == pytest.approx(base.mean(), abs=1e-4)
    assert float(rows[0]["std"]) == pytest.approx(base.std(ddof=1), abs=1e-4)
    assert float(rows[1]["difference"]) == pytest.approx((mine - base).mean(), abs=1e-4)
    half = 12.7062 * (mine - base).std(ddof=1) / np.sqrt(2)
    assert rows[1]["seeds"] == "2"
    assert float(rows[1]["seeds high"]) == pytest.approx((mine - base).mean() + half, abs=1e-3)
    assert rows[1]["images"] == "2"
    assert float(rows[1]["images low"]) <= float(rows[1]["images high"])
    assert rows[2]["mean"] == "36.5800"


def test_the_document_shows_table_curve_and_source(finished: Path) -> None:
    report = finished / "report"
    text = (report / "benchmark.md").read_text()
    for words in ("SPN, one view", "Paper (published)", "Somebody, 2020", "| AURC ", "n = 2", "severity.png"):
        assert words in text
    assert "## Missing" not in text
    assert r"\toprule" in (report / "table.tex").read_text()
    assert cv2.imread(str(report / "severity.png")).std() > 1


def test_calibration_is_the_mean_over_seeds(finished: Path) -> None:
    values = []
    for name in ("baseline-0", "baseline-1"):
        evaluation = finished / "runs" / name / "evaluation"
        calibration = read_counts(
            Calibration, evaluation, read_results(evaluation / "results.json").domains[0]
        )
        assert calibration is not None
        values.append(100 * calibration.ece)
    lines = (finished / "report" / "calibration.md").read_text().splitlines()
    (shown,) = [line for line in lines if "Cityscapes " in line and "ECE" in line and "Foggy" not in line]
    assert f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" in shown


def test_domains_follow_the_plan(
    finished: Path, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, changed = tmp_path / "copy", tmp_path / "changed.toml"
    shutil.copytree(finished, out)
    arguments = ["benchmark", str(changed), "--out", str(out), "--report"]
    first = f'"cityscapes={plan.parent / "cityscapes"}", '
    changed.write_text(plan.read_text().replace(first, ""))
    assert dispatch(arguments) == 0
    assert {row["domain"] for row in _table(out)} == {
        "Foggy Cityscapes (simulated; β = 0.005)",
        "Foggy Cityscapes (simulated; β = 0.02)",
    }
    changed.write_text(plan.read_text().replace(first, f'{first}"camvid=nowhere:val", '))
    assert dispatch(arguments) == 1
    assert "baseline:0: not evaluated on camvid=nowhere:val" in capsys.readouterr().err
    changed.write_text(plan.read_text() + "[tta]\nflip = true\n")
    assert dispatch(arguments) == 1
    assert "baseline:0: not evaluated on cityscapes=" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "spn"', 'kind = "sqn"', "there is no method 'sqn'"),
        ("/gtav:train", "/nowhere:train", "nowhere is not a folder"),
        ("views = 1", "views = 1, validation = ['gtav=nothing']", "nothing is not a folder"),
        ("@beta_0.005", "@beta_0.02", "foggy_cityscapes:val@beta_0.02 stands more than once"),
        ("@beta_0.005", "@beta_7", "no image of split val@beta_7 has that setting"),
    ],
)
def test_mistakes_are_found_before_the_first_training(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(plan.read_text().replace(old, new))
    assert dispatch(["benchmark", str(file), "--out", str(tmp_path / "out")]) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_domain_of_other_classes_needs_a_mapping(plan: Path, tmp_path: Path) -> None:
    """Which is found beside the plan, before hours of training as every mistake is."""
    for kind in ("rgb", "gt"):
        shutil.copytree(plan.parent / "gtav" / ("images" if kind == "rgb" else "labels"), tmp_path / kind)
    (tmp_path / "spn_dataset.toml").write_text(
        'name = "mine"\nimages = "rgb"\nlabels = "gt"\n[classes]\n7 = "road"\n"*" = "rest"\n'
    )
    file = tmp_path / "plan.toml"
    text = plan.read_text().replace("domains = [", f'domains = ["custom={tmp_path}:all", ', 1)
    file.write_text(text)
    first = read_plan(file, out=tmp_path / "out")
    with pytest.raises(DatasetError, match=r"mine has the classes mine .* no mapping joins them"):
        check_plan(first, first.runs)
    rest = [name for name in CLASS_NAMES if name != "road"]
    mapping = f'from = "cityscapes19"\nto = "mine"\n[classes]\nroad = "road"\nrest = {json.dumps(rest)}\n'
    (tmp_path / "own.toml").write_text(mapping)
    file.write_text(f'mappings = ["own.toml"]\n{text}')
    mapped = read_plan(file, out=tmp_path / "out")
    datasets = check_plan(mapped, mapped.runs)
    assert datasets[mapped.domains[0]].key == "mine"


def test_one_thing_at_a_time(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["benchmark", str(plan), "--out", str(tmp_path), "--list", "--report"]) == 1
    assert "wanted one of them at most" in capsys.readouterr().err


def test_a_finished_benchmark_repeats_without_work(finished: Path, plan: Path) -> None:
    results = [finished / "runs" / name / "evaluation" / "results.json" for name in RUNS]
    before = _logs(finished, RUNS), [path.stat().st_mtime_ns for path in results]
    assert dispatch(["benchmark", str(plan), "--out", str(finished)]) == 0
    assert (_logs(finished, RUNS), [path.stat().st_mtime_ns for path in results]) == before


def test_listed_commands_do_one_run_each(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["benchmark", str(plan), "--out", str(tmp_path), "--list"]) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [command[-1] for command in commands] == ["baseline:0", "one-view:0", "baseline:1", "one-view:1"]
    assert not list(tmp_path.iterdir())
    assert commands[0][0] == "spn"
    assert dispatch(commands[0][1:]) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["baseline-0"]
    assert not (tmp_path / "report").exists()
    assert dispatch(["benchmark", str(plan), "--out", str(tmp_path), "--report"]) == 0
    said = capsys.readouterr().out
    assert said.count("missing: ") == 3
    assert "one-view:1" in (tmp_path / "report" / "benchmark.md").read_text()


def test_a_report_needs_the_baseline(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["benchmark", str(plan), "--out", str(tmp_path), "--report"]) == 1
    assert "no run of the baseline 'baseline' is finished" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_lost_counts_are_measured_again_and_a_changed_plan_is_refused(
    finished: Path, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    evaluation = out / "runs" / "baseline-0" / "evaluation"
    shutil.rmtree(evaluation / "per_image")
    arguments = ["benchmark", str(plan), "--out", str(out), "--report"]
    assert dispatch(arguments) == 0
    measured = [row for row in _table(out) if row["method"] == "SPN, one view"]
    assert all(row["images low"] == "" and row["seeds low"] for row in measured)
    assert dispatch([*arguments[:-1], "--only", "baseline:0"]) == 0
    assert dispatch(arguments) == 0
    assert all(row["images low"] for row in _table(out) if row["method"] == "SPN, one view")
    longer = write_plan(plan.parent / "longer", extra="[settings]\nschedule.steps = 9\n", data=plan.parent)
    for more in ([], ["--report"]):
        assert dispatch(["benchmark", str(longer), "--out", str(out), *more]) == 1
        assert "schedule.steps: 6 -> 9" in capsys.readouterr().err


def test_two_processes_do_what_one_does_and_draws_need_no_training(
    finished: Path, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", tmp_path / "plan.toml"
    draws = 'draws = { title = "3 draws", weights = "one-view", tta.num_samples = 3 }\n'
    file.write_text(
        plan.read_text().replace("baseline = {", f"{draws}baseline = {{").replace("[0, 1]", "[0]")
    )
    assert dispatch(["benchmark", str(file), "--out", str(out), "--only", "draws:0"]) == 1
    assert "draws:0 evaluates the weights in" in capsys.readouterr().err
    assert dispatch(["benchmark", str(file), "--out", str(out), "--processes", "2"]) == 0
    for name in ("baseline-0", "one-view-0"):
        mine, theirs = (load_file(folder / "runs" / name / "model.safetensors") for folder in (out, finished))
        assert all(torch.equal(mine[tensor], theirs[tensor]) for tensor in theirs)
    assert not (out / "runs" / "draws-0" / "model.safetensors").exists()
    text = (out / "report" / "benchmark.md").read_text()
    assert "Protocol (Baseline, SPN, one view): whole-native " in text
    assert "Protocol (3 draws): whole-native-draws3 " in text


def test_each_method_trains_with_what_its_trials_chose(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted among the trials; a trial that is missing leaves its method out of the report, too."""
    out, file = tmp_path / "out", tmp_path / "plan.toml"
    grid = "grid = { optimisation.learning_rate = [1e-4, 0.2] }"
    domain = plan.read_text().partition('domains = ["')[2].partition('"')[0]
    file.write_text(f'{plan.read_text()}[tuning]\nseeds = [7, 8]\ndomains = ["{domain}"]\n{grid}\n')
    arguments = ["benchmark", str(file), "--out", str(out)]
    assert dispatch([*arguments, "--list"]) == 0
    listed = capsys.readouterr()
    names = [shlex.split(line)[-1] for line in listed.out.splitlines()]
    assert names == [
        f"{m}@{v}:{s}" for s in (7, 8) for m in ("baseline", "one-view") for v in ("0.0001", "0.2")
    ]
    assert "once they are finished, --list prints the runs they choose" in listed.err
    for name in names[:3]:
        assert dispatch([*arguments, "--only", name]) == 0
    assert dispatch([*arguments, "--report"]) == 1
    assert "one-view@0.2:7: not evaluated yet" in capsys.readouterr().err
    before = _logs(out, ("baseline@0.0001-7", "baseline@0.2-7", "one-view@0.0001-7"))
    assert dispatch(arguments) == 0
    assert _logs(out, ("baseline@0.0001-7", "baseline@0.2-7", "one-view@0.0001-7")) == before
    assert dispatch([*arguments, "--list"]) == 0
    runs = [shlex.split(line)[-1] for line in capsys.readouterr().out.splitlines() if line.startswith("spn ")]
    assert runs == ["baseline:0", "one-view:0", "baseline:1", "one-view:1"]
    document = (out / "report" / "benchmark.md").read_text()
    tuning = document.partition("## Tuning")[2].partition("\n## ")[0]
    assert "learning\\_rate = 0.2" in tuning.replace("learning_rate", "learning\\_rate")
    assert "over seeds 7, 8, which stand nowhere else" in tuning
    (line,) = [line for line in tuning.splitlines() if line.startswith("| SPN, one view | ")]
    for variant in ("baseline", "one-view"):
        means = []
        for rate in (0.0001, 0.2):
            results = [
                out / "runs" / f"{variant}@{rate}-{seed}" / "evaluation" / "results.json" for seed in (7, 8)
            ]
            measured = [json.loads(path.read_text())["domains"] for path in results]
            assert [len(domains) for domains in measured] == [1, 1], (
                "trials see the domains to choose by alone"
            )
            means.append(float(np.mean([100 * domains[0]["miou"] for domains in measured])))
        best = (1e-4, 0.2)[int(np.argmax(means))]
        if variant == "one-view":
            bold = [cell.strip().startswith("**") for cell in line.split("|")[2:4]]
            assert bold == [best == 1e-4, best == 0.2]
            assert all(f"{mean:.2f} ± " in line for mean in means)
        for seed in (0, 1):
            config = json.loads((out / "runs" / f"{variant}-{seed}" / "config.json").read_text())
            assert config["optimisation"]["learning_rate"] == best
    longer = tmp_path / "longer.toml"
    longer.write_text(f"{file.read_text()}[settings]\nschedule.steps = 9\n")
    shutil.move(out / "runs" / "baseline-0", tmp_path / "aside")
    assert dispatch(["benchmark", str(longer), "--out", str(out), "--only", "baseline:0"]) == 1
    assert "schedule.steps: 6 -> 9" in capsys.readouterr().err, "trials under other settings choose nothing"
    assert not (out / "runs" / "baseline-0").exists()
    shutil.move(tmp_path / "aside", out / "runs" / "baseline-0")
    shutil.rmtree(out / "runs" / "one-view@0.2-8")
    assert dispatch([*arguments, "--report"]) == 0
    assert "missing: one-view@0.2:8: not evaluated yet" in capsys.readouterr().out
    assert [row["method"] for row in _table(out)][:1] == ["Baseline"]
    assert "SPN, one view" not in (out / "report" / "table.md").read_text()


def test_a_run_that_fails_in_its_process_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    jobs = [
        Job(name, [sys.executable, "-c", f"print('{name}'); raise SystemExit({status})"], tmp_path / name)
        for name, status in (("a", 0), ("b", 3), ("c", 0))
    ]
    failures = run_jobs(jobs, processes=2, gpus=[])
    assert [(job.name, status) for job, status in failures] == [("b", 3)]
    assert [job.log.read_text().strip() for job in jobs] == ["a", "b", "c"]


def test_terminated_it_stops_what_runs(tmp_path: Path) -> None:
    code = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60); print('late')"
    job = Job("a", [sys.executable, "-c", code], tmp_path / "a")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        run_jobs([job], processes=1, gpus=[])
    assert left.value.code == 143
    assert job.log.read_text() == ""
    assert signal.getsignal(signal.SIGTERM) is before


def test_each_process_has_a_gpu_of_its_own(tmp_path: Path) -> None:
    code = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(1)"
    jobs = [Job(name, [sys.executable, "-c", code], tmp_path / name) for name in "ab"]
    assert run_jobs(jobs, processes=2, gpus=["4", "7"]) == []
    assert sorted(job.log.read_text().strip() for job in jobs) == ["4", "7"]
