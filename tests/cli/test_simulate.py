"""`spn simulate` from its arguments to files that the readers open."""

from __future__ import annotations

from pathlib import Path

import pytest

from spn.cli.main import dispatch
from spn.data.registry import DataArgument
from streets.export import EXPORTED_KEYS

SMALL = ["--width", "48", "--height", "32", "--workers", "1"]


def test_it_writes_datasets_and_says_what_to_run_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["simulate", "--out", str(tmp_path), "--train", "1", "--val", "1", *SMALL]
    assert dispatch([*arguments, "--keys", "gtav", "foggy_cityscapes"]) == 0
    output = capsys.readouterr().out
    assert f"--data gtav={tmp_path}/gtav:train --validation gtav={tmp_path}/gtav:val" in output
    assert f"--data foggy_cityscapes={tmp_path}/foggy_cityscapes:val" in output
    assert len(DataArgument("gtav", tmp_path / "gtav", "train+val").open()) == 2
    assert len(DataArgument("foggy_cityscapes", tmp_path / "foggy_cityscapes").open()) == 3
    assert dispatch([*arguments, "--keys", "gtav"]) == 0
    assert "2 were there" in capsys.readouterr().out


def test_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", "--out", str(tmp_path), "--val", "1", *SMALL]
    assert dispatch([*arguments, "--keys", "gtav", "--train", "0", "--style", "cubist"]) == 1
    assert "style 'cubist' is unknown" in capsys.readouterr().err
    assert dispatch([*arguments, "--keys", "gtav", "gtav"]) == 1
    assert "named twice" in capsys.readouterr().err
    assert dispatch([*arguments, "--workers", "0"]) == 1
    assert "wanted at least 1" in capsys.readouterr().err


def test_every_exported_dataset_can_be_named() -> None:
    from spn.cli.simulate import ALL_KEYS

    assert ALL_KEYS == EXPORTED_KEYS
