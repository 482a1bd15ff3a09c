"""results.json: what is written is read back, and a file that contradicts itself is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spn.core.classes import CITYSCAPES_19
from spn.evaluation.results import (
    DomainResult,
    ResultsError,
    RunResults,
    SampleRecord,
    find_results,
    read_results,
    write_results,
)


def domain(key: str = "cityscapes", *, seed: int = 0, absent: tuple[int, ...] = ()) -> DomainResult:
    confusion = np.random.default_rng(seed).integers(0, 2**40, (19, 19))
    confusion[list(absent)] = 0
    return DomainResult(
        key=key,
        split="val",
        map_name="labelIds",
        layout="usual",
        label_space=CITYSCAPES_19.key,
        class_names=CITYSCAPES_19.names,
        protocol={"name": "whole-native", "description": "whole image", "views": {}},
        images=7,
        fingerprint="ab",
        checkpoint_sha256="cd",
        seed=0,
        confusion=confusion,
        samples=(SampleRecord("000003", "frankfurt_3", 3),),
        predictions=True,
        seconds=1.5,
    )


def results(*domains: DomainResult) -> RunResults:
    return RunResults("spn", 1, "model.safetensors", "cd", {"step": 5}, domains)


def test_round_trip(tmp_path: Path) -> None:
    written = results(domain(), domain("synthia", absent=(9, 14, 16)))
    write_results(tmp_path / "results.json", written)
    read = read_results(tmp_path / "results.json")
    assert [d.place for d in read.domains] == [d.place for d in written.domains]
    for mine, theirs in zip(read.domains, written.domains, strict=True):
        np.testing.assert_array_equal(mine.confusion, theirs.confusion)
        assert mine.miou == theirs.miou
        assert mine.samples == theirs.samples
        assert mine.predictions
    assert (read.method, read.seed, read.info) == ("spn", 1, {"step": 5})


def test_files_from_before_split_hashes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, results(replace(domain(), split_hash="ef")))
    assert read_results(path).domains[0].split_hash == "ef"
    document = json.loads(path.read_text())
    del document["domains"][0]["split_hash"]
    path.write_text(json.dumps(document))
    assert read_results(path).domains[0].split_hash is None


def test_absent_classes_are_null_and_named(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", results(domain(absent=(9, 14, 16))))
    stored = json.loads((tmp_path / "results.json").read_text())["domains"][0]
    assert [stored["class_iou"][index] for index in (9, 14, 16)] == [None] * 3
    assert len(stored["classes_evaluated"]) == 16
    assert "truck" not in stored["classes_evaluated"]
    assert stored["miou_all_classes"] == pytest.approx(stored["miou"] * 16 / 19)


def _set(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("version", value=2), "version 2"),
        (_set("schema", value="other"), "'other'"),
        (_set("domains", 0, "miou", value=0.99), "do not follow from its confusion matrix"),
        (_set("domains", 0, "class_iou", 4, value=None), "do not follow"),
        (_set("domains", 0, "class_iou", value=[]), "do not follow"),
        (_set("domains", 0, "classes_evaluated", value=["road"]), "do not follow"),
        (_set("domains", 0, "confusion", 0, 0, value=-1), "wanted counts"),
        (_set("domains", 0, "confusion", 0, 0, value=1.5), "wanted counts"),
        (_set("domains", 0, "confusion", value=[[1]]), "wanted counts"),
        (_set("domains", 0, "protocol", value={}), "no name or description"),
        (_set("run", value={}), "not a results file"),
        (_set("domains", value=None), "not a results file"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str) -> None:
    path = tmp_path / "results.json"
    write_results(path, results(domain()))
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ResultsError, match=says) as refusal:
        read_results(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ResultsError):
        read_results(tmp_path / "results.json")


def test_a_domain_replaces_the_one_of_its_place() -> None:
    first = results(domain(), domain("bdd100k"))
    second = first.with_domain(domain(seed=9))
    assert [d.key for d in second.domains] == ["cityscapes", "bdd100k"]
    assert second.domains[0].miou != first.domains[0].miou
    assert len(second.with_domain(domain("synthia")).domains) == 3


def test_results_are_found_from_the_run_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="run spn evaluate"):
        find_results(tmp_path)
    file = tmp_path / "evaluation" / "results.json"
    write_results(file, results())
    assert find_results(tmp_path) == find_results(file) == find_results(file.parent) == (file,)


def test_reading_results_needs_no_torch() -> None:
    program = "import sys, spn.evaluation.results; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
