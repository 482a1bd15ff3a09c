"""`spn presets`: the list, and one preset in full."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spn.cli.main import dispatch
from spn.cli.presets import costs_table, summarise
from spn.training.presets import load_preset, preset_names


def test_the_list_holds_every_preset_and_method(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spn.cli.presets.preset_names", lambda: ("tiny",))
    assert dispatch(["presets", "--costs"]) == 0
    printed = capsys.readouterr().out
    for text in ("tiny", "resnet18, 32", "8 x 256x192", "baseline", "spn", "1.9 M", "2.0 M"):
        assert text in printed


def test_the_list_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("spn.cli.presets.preset_names", lambda: ("tiny",))
    assert dispatch(["presets", "--costs", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["name"], entry["encoder"], entry["crop"]) == ("tiny", "resnet18", [192, 256])
    methods = entry["methods"]
    assert methods["spn"]["parameters"] > methods["baseline"]["parameters"] > 1e6
    assert methods["spn"]["gflops"] > methods["baseline"]["gflops"] > 0.1


MEASURED = [
    pytest.param(name, marks=pytest.mark.slow if name.endswith("_l") else ()) for name in preset_names()
]


@pytest.mark.parametrize("name", MEASURED)
def test_every_preset_can_be_measured(name: str) -> None:
    summary = summarise(name, costs=True)
    assert set(summary["methods"]) == {"baseline", "spn"}
    assert len(costs_table([summary]).rows) == 2


def test_the_list_says_what_each_is_and_needs_no_torch() -> None:
    program = (
        "import sys; from spn.cli.main import dispatch; assert dispatch(['presets']) == 0;"
        "assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout.decode()
    assert {line.split()[0] for line in printed.splitlines()[2:-2]} == set(preset_names())
    assert "The usual GTAV recipe with a ResNet-50" in printed
    assert "spn presets --costs" in printed


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_in_full_is_a_preset_again(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["presets", name]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"# {name}, method spn: ")
    own = tmp_path / "own.toml"
    own.write_text(printed, encoding="utf-8")
    assert load_preset(str(own), out=tmp_path) == load_preset(name, out=tmp_path)


def test_what_differs_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["presets", "tiny"]) == 0
    printed = capsys.readouterr().out
    assert "steps = 1000  # default: 40000\n" in printed
    assert "seed = 0\n" in printed
    assert "\nout =" not in printed
    assert tomllib.loads(printed)["schedule"]["power"] == 0.9
    assert dispatch(["presets", "tiny", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert entry["differs"]["schedule.steps"] == {"value": 1000, "default": 40000}
    assert entry["config"]["schedule"]["steps"] == 1000
    assert "CPU" in entry["description"]


def test_an_unknown_preset_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["presets", "r5"]) == 1
    assert "there is no preset 'r5'; there are" in capsys.readouterr().err
