"""Killed with SIGKILL anywhere and repeated, every command ends as if it had not been interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from evaluation.memory_dataset import MemoryDataset
from evaluation.test_run import colour_model
from inference.colour_network import random_blocks
from processes import repeat_until_done
from simulator.fake_renderer import render_blocks
from spn.core.classes import CITYSCAPES_19
from spn.evaluation.counts import EvaluationOptions
from spn.evaluation.run import evaluate_run
from spn.inference.weights import read_info
from spn.sampling.class_uniform import open_class_index
from spn.sampling.config import SamplingConfig
from spn.training.session import run_training
from streets.export import ExportPlan, export_dataset
from training.fakes import fake_config, fake_ingredients
from training.test_command import SMALL

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


def moments(seed: int, *, most: int) -> list[int]:
    return [int(moment) for moment in np.random.default_rng(seed).integers(1, most, 4)]


def assert_same_weights(one: Path, other: Path) -> None:
    """Bit for bit; safetensors writes its header in any order."""
    first, second = (load_file(run / "model.safetensors") for run in (one, other))
    assert first.keys() == second.keys()
    assert all(first[name].numpy().tobytes() == second[name].numpy().tobytes() for name in first)
    assert read_info(one) == read_info(other)


def test_a_killed_training_gives_the_same_weights(tmp_path: Path) -> None:
    def train(name: str) -> None:
        run_training(
            fake_config(tmp_path / name), gather=lambda config: fake_ingredients(config, scores=[0.1] * 9)
        )

    train("whole")
    statuses = repeat_until_done(
        lambda: train("killed"), stderr=tmp_path / "stderr", moments=moments(0, most=14)
    )
    assert statuses[0] == -signal.SIGKILL
    assert statuses[-1] == 0, (tmp_path / "stderr").read_text()
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob(".writing-*"))


def blocks(count: int) -> MemoryDataset:
    generator = np.random.default_rng(0)
    truth = [random_blocks(generator, height=16, width=24) for _ in range(count)]
    return MemoryDataset(truth, painted_from=[np.roll(label, 3, axis=1) for label in truth])


def figures(path: Path) -> list[dict[str, Any]]:
    domains = json.loads(path.read_text())["domains"]
    return [{name: value for name, value in domain.items() if name != "seconds"} for domain in domains]


def test_a_killed_evaluation_gives_the_same_figures(tmp_path: Path) -> None:
    def measure(name: str) -> None:
        options = EvaluationOptions(pictures=3, batch=2, predictions=True)
        evaluate_run(
            colour_model(),
            [blocks(9)],  # type: ignore[list-item]
            folder=tmp_path / name,
            options=options,
        )

    measure("whole")
    statuses = repeat_until_done(
        lambda: measure("killed"), stderr=tmp_path / "stderr", moments=moments(1, most=20)
    )
    assert statuses[0] == -signal.SIGKILL
    assert statuses[-1] == 0, (tmp_path / "stderr").read_text()
    assert figures(tmp_path / "whole" / "results.json") == figures(tmp_path / "killed" / "results.json")


def test_a_killed_simulation_gives_the_same_files(tmp_path: Path) -> None:
    def simulate(name: str) -> None:
        plan = ExportPlan(key="synthia", root=tmp_path / name, counts={"val": 4}, width=64, height=48)
        export_dataset(plan, workers=1, progress=False, render=render_blocks)

    def contents(name: str) -> dict[str, bytes]:
        files = (path for path in (tmp_path / name).rglob("*") if path.is_file() and path.name[0] != ".")
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}

    simulate("whole")
    statuses = repeat_until_done(
        lambda: simulate("killed"), stderr=tmp_path / "stderr", moments=moments(2, most=12)
    )
    assert statuses[0] == -signal.SIGKILL
    assert statuses[-1] == 0, (tmp_path / "stderr").read_text()
    assert contents("whole") == contents("killed")


class Labels:
    """Eight small labels."""

    label_space = CITYSCAPES_19

    def __len__(self) -> int:
        return 8

    def read_label(self, index: int) -> np.ndarray:
        return random_blocks(np.random.default_rng(index), height=32, width=48)

    def fingerprint(self) -> str:
        return "labels"


@pytest.mark.parametrize("moment", [1, 2])
def test_a_killed_class_index_is_made_again(tmp_path: Path, moment: int) -> None:
    def index(name: str) -> None:
        config = SamplingConfig(cache=tmp_path / name, tile=16, minimum_pixels=1)
        open_class_index(Labels(), config, progress=False)  # type: ignore[arg-type]

    index("whole")
    statuses = repeat_until_done(lambda: index("killed"), stderr=tmp_path / "stderr", moments=[moment])
    assert statuses == [-signal.SIGKILL, 0], (tmp_path / "stderr").read_text()
    (whole,), (killed,) = ((tmp_path / name).glob("class_index_*.npz") for name in ("whole", "killed"))
    with np.load(whole) as one, np.load(killed) as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)


@pytest.mark.slow
def test_the_commands_survive_sigkill_at_any_second(tmp_path: Path) -> None:
    """The commands themselves, in processes of their own, killed at seeded random moments."""
    generator = np.random.default_rng(0)
    (tmp_path / "small.toml").write_text(SMALL)

    def spn(*arguments: str, kills: int) -> None:
        command = [sys.executable, "-m", "spn.cli.main", *arguments]
        for _ in range(kills):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=float(generator.uniform(1, 20)))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    for name, kills in (("whole", 0), ("killed", 3)):
        data, run = tmp_path / name / "data", tmp_path / name / "run"
        spn(
            "simulate", "--out", str(data), "--keys", "gtav", "--train", "6", "--val", "6",
            "--width", "96", "--height", "64", "--workers", "1", kills=kills,
        )  # fmt: skip
        spn(
            "train", "--preset", str(tmp_path / "small.toml"), "--out", str(run), "--data",
            f"gtav={data}/gtav:train", "--schedule.steps", "40", "--schedule.checkpoint-every", "2",
            "--sampling.cache", str(tmp_path / name / "cache"), kills=kills,
        )  # fmt: skip
        spn(
            "evaluate", str(run), "--data", f"gtav={data}/gtav:val", "--batch", "1", "--quiet", kills=kills,
        )  # fmt: skip
    whole, killed = (tmp_path / name / "run" for name in ("whole", "killed"))
    assert_same_weights(whole, killed)
    one, other = (figures(run / "evaluation" / "results.json") for run in (whole, killed))
    for domain in (*one, *other):
        domain.pop("fingerprint")  # of the files' times, too
        domain.pop("checkpoint_sha256")  # safetensors writes its header in any order
    assert one == other
