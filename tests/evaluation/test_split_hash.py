"""The split hash that `spn data check` left goes into results.json, also when the check comes later."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.memory_dataset import MemoryDataset
from evaluation.test_run import measure
from spn.evaluation.results import RESULTS_NAME, read_results


def test_a_later_check_adds_the_hash_without_measuring_again(tmp_path: Path) -> None:
    data = MemoryDataset([np.zeros((16, 24), np.uint8)])

    def recorded() -> str | None:
        measure(tmp_path, data)
        return read_results(tmp_path / RESULTS_NAME).domains[0].split_hash

    assert recorded() is None
    data.reads.clear()
    data.split_hash = "ab"
    assert recorded() == "ab"
    assert recorded() == "ab"
    assert data.reads == []
