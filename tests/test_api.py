"""What `import spn` gives: fast, lazy, typed, and every example in its docstrings."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

import spn
from evaluation.memory_dataset import MemoryDataset
from inference.colour_network import ColourNetwork, random_blocks
from spn.cli.main import dispatch
from spn.core.errors import UserError
from spn.evaluation.results import read_results
from streets.export import ExportPlan, export_dataset

SOURCE = Path(spn.__file__)


def test_importing_it_is_fast_and_loads_no_torch() -> None:
    program = "import sys, spn; dir(spn); assert not {'torch', 'numpy', 'cv2', 'tyro'} & set(sys.modules)"
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        seconds.append(time.perf_counter() - started)
    alone = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        alone.append(time.perf_counter() - started)
    assert min(seconds) - min(alone) < 0.3


def test_names_for_people_editors_and_the_interpreter_are_the_same() -> None:
    tree = ast.parse(SOURCE.read_text())
    for_editors = [
        alias.asname or alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    ]
    assert sorted(for_editors) == sorted(spn.__all__)
    assert set(spn.__all__) <= set(dir(spn))
    assert resources.files("spn").joinpath("py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        spn.lode  # noqa: B018


@pytest.mark.parametrize("name", spn.__all__)
def test_every_name_is_there_and_explained(name: str) -> None:
    assert getattr(spn, name).__doc__


def test_editors_and_mypy_see_the_types(tmp_path: Path) -> None:
    file = tmp_path / "uses.py"
    file.write_text(
        "import spn\n"
        "reveal_type(spn.load().predict('a.jpg').labels)\n"
        "reveal_type(spn.load().predict(['a.jpg'])[0].areas())\n"
        "spn.load(devise='cpu')\n"
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--ignore-missing-imports", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SOURCE.parents[2]).stdout
    assert "ndarray" in said
    assert 'Revealed type is "dict[str, float]"' in said.replace("builtins.", "")
    assert 'Unexpected keyword argument "devise"' in said


@pytest.mark.parametrize("module", ["spn.api", "spn.inference.weights", "spn.inference.scene"])
def test_examples_in_docstrings_hold(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module), extraglobs={"np": np, "spn": spn})
    assert failed == 0
    assert tried > 0


def test_the_shipped_model_is_a_plain_network_in_evaluation_mode() -> None:
    model = spn.load(device="cpu")
    assert model.classes[0] == "road"
    images = torch.rand(2, 3, 40, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = model.network(images).logits
        unfolded = spn.load(device="cpu", fold=False).network(images).logits
    assert logits.shape == (2, 19, 40, 64)
    torch.testing.assert_close(logits, unfolded, rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="wanted auto, cpu, cuda"):
        spn.load(device="gpu")


def test_evaluating_gives_figures_and_writes_only_where_asked(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    truth = [random_blocks(generator, height=16, width=24) for _ in range(3)]
    truth[0][:8], truth[1][:8] = 255, 0
    data = MemoryDataset(truth, painted_from=[np.where(label == 255, 0, label) for label in truth])
    model = spn.Model(ColourNetwork(), sha256="aa")
    results = spn.evaluate(model, [data])  # type: ignore[list-item]
    assert results.domains[0].miou == 1
    table = results.table(per_class=True)
    assert "memory  val    none  whole-native       3" in table
    assert [line for line in table.splitlines() if line.split()[:1] == ["road"]] == ["road           100.00"]
    assert "road " not in results.table()
    assert list(tmp_path.iterdir()) == []
    out = tmp_path / "evaluation"
    spn.evaluate(model, [data], out=str(out), options=spn.EvaluationOptions(pictures=1))  # type: ignore[list-item]
    assert read_results(out / "results.json").domains[0].miou == 1
    data.reads.clear()
    spn.evaluate(model, [data], out=out, options=spn.EvaluationOptions(pictures=1))  # type: ignore[list-item]
    assert data.reads == []
    with pytest.raises(UserError, match="no dataset given"):
        spn.evaluate(model)


def test_the_shipped_model_is_evaluated_by_a_path_to_a_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulator.fake_renderer import render_blocks

    root = tmp_path / "gtav"
    export_dataset(
        ExportPlan("gtav", root, {"val": 1}, width=64, height=48),
        workers=1,
        progress=False,
        render=render_blocks,
    )
    sample = spn.open_dataset(f"gtav={root}:val")[0]
    assert sample.image.shape == (48, 64, 3)
    monkeypatch.chdir(tmp_path)
    assert dispatch(["evaluate", "--data", f"gtav={root}:val", "--quiet", "--device", "cpu"]) == 0
    by_command = read_results(tmp_path / "evaluation" / "results.json").domains[0]
    by_call = spn.evaluate(data=[f"gtav={root}:val"]).domains[0]
    np.testing.assert_array_equal(by_command.confusion, by_call.confusion)
    assert by_command.protocol_name == "whole-h512-altflip-s0.625+1-prior0.3"
    printed = capsys.readouterr().out
    assert sum(line.startswith(("road ", "sky ")) for line in printed.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["predict", "a.jpg", "--draws", "8"], "--draws is called --num-samples now"),
        (["evaluate", "--draws=8"], "--draws is called --num-samples now"),
        (["evaluate", "--samples", "8"], "--samples is called --pictures now"),
        (["evaluate", "--note-every", "8"], "--note-every is no option any more"),
    ],
)
def test_options_that_were_renamed_say_so(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        dispatch(arguments)
    assert left.value.code == 2
    assert says in capsys.readouterr().err
