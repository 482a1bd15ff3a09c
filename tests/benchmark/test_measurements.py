"""The programs in benchmarks/ run, at sizes at which their figures mean nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = {
    "class_index": "--images 1 --repeats 1",
    "confusion": "--height 32 --width 32 --repeats 1",
    "data_path": "--images 1 --crops 1 --repeats 1",
    "evaluation_memory": "--images 1 2 --height 48 --width 64",
    "predict": "--photos 1 --width 64 --height 48 --threads 1 --repeats 1",
    "spn_overhead": "--encoder resnet10t --height 64 --width 64 --batch 2 --repeats 1 --mode train",
    "training_step": "--size 64 --batch 2 --repeats 1",
    "trunk_cost": "--preset tiny --height 64 --width 64 --batches 2 --threads 1 --repeats 1",
    "video": "--minutes 1 --frame-rate 1 --streets 2 --width 64 --height 48 --input-height 48",
}


def test_every_program_is_listed() -> None:
    assert {file.stem for file in FOLDER.glob("*.py")} == {*PROGRAMS, "common", "gpu"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_runs(name: str) -> None:
    command = [sys.executable, f"{name}.py", *PROGRAMS[name].split()]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    words = ("ratio", "growth", "per image", "against the first", "photographs a second")
    assert any(word in done.stdout for word in words)
