"""An interrupted evaluation continues inside a domain; notes of anything else are ignored."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.memory_dataset import MemoryDataset
from evaluation.test_run import Loaded
from inference.colour_network import random_blocks
from spn.cli.failures import explain
from spn.core.sample import Sample
from spn.evaluation.confusion import ConfusionMatrix
from spn.evaluation.journal import Journal, Tally
from spn.evaluation.options import EvaluationOptions
from spn.evaluation.protocol import Protocol
from spn.evaluation.results import RunResults
from spn.evaluation.run import evaluate_run

NOTES = Path(".unfinished/memory_val_none/rank_0.json")


class Failing(MemoryDataset):
    """Eight images, of which `broken` cannot be read."""

    def __init__(self, broken: int | None = None) -> None:
        generator = np.random.default_rng(0)
        super().__init__([random_blocks(generator, height=16, width=24) for _ in range(8)])
        self.broken = broken

    def __getitem__(self, index: int) -> Sample:
        if index == self.broken:
            raise OSError(5, "Input/output error", "frame.png")
        return super().__getitem__(index)


def measure(folder: Path, dataset: MemoryDataset, **changes: Any) -> RunResults:
    options = EvaluationOptions(**{"samples": 2, "batch": 2, "note_every": 0, **changes})
    return evaluate_run(
        Loaded(),  # type: ignore[arg-type]
        [dataset],  # type: ignore[list-item]
        folder=folder,
        protocol=Protocol(),
        options=options,
    )


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    with pytest.raises(OSError, match="Input/output") as caught:
        measure(tmp_path, Failing(broken=5))
    assert explain(caught.value) == (
        "the disk could not be read or written at frame.png; check it, and repeat the command"
    )
    assert (tmp_path / NOTES).is_file()
    return tmp_path


def test_it_continues_where_it_stopped(interrupted: Path, tmp_path: Path) -> None:
    dataset = Failing()
    results = measure(interrupted, dataset)
    assert sorted(dataset.reads) == [4, 5, 6, 7]
    whole = measure(tmp_path / "whole", Failing()).domains[0]
    np.testing.assert_array_equal(results.domains[0].confusion, whole.confusion)
    assert results.domains[0].samples == whole.samples
    assert not (interrupted / NOTES).exists()


def test_notes_of_other_settings_are_ignored(interrupted: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = Failing()
    measure(interrupted, dataset, samples=1)
    assert len(dataset.reads) == 8
    assert "of other weights, data or settings" in caplog.text


@pytest.mark.parametrize("damage", ["cut", "count", "empty"])
def test_damaged_notes_are_ignored(interrupted: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    caplog.set_level(logging.WARNING)
    path = interrupted / NOTES
    stored = json.loads(path.read_text())
    stored["content"]["confusion"][0][0] += 1
    path.write_text({"cut": path.read_text()[:300], "count": json.dumps(stored), "empty": "{}"}[damage])
    results = measure(interrupted, Failing())
    assert results.domains[0].confusion.sum() == 8 * 16 * 24
    assert "its images are evaluated again" in caplog.text


def test_notes_of_several_ranks_are_joined_and_never_counted_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path, identity={"weights": "aa"}, every=0)
    for rank, blocks in enumerate(({0, 2}, {1})):
        tally = Tally(ConfusionMatrix(2), blocks)
        tally.confusion.counts[0, 0] = len(blocks)
        journal.note(rank, tally)
    second = (tmp_path / "rank_1.json").read_bytes()
    joined = journal.read(classes=2)
    assert (joined.blocks, joined.confusion.counts[0, 0]) == ({0, 1, 2}, 3)
    journal.restart(joined)
    assert [path.name for path in tmp_path.iterdir()] == ["rank_0.json"]
    (tmp_path / "rank_1.json").write_bytes(second)  # as a stop during the restart would leave it
    assert journal.read(classes=2).confusion.counts[0, 0] == 3
