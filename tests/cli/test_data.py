"""`spn data check` and `spn data stats` from their arguments to tables, JSON, figures and exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from data.miniature import write_image, write_pair
from spn.cli.main import dispatch

LABELS = [7, 8, 11, 23, 26, 0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in "12":
        write_pair(tmp_path / f"images/valid/{name}.png", tmp_path / f"labels/valid/{name}.png", LABELS)
    return tmp_path


def test_check_prints_what_is_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["data", "check", f"gtav={root}", "--quiet"]) == 0
    said = capsys.readouterr().out
    for words in ("2 (2 read now, 0 unchanged)", "2 of 16x12", "road", "20.00 %", "no problem found"):
        assert words in said
    assert (root / ".spn/manifest_gtav_val_labelIds.json").is_file()


def test_check_names_the_trap_and_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(root / "images/valid/2.png", height=16, width=12)
    assert dispatch(["data", "check", f"gtav={root}", "--quiet"]) == 1
    said = capsys.readouterr().out
    assert "transposed" in said
    assert "1 problem(s)" in said
    arguments = ["data", "check", f"gtav={root}", "--quiet", "--accept", "transposed"]
    assert dispatch(arguments) == 0
    assert "no problem found, 1 accepted" in capsys.readouterr().out


def test_check_speaks_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = root / "absent"
    arguments = ["data", "check", f"gtav={root}:val", f"camvid={absent}", "--quiet", "--json"]
    assert dispatch([*arguments, "-"]) == 1
    first, second = capsys.readouterr()
    document = json.loads(first)
    assert "no problem found" in second
    assert (document["schema"], document["version"], document["ok"]) == ("spn-data-check", 1, False)
    good, bad = document["datasets"]
    assert (good["ok"], good["pairs"], good["findings"]) == (True, 2, [])
    assert len(good["split_hash"]) == 32
    assert (bad["ok"], bad["manifest"], bad["findings"][0]["trap"]) == (False, None, "layout")
    assert dispatch([*arguments, str(root / "out/check.json")]) == 1
    assert json.loads((root / "out/check.json").read_text())["datasets"][0]["kept"] == 2
    assert dispatch([*arguments, str(root / "out/check.json")]) == 1
    (root / "out/mine.json").write_text('{"precious": 1}')
    capsys.readouterr()
    assert dispatch([*arguments, str(root / "out/mine.json")]) == 1
    assert "mine.json is there and was not written by this command" in capsys.readouterr().err
    assert (root / "out/mine.json").read_text() == '{"precious": 1}'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "waymo=data"], "unknown dataset 'waymo'"),
        (["check", "gtav=data", "--accept", "everything"], "no such trap; there are argument"),
        (["check", "gtav=data", "--workers", "0"], "wanted at least 1"),
        (["stats", "gtav=data", "--samples", "0"], "wanted at least 1"),
        (["stats", "gtav=absent"], "absent is not a folder"),
        (["stats", "gtav=absent@fog"], "a setting follows the split, as in PATH:val@fog"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["data", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_stats_draws_frequencies_and_samples(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = root / "figures"
    arguments = ["data", "stats", f"gtav={root}", "--out", str(out), "--samples", "2", "--quiet"]
    assert dispatch(arguments) == 0
    assert "building" in capsys.readouterr().out
    for name in ("classes", "samples"):
        figure = cv2.imread(str(out / f"gtav_val_labelIds_{name}.png"))
        assert figure is not None
        assert figure.std() > 5
    assert sorted(path.name for path in out.iterdir()) == [
        "gtav_val_labelIds_classes.png", "gtav_val_labelIds_samples.png",
    ]  # fmt: skip


def test_stats_shows_the_sound_pairs_of_a_troubled_dataset(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = root / "images/valid/2.png"
    path.write_bytes(path.read_bytes()[:-20])
    assert dispatch(["data", "stats", f"gtav={root}", "--out", str(root / "out"), "--quiet"]) == 0
    assert "this dataset has problems (truncated)" in " ".join(capsys.readouterr().out.split())


def test_a_group_of_commands_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["data", "--help"]) == 0
    said = capsys.readouterr().out
    assert "data check" in said
    assert "simulate" not in said
    assert dispatch(["data"]) == 2
    assert dispatch(["data", "chekc"]) == 2
    assert "did you mean 'data check'?" in capsys.readouterr().err


def test_neither_command_loads_torch(root: Path) -> None:
    program = (
        "import sys; from spn.cli.main import dispatch\n"
        f"assert dispatch(['data', 'check', 'gtav={root}']) == 0\n"
        f"assert dispatch(['data', 'stats', 'gtav={root}', '--out', '{root}/out']) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=environment)
