"""The split hash that `spn data check` left goes into results.json, also when the check comes later."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.memory_dataset import MemoryDataset
from inference.colour_network import ColourNetwork
from spn.evaluation.protocol import Protocol
from spn.evaluation.results import RESULTS_NAME, read_results
from spn.evaluation.run import evaluate_run


@dataclass(frozen=True)
class Loaded:
    """What evaluate_run reads of a LoadedNetwork."""

    network: ColourNetwork = field(default_factory=ColourNetwork)
    info: dict[str, Any] = field(default_factory=dict)
    path: Path = Path("model.safetensors")
    sha256: str = "aa"


def test_a_later_check_adds_the_hash_without_measuring_again(tmp_path: Path) -> None:
    data = MemoryDataset([np.zeros((16, 24), np.uint8)])

    def recorded() -> str | None:
        evaluate_run(Loaded(), [data], folder=tmp_path, protocol=Protocol())  # type: ignore[arg-type,list-item]
        return read_results(tmp_path / RESULTS_NAME).domains[0].split_hash

    assert recorded() is None
    data.reads.clear()
    data.split_hash = "ab"
    assert recorded() == "ab"
    assert recorded() == "ab"
    assert data.reads == []
