"""The official Cityscapes scorer, run on the predictions we write, gives the figures we report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.colour_network import ColourNetwork, painted
from simulator.fake_renderer import render_blocks
from spn.core.classes import CLASSES
from spn.data.registry import DataArgument
from spn.evaluation.counts import EvaluationOptions
from spn.evaluation.evaluator import evaluate
from spn.inference.model import Model
from streets.export import ExportPlan, export_dataset

SCORER = (
    "import numpy; numpy.in1d = getattr(numpy, 'in1d', numpy.isin)\n"  # NumPy 2.4 dropped it
    "from cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling import main; main()"
)


def test_same_miou_on_a_miniature_cityscapes(tmp_path: Path) -> None:
    root, predictions = tmp_path / "cityscapes", tmp_path / "predictions" / "cityscapes_val_labelIds"
    plan = ExportPlan(key="cityscapes", root=root, counts={"val": 3}, width=96, height=64)
    export_dataset(plan, workers=1, progress=False, render=render_blocks)
    dataset = DataArgument("cityscapes", root, "val").open()
    _paint(dataset.pairs)
    result = evaluate(
        Model(ColourNetwork()), dataset, folder=tmp_path, options=EvaluationOptions(predictions=True)
    )
    assert len(result.classes_evaluated) == 19
    assert 0.1 < result.miou < 0.9

    official = _official(_dataset_root(root), predictions, tmp_path)
    assert official["averageScoreClasses"] == pytest.approx(result.miou, abs=1e-6)
    for info, iou in zip(CLASSES, result.class_iou, strict=True):
        assert official["classScores"][info.name] == pytest.approx(iou, abs=1e-6), info.name


def _paint(pairs: object) -> None:
    """Images in which the network sees most labels rightly and others wrongly, void included."""
    for number, pair in enumerate(pairs):  # type: ignore[call-overload]
        ids = cv2.imread(str(pair.label), cv2.IMREAD_UNCHANGED)
        train_ids = np.full(ids.shape, 4, np.uint8)
        for info in CLASSES:
            train_ids[ids == info.label_id] = info.train_id
        train_ids[:, 10 * number : 10 * number + 25] = 2
        train_ids[20:34] = np.roll(train_ids[20:34], 7, axis=1)
        cv2.imwrite(str(pair.image), painted(train_ids)[..., ::-1])


def _dataset_root(root: Path) -> Path:
    """The folder that holds gtFine/val, wherever the layout nests it."""
    return next(path.parent.parent for path in root.rglob("val") if path.parent.name == "gtFine")


def _official(dataset: Path, predictions: Path, export: Path) -> dict[str, object]:
    environment = {
        **os.environ,
        "CITYSCAPES_DATASET": str(dataset),
        "CITYSCAPES_RESULTS": str(predictions),
        "CITYSCAPES_EXPORT_DIR": str(export),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCORER], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((export / "resultPixelLevelSemanticLabeling.json").read_text())
