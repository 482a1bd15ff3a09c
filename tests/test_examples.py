"""The notebooks run from top to bottom, offline, and the example of a method trains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from simulator.fake_renderer import render_blocks
from streets.export import ExportPlan, export_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"


def executed(name: str, folder: Path) -> str:
    """Run a notebook in `folder` and return all that its cells print and show as text."""
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without their outputs"
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    outputs = [output for cell in client.execute().cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text") or output["data"].get("text/plain", "") for output in outputs)


def test_predicting_in_a_notebook(tmp_path: Path) -> None:
    said = executed("predict.ipynb", tmp_path)
    assert "torch.Size([1, 19, 480, 640])" in said
    assert said.count("road ") == 1
    assert len(list((tmp_path / "out").glob("street_*.png"))) == 3


def test_comparing_methods_in_a_notebook(tmp_path: Path) -> None:
    said = executed("compare_methods.ipynb", tmp_path)
    assert "baseline: prompts none, resolutions (1.0,)" in said
    assert "spn: prompts hybrid" in said
    assert said.count("foggy_cityscapes") >= 2
    assert (tmp_path / "runs/spn/evaluation/results.json").is_file()


def test_a_method_of_ones_own_is_trained_and_evaluated(tmp_path: Path) -> None:
    plan = ExportPlan("gtav", tmp_path / "gtav", {"train": 2, "val": 1}, width=64, height=48)
    export_dataset(plan, workers=1, progress=False, render=render_blocks)

    def spn(*arguments: str) -> str:
        command = [sys.executable, "-m", "spn.cli.main", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    spn(
        "--plugin", str(EXAMPLES / "own_method.py"), "train", "--preset", "tiny", "--method.kind", "grey",
        "--method.share", "1.0", "--data", "gtav=gtav:train", "--out", "grey", "--schedule.steps", "2",
        "--schedule.warmup-steps", "1", "--augmentation.crop-height", "32", "--augmentation.crop-width", "32",
        "--optimisation.batch-size", "2", "--runtime.workers", "0",
    )  # fmt: skip
    assert "Grey crops, seed 0" in spn("evaluate", "grey", "--data", "gtav=gtav:val", "--quiet")
