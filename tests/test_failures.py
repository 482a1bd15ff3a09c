"""Full disks, dead workers, too little memory, hostile files: one sentence, and nothing lost."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from evaluation.test_run import dataset, measure
from processes import forked
from spn.cli.main import explain
from spn.core.errors import CheckpointError
from spn.core.files import write_bytes
from spn.core.sample import Sample
from spn.evaluation.results import read_results
from spn.inference.weights import load
from spn.methods.base import Batch, Loss
from spn.training import run as training_run
from spn.training.config import RuntimeConfig
from spn.training.run_folder import Checkpoints
from spn.training.session import run_training
from test_killed import assert_same_weights
from training.fakes import FakeMethod, FakeSource, fake_config, fake_ingredients


def test_a_full_disk_stops_a_training_that_then_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    save = training_run.save_network

    def full(*arguments: object, **options: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.ENOSPC, "No space left on device", "disk")
        save(*arguments, **options)  # type: ignore[arg-type]

    run_training(fake_config(tmp_path / "whole"), gather=fake_ingredients)
    monkeypatch.setattr(training_run, "save_network", full)
    with pytest.raises(OSError, match="No space") as caught:
        run_training(fake_config(tmp_path / "run"), gather=fake_ingredients)
    assert "the disk is full at disk; free some space and repeat" in str(explain(caught.value))
    assert Checkpoints(tmp_path / "run" / "checkpoints", keep=2).steps() == [2]
    assert run_training(fake_config(tmp_path / "run"), gather=fake_ingredients).resumed_at == 2
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize("large", ["weights", "state"])
def test_writers_that_hit_a_limit_say_so_and_leave_whole_files(tmp_path: Path, large: str) -> None:
    """Real writes that fail half way: by safetensors, and by torch.save."""
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)

    def write(step: int, *, values: int) -> None:
        weights = save({"weight": torch.ones(values if large == "weights" else 1)})
        state = {"state": torch.ones(values if large == "state" else 1)}
        checkpoints.save(step, write_weights=lambda path: write_bytes(path, weights), state=state)

    def limited() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write(2, values=1 << 20)
        except Exception as error:
            print(explain(error) or repr(error), file=sys.stderr)
            return 1
        return 0

    write(1, values=1)
    assert forked(limited, stderr=tmp_path / "stderr") == 1
    assert "a file grew over the size" in (tmp_path / "stderr").read_text()
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step_000001"]
    checkpoints.load(1, network=nn.PReLU())
    assert checkpoints.state(1)["state"].tolist() == [1]


def test_a_read_only_output_keeps_the_results_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tmp_path, dataset("cityscapes"))

    def refuse(path: Path, _: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="Read-only") as caught:
        measure(tmp_path, dataset("bdd100k"))
    assert "the file system is read-only at" in str(explain(caught.value))
    assert [domain.key for domain in read_results(tmp_path / "results.json").domains] == ["cityscapes"]


class Deadly(FakeSource):
    def __getitem__(self, index: int) -> Sample:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_loader_worker_that_dies_is_one_sentence(tmp_path: Path) -> None:
    runtime = RuntimeConfig(accelerator="cpu", workers=1, progress=False, tensorboard=False)
    config = fake_config(tmp_path, runtime=runtime)
    with pytest.raises(RuntimeError) as caught:
        run_training(config, gather=lambda c: fake_ingredients(c, source=Deadly()))
    assert "a process that loads data died" in str(explain(caught.value))


class Greedy(FakeMethod):
    """Asks for more memory than there is at its fourth step."""

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        if self.calls == 3:
            torch.empty(1 << 55, dtype=torch.uint8)
        return super().training_loss(network, batch, generator=generator)


def test_too_little_memory_is_one_sentence_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        run_training(fake_config(tmp_path), gather=lambda c: fake_ingredients(c, method=Greedy()))
    assert "the computer is out of memory; use a smaller batch" in str(explain(caught.value))
    assert Checkpoints(tmp_path / "checkpoints", keep=2).steps() == [2]


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def test_hostile_pickles_in_place_of_weights_are_refused(tmp_path: Path) -> None:
    checkpoints, trace = Checkpoints(tmp_path, keep=2), tmp_path / "ran"
    weights = checkpoints.path(1) / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(pickle.dumps({"weight": Hostile(trace)}))
    with pytest.raises(CheckpointError, match="pickles are never loaded"):
        checkpoints.load(1, network=nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match="refused because loading them can run code"):
        load(weights.parent, fold=False)
    assert not trace.exists()
