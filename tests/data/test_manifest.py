"""The manifest: what it holds, its hash, continuing an interrupted check, and noticing changes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from rich.progress import Progress

from data.miniature import write_ids, write_image, write_pair
from spn.core.errors import DatasetError
from spn.data.base import Pair, SegmentationDataset
from spn.data.discovery import EXCLUSIONS
from spn.data.manifest import Manifest, PairRecord, manifest_places, read_manifest
from spn.data.registry import DataArgument
from spn.data.survey import Survey, inspect_pair, survey_dataset

LABELS = [7, 8, 11, 23, 26, 0]


def gtav(root: Path, *names: str) -> DataArgument:
    for name in names:
        write_pair(root / f"images/valid/{name}.png", root / f"labels/valid/{name}.png", LABELS)
    return DataArgument("gtav", root)


def surveyed(argument: DataArgument) -> tuple[Path, Manifest]:
    survey = survey_dataset(argument)
    assert survey.path is not None
    assert survey.manifest is not None
    return survey.path, survey.manifest


class CountingReader:
    """Inspects pairs, remembers which, and is interrupted after so many."""

    def __init__(self, *, stop_after: int = 999) -> None:
        self.keys: list[str] = []
        self.stop_after = stop_after

    def __call__(self, pair: Pair, dataset: SegmentationDataset) -> PairRecord:
        if len(self.keys) >= self.stop_after:
            raise KeyboardInterrupt
        self.keys.append(pair.key)
        return inspect_pair(pair, dataset)


def survey_with(reader: CountingReader, argument: DataArgument, **settings: Any) -> Survey:
    with patch("spn.data.survey.inspect_pair", reader):
        return survey_dataset(argument, **settings)


def test_it_comes_back_as_written_and_lies_beside_the_data(tmp_path: Path) -> None:
    path, manifest = surveyed(gtav(tmp_path, "1", "2"))
    assert path == tmp_path / ".spn/manifest_gtav_val_labelIds.json"
    assert read_manifest(path) == manifest
    assert [file.name for file in path.parent.glob("*.json")] == [path.name]
    values = json.loads(path.read_text())
    assert (values["pairs"], values["ok"], values["split_hash"]) == (2, True, manifest.split_hash)
    image = values["files"][0]["image"]
    assert image["bytes"] == (tmp_path / "images/valid/1.png").stat().st_size
    assert (image["path"], image["width"], image["height"]) == ("images/valid/1.png", 16, 12)
    present = {entry.name: (entry.pixels, entry.images) for entry in manifest.classes if entry.pixels}
    assert present == dict.fromkeys(("road", "sidewalk", "building", "sky", "car"), (64, 2))
    assert manifest.ignored_pixels == 64
    assert [(size.width, size.height, size.images) for size in manifest.sizes] == [(16, 12, 2)]


def test_the_hash_is_of_contents(tmp_path: Path) -> None:
    _, first = surveyed(gtav(tmp_path / "here", "1", "2"))
    shutil.copytree(tmp_path / "here", tmp_path / "there", ignore=shutil.ignore_patterns(".spn"))
    os.utime(tmp_path / "there/images/valid/1.png", (1, 1))
    _, second = surveyed(DataArgument("gtav", tmp_path / "there"))
    assert first.split_hash == second.split_hash
    write_ids(tmp_path / "there/labels/valid/2.png", [*LABELS[:-1], 1])
    _, third = surveyed(DataArgument("gtav", tmp_path / "there"))
    assert third.split_hash != first.split_hash


def test_an_interrupted_check_continues_after_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spn.data.survey.PART", 3)
    argument = gtav(tmp_path, *"123456")
    with pytest.raises(KeyboardInterrupt):
        survey_with(CountingReader(stop_after=4), argument, workers=1)
    (unfinished,) = tmp_path.glob(".spn/*.json")
    assert unfinished.name == "manifest_gtav_val_labelIds.unfinished.json"
    assert argument.open().split_hash is None
    os.utime(tmp_path / "images/valid/2.png", (5, 5))
    reader = CountingReader()
    survey = survey_with(reader, argument, workers=1)
    assert reader.keys == ["val/2", "val/4", "val/5", "val/6"]
    assert (survey.read, survey.kept, survey.ok) == (4, 2, True)
    assert not unfinished.exists()


def test_a_finished_check_reads_only_what_changed_unless_told(tmp_path: Path) -> None:
    argument = gtav(tmp_path, *"123")
    surveyed(argument)
    os.utime(tmp_path / "labels/valid/3.png", (5, 5))
    reader = CountingReader()
    survey_with(reader, argument)
    assert reader.keys == ["val/3"]
    survey_with(everything := CountingReader(), argument, again=True)
    assert sorted(everything.keys) == ["val/1", "val/2", "val/3"]


def test_a_damaged_manifest_is_made_again(tmp_path: Path) -> None:
    path, manifest = surveyed(gtav(tmp_path, "1"))
    path.write_text(path.read_text().replace(manifest.records[0].image.digest, "0" * 32))
    with pytest.raises(DatasetError, match="split hash does not follow"):
        DataArgument("gtav", tmp_path).open()
    path.write_text("{")
    with pytest.raises(DatasetError, match="no manifest of spn data check"):
        DataArgument("gtav", tmp_path).open()
    assert surveyed(DataArgument("gtav", tmp_path))[1].split_hash == manifest.split_hash


def test_opening_records_the_hash(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2")
    assert argument.open().split_hash is None
    _, manifest = surveyed(argument)
    assert argument.open().split_hash == manifest.split_hash


def test_a_dataset_changed_since_is_noticed(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2", "3")
    surveyed(argument)
    os.utime(tmp_path / "images/valid/1.png", (5, 5))
    with pytest.raises(DatasetError, match=r"changed since spn data check[\s\S]*val/1: other[\s\S]*Repeat"):
        argument.open()
    gtav(tmp_path, "4")
    with pytest.raises(DatasetError, match="val/4: was not there"):
        argument.open()
    (tmp_path / EXCLUSIONS).write_text("2 # ours\n")
    with pytest.raises(DatasetError, match="val/2: is gone"):
        argument.open()
    surveyed(argument)
    assert argument.open().split_hash


def test_a_changed_table_of_a_custom_dataset_is_noticed(tmp_path: Path) -> None:
    write_pair(tmp_path / "rgb/a.jpg", tmp_path / "gt/a.png", [0])
    text = 'images = "rgb/*.jpg"\nlabels = "gt/*.png"\n[classes]\n0 = "road"\n'
    (tmp_path / "spn_dataset.toml").write_text(text)
    surveyed(DataArgument("custom", tmp_path))
    (tmp_path / "spn_dataset.toml").write_text(text.replace("road", "sky"))
    with pytest.raises(DatasetError, match="the label map"):
        DataArgument("custom", tmp_path).open()


def test_known_problems_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    argument = gtav(tmp_path, "1", "2")
    shutil.copy(tmp_path / "images/valid/1.png", tmp_path / "images/valid/2.png")
    survey_dataset(argument)
    argument.open()
    assert "spn data check found 1 problem(s) here: duplicate" in caplog.text
    caplog.clear()
    survey_dataset(argument, accept=["duplicate"])
    argument.open()
    assert caplog.text == ""


def test_a_root_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    argument = gtav(tmp_path / "data", "1")
    (tmp_path / "data/.spn").write_text("a file where the folder would be")
    path, manifest = surveyed(argument)
    assert path == manifest_places(argument.open())[1]
    assert path.is_relative_to(tmp_path / "home/.cache/spn/manifests")
    assert argument.open().split_hash == manifest.split_hash


def test_splits_and_maps_have_manifests_of_their_own(tmp_path: Path) -> None:
    write_pair(tmp_path / "validation/images/x.jpg", tmp_path / "validation/labels/x.png", [13, 24, 7])
    paths = {surveyed(DataArgument("mapillary", tmp_path, None, name))[0].name for name in ("A", "B")}
    assert paths == {"manifest_mapillary_val_A.json", "manifest_mapillary_val_B.json"}


def test_several_splits_at_once_are_read_once_and_known_one_by_one(tmp_path: Path) -> None:
    gtav(tmp_path, "1", "2")
    write_pair(tmp_path / "images/train/3.png", tmp_path / "labels/train/3.png", LABELS)
    shutil.copy(tmp_path / "images/valid/1.png", tmp_path / "images/train/3.png")
    reader = CountingReader()
    both = survey_with(reader, DataArgument("gtav", tmp_path, "train+val"))
    assert sorted(reader.keys) == ["train/3", "val/1", "val/2"]
    assert [(finding.trap, finding.items) for finding in both.findings] == [
        ("split-overlap", ("images/valid/1.png = images/train/3.png",))
    ]
    hashes = {
        split: DataArgument("gtav", tmp_path, split).open().split_hash
        for split in ("train", "val", "train+val")
    }
    assert len(set(hashes.values()) - {None}) == 3
    again = survey_dataset(DataArgument("gtav", tmp_path, "val"))
    assert again.read == 0
    assert [finding.trap for finding in again.findings] == ["split-overlap"]  # also of one split alone


def test_progress_counts_what_was_read_earlier(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2")
    surveyed(argument)
    os.utime(tmp_path / "labels/valid/2.png", (5, 5))
    progress = Progress(disable=True)
    survey_dataset(argument, progress=progress)
    (task,) = progress.tasks
    assert (task.total, task.completed, task.fields["status"]) == (2, 2, "1 read earlier")


def test_a_label_that_variants_share_counts_once(tmp_path: Path) -> None:
    frame = "ulm/ulm_000000_000019"
    label = write_ids(tmp_path / f"gtFine/val/{frame}_gtFine_labelIds.png", np.full((12, 16), 7))
    images = [
        write_image(tmp_path / f"leftImg8bit_foggy/val/{frame}_leftImg8bit_foggy_beta_{beta}.png")
        for beta in ("0.01", "0.02")
    ]
    _, manifest = surveyed(DataArgument("foggy_cityscapes", tmp_path))
    assert manifest.bytes == sum(path.stat().st_size for path in (label, *images))
