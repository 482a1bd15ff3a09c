"""The table for a GPU, with a CPU in its place: a part that fails stops no other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_a_part_that_fails_is_a_line_of_the_table(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    options = ["--device", "cpu", "--presets", "tiny", "--crop", "64", "--batch", "2", "--steps", "1"]
    others = ["--photo", "72", "96", "--no-tests", "--out", out, "--limit", "60"]
    done = subprocess.run(
        [sys.executable, BENCHMARK, *options, *others],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    parts = {part["name"]: part for part in json.loads(out.read_text())["parts"]}
    assert list(parts) == [
        "bf16 peak", "train tiny", "train tiny, compiled", "predict, precision 32", "predict, precision bf16",
        "predict, precision 16", "torch.export",
    ]  # fmt: skip
    assert "needs a GPU" in parts["predict, precision 16"]["error"]
    assert "predict, precision 16: " in done.stdout
    assert parts["torch.export"]["figures"]["difference"] < 1e-2
    for name in ("train tiny", "predict, precision 32"):
        figures = parts[name]["figures"]
        assert not parts[name]["error"]
        assert 0 < figures["ms"] < 60_000
        assert figures["images/s"] > 0
