"""torchrun with two CPU processes: exactly the figures and files of one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from evaluation.parallel_program import measure
from test_killed import figures

PROGRAM = Path(__file__).parent / "parallel_program.py"


def test_two_processes_count_as_one(tmp_path: Path) -> None:
    measure(tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(PROGRAM), str(tmp_path / "two")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (figures(tmp_path / name / "results.json") for name in ("one", "two"))
    assert one == two
    assert one[0]["miou"] < 1
    files = [{path.relative_to(root) for path in root.rglob("*.png")} for root in tmp_path.iterdir()]
    assert files[0] == files[1]
