"""torchrun with two CPU processes: the same crops, the same steps, one writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from spn.training.logging import read_log
from spn.training.session import run_training
from training.fakes import fake_config
from training.parallel_program import gather

PROGRAM = Path(__file__).parent / "parallel_program.py"


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    run_training(fake_config(tmp_path / "one"), gather=gather)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(PROGRAM), str(tmp_path / "two")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("gathered once") == 1, "only the first process speaks"
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=2e-3)
    events = read_log(tmp_path / "two")
    assert [event["step"] for event in events if event["event"] == "train"] == [2, 4, 6]
    assert [event["step"] for event in events if event["event"] == "validate"] == [3, 6]
