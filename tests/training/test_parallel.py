"""torchrun with two CPU processes: the same crops, the same steps, one writer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spn.core.run_log import read_log
from spn.training.session import run_training
from training.parallel_program import config, gather

PROGRAM = Path(__file__).parent / "parallel_program.py"


def command(run: Path, *, steps: int) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return [*torchrun, str(PROGRAM), str(run), str(steps)]


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    run_training(config(tmp_path / "one"), gather=gather)
    done = subprocess.run(command(tmp_path / "two", steps=6), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("gathered once") == 1, "only the first process speaks"
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=2e-3)
    events = read_log(tmp_path / "two")
    assert [event["step"] for event in events if event["event"] == "train"] == [2, 4, 6]
    assert [event["step"] for event in events if event["event"] == "validate"] == [3, 6]


@pytest.mark.slow
def test_two_processes_killed_together_or_one_of_them_end_with_the_same_weights(tmp_path: Path) -> None:
    steps = 120
    subprocess.run(command(tmp_path / "whole", steps=steps), capture_output=True, check=True)
    killed = command(tmp_path / "killed", steps=steps)
    for until, together in ((10, True), (30, False), (70, True), (100, False)):
        process = subprocess.Popen(
            killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while latest_step(tmp_path / "killed") < until and process.poll() is None:
            time.sleep(0.005)
        ranks = [int(pid) for pid in children(process.pid)]
        assert len(ranks) == 2, "the training was over before it could be killed"
        if together:
            os.killpg(process.pid, signal.SIGKILL)
            for rank in ranks:  # torchrun gives each a session of its own
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank, signal.SIGKILL)
        else:
            os.kill(ranks[1], signal.SIGKILL)
        assert process.wait(timeout=120) != 0
    done = subprocess.run(killed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, resumed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def latest_step(run: Path) -> int:
    steps = [int(path.name.removeprefix("step_")) for path in run.glob("checkpoints/step_*")]
    return max(steps, default=0)


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
