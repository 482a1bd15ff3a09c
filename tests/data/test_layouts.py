"""Every layout in use is recognised by rule; ambiguity and misfits are errors that list files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data.miniature import write_ids, write_image, write_pair
from spn.core.errors import DatasetError
from spn.data.base import SegmentationDataset
from spn.data.discovery import EXCLUSIONS
from spn.data.registry import DataArgument

LABEL_IDS = [7, 8, 11, 23, 26, 0]
TRAIN_IDS = [0, 1, 2, 10, 13, 255]
FIRST = [13, 15, 17, 27, 55, 41, 8, 65]
SECOND = [21, 24, 27, 61, 108, 123]
FRAME = "frankfurt/frankfurt_000000_000294"

LAYOUTS = [
    ("gtav", "images/valid/part/00001.png", "labels/valid/part/00001.png", LABEL_IDS),
    ("gtav", "images/valid/00001.png", "labels/valid/00001.png", LABEL_IDS),
    ("gtav", "images/val/00001.png", "labels/val/00001.png", LABEL_IDS),
    ("gtav", "images/00001.png", "labels/00001.png", LABEL_IDS),
    *(
        (
            "cityscapes",
            f"{images}/val/{FRAME}_leftImg8bit.png",
            f"{labels}/val/{FRAME}_gtFine_{name}.png",
            LABEL_IDS if name == "labelIds" else TRAIN_IDS,
        )
        for images in ("leftImg8bit_trainvaltest/leftImg8bit", "leftImg8bit")
        for labels in ("gtFine_trainvaltest/gtFine", "gtFine")
        for name in ("labelIds", "labelTrainIds")
    ),
    *(
        (
            "foggy_cityscapes",
            f"{images}/val/{FRAME}_leftImg8bit_foggy_beta_0.02.png",
            f"gtFine/val/{FRAME}_gtFine_labelIds.png",
            LABEL_IDS,
        )
        for images in ("leftImg8bit_trainvaltest/leftImg8bit", "leftImg8bit_foggy")
    ),
    *(
        (
            "rain_cityscapes",
            f"{images}/val/{FRAME}_leftImg8bit_rain_alpha_0.03_beta_0.015_dropsize_0.002_pattern_12.png",
            f"gtFine_trainvaltest/gtFine/val/{FRAME}_gtFine_labelIds.png",
            LABEL_IDS,
        )
        for images in ("leftImg8bit_trainvaltest/leftImg8bit", "leftImg8bit_rain")
    ),
    ("bdd100k", "images/val/x.jpg", "labels/val/x_train_id.png", TRAIN_IDS),
    ("bdd100k", "images/val/x.jpg", "labels/val/x.png", TRAIN_IDS),
    ("bdd100k", "seg/images/val/x.jpg", "seg/labels/val/x_train_id.png", TRAIN_IDS),
    ("bdd100k", "images/10k/val/x.jpg", "labels/sem_seg/masks/val/x.png", TRAIN_IDS),
    ("bdd100k", "images/10k/val/x.jpg", "labels/semseg/masks/val/x.png", TRAIN_IDS),
    ("mapillary", "validation/images/x.jpg", "validation/labels/x.png", FIRST),
    ("mapillary", "validation/images/x.jpg", "validation/v1.2/labels/x.png", FIRST),
    ("mapillary", "validation/images/x.jpg", "validation/v2.0/labels/x.png", SECOND),
    ("camvid", "val/x.png", "valannot/x.png", [0, 3, 8, 11]),
    *(
        (key, f"{image}.png", f"{label}_{name}.png", LABEL_IDS if name == "labelIds" else TRAIN_IDS)
        for key, image, label in (
            ("acdc", "rgb_anon/snow/val/d/x_rgb_anon", "gt/snow/val/d/x_gt"),
            ("dark_zurich", "rgb_anon/val/night/d/x_rgb_anon", "gt/val/night/d/x_gt"),
            (
                "nighttime_driving",
                "leftImg8bit/test/night/x_leftImg8bit",
                "gtCoarse_daytime_trainvaltest/test/night/x_gtCoarse",
            ),
        )
        for name in ("labelIds", "labelTrainIds")
    ),
    ("kitti", "training/image_2/000000_10.png", "training/semantic/000000_10.png", LABEL_IDS),
    ("foggy_zurich", "RGB/d/1.0_frame_2.png", "gt_labelIds/d/1.0_frame_2.png", LABEL_IDS),
    ("foggy_zurich", "RGB/d/1.0_frame_2.png", "gt_labelTrainIds/d/1.0_frame_2.png", TRAIN_IDS),
    ("wilddash2", "images/x.jpg", "labels/x.png", [7, 34, 35, 38]),
    ("wilddash2", "images/x.jpg", "semantic/x.png", [7, 34, 35, 38]),
    ("wilddash2", "images/x.jpg", "semantic/x_labelIds.png", [7, 34, 35, 38]),
    *(
        ("idd", f"leftImg8bit/val/0/x_leftImg8bit.{suffix}", f"gtFine/val/0/x_gtFine_label{name}.png", ids)
        for suffix in ("png", "jpg")
        for name, ids in (("csTrainIds", TRAIN_IDS), ("level3Ids", [0, 2, 22, 25, 255]))
    ),
    ("idd_lite", "leftImg8bit/val/0/x_image.jpg", "gtFine/val/0/x_label.png", [0, 6, 255]),
    (
        "idd_lite",
        "idd20k_lite/leftImg8bit/val/0/x_image.jpg",
        "idd20k_lite/gtFine/val/0/x_label.png",
        [0, 6, 255],
    ),
    ("urbansyn", "rgb/rgb_0001.png", "ss/ss_0001.png", [0, 10, 18, 19]),
]


def opened(
    key: str, root: Path, split: str | None = None, map_name: str | None = None
) -> SegmentationDataset:
    return DataArgument(key, root, split, map_name=map_name).open()


def mapillary(root: Path, ids: list[int], *, folder: str = "validation/labels", name: str = "x") -> None:
    write_pair(root / f"validation/images/{name}.jpg", root / folder / f"{name}.png", ids, palette=True)


@pytest.mark.parametrize(("key", "image", "label", "ids"), LAYOUTS)
def test_layout_is_recognised(key: str, image: str, label: str, ids: list[int], tmp_path: Path) -> None:
    write_pair(tmp_path / image, tmp_path / label, ids)
    dataset = opened(key, tmp_path)
    assert (dataset.pairs[0].image, dataset.pairs[0].label) == (tmp_path / image, tmp_path / label)
    sample = dataset[0]
    assert sample.image.shape == (12, 16, 3)
    expected = dataset.label_map.table()[np.resize(np.array(ids, np.uint8), (12, 16))]
    np.testing.assert_array_equal(sample.label, expected)


def test_two_layouts_at_once_are_ambiguous(tmp_path: Path) -> None:
    for images in ("leftImg8bit", "leftImg8bit_trainvaltest/leftImg8bit"):
        write_image(tmp_path / f"{images}/val/{FRAME}_leftImg8bit.png")
    write_ids(tmp_path / f"gtFine/val/{FRAME}_gtFine_labelIds.png", LABEL_IDS)
    with pytest.raises(DatasetError, match=r"fits 2 layouts at once[\s\S]*leftImg8bit/val"):
        opened("cityscapes", tmp_path)


def test_two_label_names_for_one_image_are_ambiguous(tmp_path: Path) -> None:
    write_pair(tmp_path / "images/val/x.jpg", tmp_path / "labels/val/x.png", TRAIN_IDS)
    write_ids(tmp_path / "labels/val/x_train_id.png", TRAIN_IDS)
    with pytest.raises(DatasetError, match="fits 2 layouts"):
        opened("bdd100k", tmp_path)


def test_both_encodings_of_cityscapes_read_the_original_unless_asked(tmp_path: Path) -> None:
    write_pair(
        tmp_path / f"leftImg8bit/val/{FRAME}_leftImg8bit.png",
        tmp_path / f"gtFine/val/{FRAME}_gtFine_labelIds.png",
        LABEL_IDS,
    )
    write_ids(tmp_path / f"gtFine/val/{FRAME}_gtFine_labelTrainIds.png", TRAIN_IDS)
    write_ids(tmp_path / f"gtFine/val/{FRAME}_gtFine_instanceIds.png", TRAIN_IDS)
    first, second = opened("cityscapes", tmp_path), opened("cityscapes", tmp_path, map_name="trainIds")
    assert (first.map_name, second.map_name) == ("labelIds", "trainIds")
    np.testing.assert_array_equal(first.read_label(0), second.read_label(0))
    assert first.fingerprint() != second.fingerprint()


def test_nothing_there_lists_what_was_wanted_and_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(
        DatasetError, match=r"images/valid \+ labels/valid  \(missing[\s\S]*Found in it: pictures"
    ):
        opened("gtav", tmp_path, "val")
    with pytest.raises(DatasetError, match="is not a folder"):
        opened("gtav", tmp_path / "absent")


def test_images_named_otherwise_are_explained(tmp_path: Path) -> None:
    """Clear Cityscapes under the key of its foggy variant."""
    write_pair(
        tmp_path / f"leftImg8bit_foggy/val/{FRAME}_leftImg8bit.png",
        tmp_path / f"gtFine/val/{FRAME}_gtFine_labelIds.png",
        LABEL_IDS,
    )
    with pytest.raises(DatasetError, match=r"holds 1 image file.*wanted names as .*_leftImg8bit_foggy_"):
        opened("foggy_cityscapes", tmp_path)


def test_labels_named_otherwise_are_explained(tmp_path: Path) -> None:
    write_image(tmp_path / "images/val/x.jpg")
    write_ids(tmp_path / "labels/val/x_train_color.png", TRAIN_IDS)
    with pytest.raises(
        DatasetError, match=r"x_train_color\.png; wanted names as .*_train_id\\\.png, in groups for example x"
    ):
        opened("bdd100k", tmp_path)


def test_missing_and_orphan_labels_are_listed_and_counted(tmp_path: Path) -> None:
    for number in range(20):
        write_image(tmp_path / f"images/valid/{number:05d}.png")
        write_ids(tmp_path / f"labels/valid/{number + 13:05d}.png", LABEL_IDS)
    with pytest.raises(DatasetError) as caught:
        opened("gtav", tmp_path)
    message = str(caught.value)
    assert "13 x orphan (images without a label" in message
    assert "00009.png has no label" in message
    assert "00010.png has no label" not in message
    assert "and 3 more" in message
    assert "13 x unused-label (labels without an image" in message


def test_stray_images_and_shared_labels_are_errors(tmp_path: Path) -> None:
    write_pair(tmp_path / "images/val/x.jpg", tmp_path / "labels/val/x.png", TRAIN_IDS)
    write_image(tmp_path / "images/val/x.png")
    with pytest.raises(DatasetError, match=r"label x\.png is claimed by x\.jpg and x\.png"):
        opened("bdd100k", tmp_path)
    write_pair(tmp_path / "val/x.png", tmp_path / "valannot/x.png", [0, 3])
    write_image(tmp_path / "val/inner/y.png")
    with pytest.raises(DatasetError, match=r"1 x misnamed.*\n.*inner/y\.png is not named as"):
        opened("camvid", tmp_path)


def test_known_companions_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    write_pair(tmp_path / "images/val/a/1.png", tmp_path / "labels/val/a/1.png", LABEL_IDS)
    write_ids(tmp_path / "labels/val/a/1_labelTrainIds.png", TRAIN_IDS)
    write_image(tmp_path / "images/val/a/._1.png")
    assert len(opened("gtav", tmp_path)) == 1


def test_exclusions_leave_images_out_and_say_why(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_pair(
            tmp_path / f"images/valid/{number:05d}.png",
            tmp_path / f"labels/valid/{number:05d}.png",
            LABEL_IDS,
        )
    (tmp_path / "labels/valid/00002.png").unlink()
    with pytest.raises(DatasetError, match=EXCLUSIONS):
        opened("gtav", tmp_path)
    (tmp_path / EXCLUSIONS).write_text("00002  # the label is lost\n")
    dataset = opened("gtav", tmp_path)
    assert [pair.key for pair in dataset.pairs] == ["val/00001", "val/00003"]
    assert dataset.exclusions == ("00002.png: the label is lost",)


def test_sizes_are_compared_from_headers(tmp_path: Path) -> None:
    write_pair(tmp_path / "images/valid/1.png", tmp_path / "labels/valid/1.png", LABEL_IDS)
    write_image(tmp_path / "images/valid/2.png")
    write_ids(tmp_path / "labels/valid/2.png", np.full((16, 12), 7))
    with pytest.raises(DatasetError, match=r"1 x transposed[\s\S]*2\.png is 16x12.*12x16"):
        opened("gtav", tmp_path)
    unchecked = DataArgument("gtav", tmp_path).find()[0]
    with pytest.raises(DatasetError, match=r"16x12, its label \S+ is 12x16"):
        unchecked[1]


def test_colour_maps_and_cut_files_are_found_at_opening(tmp_path: Path) -> None:
    for name in "abc":
        write_pair(tmp_path / f"images/val/{name}.jpg", tmp_path / f"labels/val/{name}.png", TRAIN_IDS)
    write_image(tmp_path / "labels/val/b.png")
    cut = tmp_path / "labels/val/c.png"
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=r"3 pairs[\s\S]*c\.png is truncated[\s\S]*b\.png: .*colour map"):
        opened("bdd100k", tmp_path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (TRAIN_IDS, "look like trainIds where labelIds belong"),
        ([0, 1, 2, 8, 10, 13], "look like trainIds where labelIds belong"),
        ([7, 8, 77], "ids 77 cannot occur"),
        ([0, 1, 2, 3], "no evaluated class"),
    ],
)
def test_ids_that_contradict_label_ids(ids: list[int], message: str, tmp_path: Path) -> None:
    write_pair(tmp_path / "images/valid/1.png", tmp_path / "labels/valid/1.png", ids)
    with pytest.raises(DatasetError, match=message):
        opened("gtav", tmp_path)


def test_label_ids_where_train_ids_belong(tmp_path: Path) -> None:
    write_pair(tmp_path / "images/val/x.jpg", tmp_path / "labels/val/x.png", LABEL_IDS)
    with pytest.raises(DatasetError, match="look like labelIds where trainIds belong"):
        opened("bdd100k", tmp_path)


def test_impossible_ids_deep_in_a_dataset_are_found_at_reading(tmp_path: Path) -> None:
    for number in range(9):
        ids = [7, 8, 200] if number == 2 else LABEL_IDS
        write_pair(tmp_path / f"images/valid/{number}.png", tmp_path / f"labels/valid/{number}.png", ids)
    dataset = opened("gtav", tmp_path)
    with pytest.raises(DatasetError, match=r"2\.png: ids 200"):
        dataset.read_label(2)


def test_mapillary_maps(tmp_path: Path) -> None:
    mapillary(tmp_path, FIRST)
    a, b = opened("mapillary", tmp_path), opened("mapillary", tmp_path, map_name="B")
    assert (a.map_name, b.map_name) == ("A", "B")
    assert a.read_label(0)[0, :8].tolist() == [0, 1, 2, 10, 13, 0, 255, 255]
    assert b.read_label(0)[0, :8].tolist() == [0, 1, 2, 10, 13, 255, 0, 255]
    assert a.fingerprint() != b.fingerprint()
    with pytest.raises(DatasetError, match=r"no label map 'C'; wanted one of A, B, v2\.0"):
        opened("mapillary", tmp_path, map_name="C")


def test_mapillary_prefers_the_first_release_and_takes_the_second_when_asked(tmp_path: Path) -> None:
    mapillary(tmp_path, FIRST, folder="validation/v1.2/labels")
    mapillary(tmp_path, SECOND, folder="validation/v2.0/labels")
    assert opened("mapillary", tmp_path).map_name == "A"
    second = opened("mapillary", tmp_path, map_name="v2.0")
    assert second.read_label(0)[0, :6].tolist() == [0, 1, 2, 10, 13, 255]


def test_mapillary_refuses_the_second_release_under_the_first(tmp_path: Path) -> None:
    mapillary(tmp_path, SECOND)
    with pytest.raises(DatasetError, match=r"look like v2\.0 labels"):
        opened("mapillary", tmp_path)
    assert opened("mapillary", tmp_path, map_name="v2.0").map_name == "v2.0"


def test_mapillary_compares_its_configuration(tmp_path: Path) -> None:
    mapillary(tmp_path, FIRST)
    names = [f"void--{number}" for number in range(66)]
    right = {
        3: "construction--barrier--fence", 6: "construction--barrier--wall", 13: "construction--flat--road",
        15: "construction--flat--sidewalk", 17: "construction--structure--building", 27: "nature--sky",
        29: "nature--terrain", 30: "nature--vegetation", 48: "object--traffic-light",
        52: "object--vehicle--bicycle", 54: "object--vehicle--bus", 55: "object--vehicle--car",
        57: "object--vehicle--motorcycle", 58: "object--vehicle--on-rails", 61: "object--vehicle--truck",
    }  # fmt: skip
    for label, name in right.items():
        names[label] = name
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"labels": [{"name": name} for name in names]}))
    assert opened("mapillary", tmp_path).map_name == "A"
    path.write_text(json.dumps({"labels": [{"name": name} for name in ["extra", *names]]}))
    with pytest.raises(DatasetError, match=r"config\.json does not describe the ids of map 'A'"):
        opened("mapillary", tmp_path)
    path.write_text("[]")
    with pytest.raises(DatasetError, match="is no configuration of the dataset"):
        opened("mapillary", tmp_path)
