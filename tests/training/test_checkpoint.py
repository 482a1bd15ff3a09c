"""Checkpoints are whole or absent, rotate, and never run code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from spn.core.errors import CheckpointError
from spn.training.run_folder import Checkpoints


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", keep=2)


def _write(path: Path) -> None:
    save_file(nn.Linear(1, 2).state_dict(), path)


def test_the_newest_stay(checkpoints: Checkpoints) -> None:
    for step in (5, 10, 1_000_000):
        checkpoints.save(step, write_weights=_write, state={"step": step})
    assert checkpoints.steps() == [10, 1_000_000]
    checkpoints.load(10, network=nn.Linear(1, 2))
    assert checkpoints.state(10) == {"step": 10}
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["step_000010", "step_1000000"]


def test_a_failure_while_writing_leaves_nothing(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, write_weights=_write, state={})

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(2, write_weights=fail, state={})
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step_000001"]


def test_what_a_kill_left_is_ignored_and_removed(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, write_weights=_write, state={})
    (checkpoints.folder / ".writing-abc").mkdir()
    (checkpoints.folder / ".writing-abc" / "state.pt").write_bytes(b"half")
    assert checkpoints.steps() == [1]
    checkpoints.clean()
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step_000001"]


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/spn_hostile",)


def test_a_hostile_state_is_refused(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, write_weights=_write, state={})
    torch.save({"optimizer": Hostile()}, checkpoints.path(1) / "state.pt")
    with pytest.raises(CheckpointError, match="could run code: it was not loaded"):
        checkpoints.state(1)
    assert not Path("/tmp/spn_hostile").exists()


def test_weights_load_strictly(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, write_weights=_write, state={})
    with pytest.raises(CheckpointError, match="does not fit the network"):
        checkpoints.load(1, network=nn.Linear(2, 2))
