"""The rooms of the package and who may import whom (the contracts are in pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TORCH_FREE = (
    "spn.core",
    "streets",
    "spn.data",
    "spn.transforms",
    "spn.sampling",
    "spn.report",
    "spn.benchmark",
    "spn.evaluation.results",
    "spn.cli.main",
)


def test_imports_follow_the_layers() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("room", TORCH_FREE)
def test_room_can_be_imported_without_torch(room: str) -> None:
    """In a fresh interpreter, every module of the room."""
    program = (
        "import importlib, pkgutil, sys\n"
        f"room = importlib.import_module({room!r})\n"
        "for module in pkgutil.walk_packages(getattr(room, '__path__', []), room.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'torch' not in sys.modules, 'imported torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_a_room_does_no_work() -> None:
    """`import spn` is instant and starts neither matplotlib, OpenCV nor torch."""
    program = (
        "import sys, spn, spn.cli.main; assert not {'torch', 'cv2', 'matplotlib', 'tyro'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
