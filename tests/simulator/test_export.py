"""Miniatures on disk: names, encodings, determinism, and what happens after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from simulator.fake_renderer import render_blocks
from spn.core.classes import CITYSCAPES_19
from spn.core.errors import UserError
from spn.core.files import SIMULATION
from spn.core.label_maps import LABEL_IDS, MAPILLARY_A, SYNTHIA
from spn.core.seeding import derive_seed
from spn.data.registry import DataArgument
from streets import RENDERING
from streets.export import EXPORTED_KEYS, ExportPlan, ExportReport, export_dataset
from streets.frame import Frame


def plan_for(key: str, root: Path, *, train: int = 0, val: int = 2, seed: int = 0) -> ExportPlan:
    return ExportPlan(key, root, {"train": train, "val": val}, width=48, height=40, seed=seed)


def export(plan: ExportPlan, *, workers: int = 1) -> ExportReport:
    return export_dataset(plan, workers=workers, progress=False, render=render_blocks)


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def digests(root: Path) -> dict[str, str]:
    return {name: hashlib.md5((root / name).read_bytes()).hexdigest() for name in names(root)}


def rendered(scene: str, *, index: int = 0, split: str = "val") -> Frame:
    return render_blocks(None, seed=derive_seed(0, scene, split, index), width=48, height=40)


def index_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.mode in ("P", "L")
        return np.asarray(image).copy()


NAME_RULES = {
    "gtav": (r"images/valid/simulated/\d{5}\.png", r"labels/valid/simulated/\d{5}\.png"),
    "cityscapes": (
        r"leftImg8bit_trainvaltest/leftImg8bit/val/(\w+)/\1_\d{6}_\d{6}_leftImg8bit\.png",
        r"gtFine_trainvaltest/gtFine/val/(\w+)/\1_\d{6}_\d{6}_gtFine_(labelIds|instanceIds)\.png",
    ),
    "bdd100k": (
        r"images/val/[0-9a-f]{8}-[0-9a-f]{8}\.jpg",
        r"labels/val/[0-9a-f]{8}-[0-9a-f]{8}_train_id\.png",
    ),
    "synthia": (r"RGB/\d{7}\.png", r"GT/LABELS/\d{7}\.png", r"splits/val\.txt"),
    "mapillary": (r"validation/images/[\w-]{22}\.jpg", r"validation/labels/[\w-]{22}\.png"),
    "foggy_cityscapes": (
        r"leftImg8bit_trainvaltest/leftImg8bit/val/(\w+)/\1_\d{6}_\d{6}_leftImg8bit_foggy_beta_"
        r"(0\.005|0\.01|0\.02)\.png",
        r"gtFine_trainvaltest/gtFine/val/(\w+)/\1_\d{6}_\d{6}_gtFine_(labelIds|instanceIds)\.png",
    ),
    "rain_cityscapes": (
        r"leftImg8bit_trainvaltest/leftImg8bit/val/(\w+)/\1_\d{6}_\d{6}_leftImg8bit_rain_"
        r"(alpha_0\.01_beta_0\.005_dropsize_0\.01|alpha_0\.02_beta_0\.01_dropsize_0\.005|"
        r"alpha_0\.03_beta_0\.015_dropsize_0\.002)_pattern_\d+\.png",
        r"gtFine_trainvaltest/gtFine/val/(\w+)/\1_\d{6}_\d{6}_gtFine_(labelIds|instanceIds)\.png",
    ),
}


@pytest.mark.parametrize("key", EXPORTED_KEYS)
def test_files_are_named_as_published(key: str, tmp_path: Path) -> None:
    export(plan_for(key, tmp_path))
    written = [name for name in names(tmp_path) if name != SIMULATION]
    for name in written:
        assert any(re.fullmatch(rule, name) for rule in NAME_RULES[key]), name
    images_per_frame = 3 if key in ("foggy_cityscapes", "rain_cityscapes") else 1
    labels_per_frame = 2 if "cityscapes" in key else 1
    lists = 1 if key == "synthia" else 0
    assert len(written) == 2 * (images_per_frame + labels_per_frame) + lists


def test_gtav_labels_are_label_ids_behind_a_palette(tmp_path: Path) -> None:
    export(plan_for("gtav", tmp_path))
    path = tmp_path / "labels/valid/simulated/00001.png"
    np.testing.assert_array_equal(index_of(path), CITYSCAPES_19.to_label_ids()[rendered("gtav").label])
    with Image.open(path) as image:
        assert image.mode == "P"
        palette = image.getpalette()
    assert palette is not None
    assert palette[7 * 3 : 7 * 3 + 3] == [128, 64, 128]


def test_cityscapes_instances_follow_the_scorers_convention(tmp_path: Path) -> None:
    export(plan_for("cityscapes", tmp_path))
    folder = tmp_path / "gtFine_trainvaltest/gtFine/val/simfurt"
    labels = cv2.imread(str(folder / "simfurt_000000_000019_gtFine_labelIds.png"), cv2.IMREAD_UNCHANGED)
    stored = cv2.imread(str(folder / "simfurt_000000_000019_gtFine_instanceIds.png"), cv2.IMREAD_UNCHANGED)
    frame = rendered("cityscapes")
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(LABEL_IDS.table()[labels], frame.label)
    things = frame.instance > 0
    np.testing.assert_array_equal(stored[~things], labels[~things])
    np.testing.assert_array_equal(stored[things] // 1000, labels[things])
    assert sorted(np.unique(stored[labels == 26])) == [26000, 26001]
    assert len(np.unique(stored[things])) == len(np.unique(frame.instance[things]))


def test_synthia_keeps_the_class_in_red_and_the_instance_in_green(tmp_path: Path) -> None:
    export(plan_for("synthia", tmp_path))
    stored = cv2.imread(str(tmp_path / "GT/LABELS/0000000.png"), cv2.IMREAD_UNCHANGED)
    frame = rendered("synthia")
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored[..., 1], frame.instance)
    expected = frame.label.copy()
    expected[frame.label == 9] = 8  # grass is vegetation there
    expected[np.isin(frame.label, (14, 16))] = 255  # no trucks, no trains
    np.testing.assert_array_equal(SYNTHIA.table()[stored[..., 2]], expected)


def test_mapillary_and_bdd_labels_come_back_through_their_maps(tmp_path: Path) -> None:
    export(plan_for("mapillary", tmp_path / "m", val=1))
    export(plan_for("bdd100k", tmp_path / "b", val=1))
    ids = index_of(next((tmp_path / "m/validation/labels").iterdir()))
    label = rendered("mapillary").label
    np.testing.assert_array_equal(MAPILLARY_A.table()[ids], label)
    assert set(ids[label == 255]) == {65}
    assert set(ids[label == 1]) == {15}
    np.testing.assert_array_equal(
        index_of(next((tmp_path / "b/labels/val").iterdir())), rendered("bdd100k").label
    )


def test_a_drawn_dataset_says_so_in_every_table(tmp_path: Path) -> None:
    export(plan_for("mapillary", tmp_path, val=1))
    assert DataArgument("mapillary", tmp_path, None).open().title == "Mapillary (simulated)"
    (tmp_path / SIMULATION).unlink()
    assert DataArgument("mapillary", tmp_path, None).open().title == "Mapillary"


def test_weather_shows_the_clear_frames_and_their_truth(tmp_path: Path) -> None:
    for key in ("cityscapes", "foggy_cityscapes", "rain_cityscapes"):
        export(plan_for(key, tmp_path / key))
    truth = [
        {name: digest for name, digest in digests(tmp_path / key).items() if "gtFine" in name}
        for key in ("cityscapes", "foggy_cityscapes", "rain_cityscapes")
    ]
    assert truth[0] == truth[1] == truth[2]


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    one = export(plan_for("rain_cityscapes", tmp_path / "one", val=4))
    two = export(plan_for("rain_cityscapes", tmp_path / "two", val=4), workers=2)
    assert (one.written, two.written) == (4, 4)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_frames_depend_on_seed_split_and_index(tmp_path: Path) -> None:
    export(plan_for("gtav", tmp_path / "a", train=2))
    export(plan_for("gtav", tmp_path / "b", train=2, seed=1))
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    images = [digest for found in (first, second) for name, digest in found.items() if "images" in name]
    assert len(set(images)) == len(images) == 8


def test_an_interrupted_export_continues_to_the_same_bytes(tmp_path: Path) -> None:
    plan = plan_for("foggy_cityscapes", tmp_path, val=3)
    export(plan)
    before = digests(tmp_path)
    images = sorted((tmp_path / "leftImg8bit_trainvaltest").rglob("*.png"))
    images[0].unlink()
    cut = next(path for path in images if path.parent != images[0].parent)
    cut.write_bytes(cut.read_bytes()[:-20])
    untouched = {path: path.stat().st_mtime_ns for path in images if path.stem[:20] not in (
        images[0].stem[:20], cut.stem[:20])}  # fmt: skip
    report = export(plan)
    assert (report.written, report.kept) == (2, 1)
    assert digests(tmp_path) == before
    assert all(path.stat().st_mtime_ns == time for path, time in untouched.items())
    assert untouched


def fail_on_second(style: object, *, seed: int, width: int, height: int) -> Frame:
    if seed == derive_seed(0, "gtav", "val", 1):
        raise KeyboardInterrupt
    return render_blocks(style, seed=seed, width=width, height=height)


def test_an_interrupt_leaves_only_whole_frames(tmp_path: Path) -> None:
    plan = plan_for("gtav", tmp_path, val=3)
    with pytest.raises(KeyboardInterrupt):
        export_dataset(plan, workers=1, progress=False, render=fail_on_second)
    assert names(tmp_path) == [
        "images/valid/simulated/00001.png", "labels/valid/simulated/00001.png", SIMULATION,
    ]  # fmt: skip


def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    export(plan_for("gtav", tmp_path))
    with pytest.raises(UserError, match=r"seed: there 0, wanted 5"):
        export(plan_for("gtav", tmp_path, seed=5))
    with pytest.raises(UserError, match="counts"):
        export(plan_for("gtav", tmp_path, val=3))
    with pytest.raises(UserError, match="key"):
        export(plan_for("synthia", tmp_path))
    record = json.loads((tmp_path / SIMULATION).read_text())
    record["plan"]["rendering"] -= 1
    (tmp_path / SIMULATION).write_text(json.dumps(record))
    with pytest.raises(UserError, match=rf"rendering: there {RENDERING - 1}, wanted {RENDERING}"):
        export(plan_for("gtav", tmp_path))


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="not empty"):
        export(plan_for("gtav", tmp_path))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("key", "counts", "message"),
    [
        ("camvid", {"val": 1}, "cannot simulate 'camvid'"),
        ("gtav", {"validation": 1}, "wanted at least one image in train, val, test"),
        ("gtav", {"val": 0}, "at least one"),
        ("gtav", {"val": -1, "train": 2}, "at least one"),
    ],
)
def test_impossible_plans_are_refused(key: str, counts: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        ExportPlan(key, tmp_path, counts)


def test_plans_travel_to_workers(tmp_path: Path) -> None:
    plan = plan_for("gtav", tmp_path, train=3)
    assert pickle.loads(pickle.dumps(plan)) == plan


def wrong_size(style: object, *, seed: int, width: int, height: int) -> Frame:
    return render_blocks(style, seed=seed, width=width * 2, height=height)


def test_a_renderer_of_the_wrong_size_is_a_bug_that_shows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="renderer returned"):
        export_dataset(plan_for("gtav", tmp_path), workers=1, progress=False, render=wrong_size)


def test_terminated_it_leaves_no_workers_behind(tmp_path: Path) -> None:
    code = (
        "from streets.export import ExportPlan, export_dataset; from pathlib import Path; "
        f"export_dataset(ExportPlan('gtav', Path({str(tmp_path / 'gtav')!r}), {{'train': 4000}}, 48, 32), "
        "workers=2, progress=False)"
    )
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as simulation:
        for _ in range(600):
            if (tmp_path / "gtav").is_dir() and len(names(tmp_path / "gtav")) > 5:
                break
            time.sleep(0.1)
        simulation.terminate()
        assert simulation.wait(60) == 143
    written = names(tmp_path / "gtav")
    assert 5 < len(written) < 8000
    for _ in range(100):
        try:
            os.killpg(simulation.pid, 0)
        except ProcessLookupError:  # nobody is left of its process group
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived the simulation")
