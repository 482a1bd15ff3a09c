"""Targets and sources beyond the paper's, in their true layouts: settings, splits, lists, maps."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.miniature import write_ids, write_image, write_pair
from spn.core.errors import DatasetError
from spn.data.registry import parse_data_argument
from spn.data.survey import survey_dataset

CONDITIONS = ("fog", "night", "rain", "snow")


@pytest.fixture
def acdc(tmp_path: Path) -> Path:
    """Every condition with its reference frames, and all label files that come with them."""
    for condition in CONDITIONS:
        for split in ("train", "val", "train_ref", "val_ref"):
            ref = "_ref" if split.endswith("_ref") else ""
            frame = f"{condition}/{split}/GOPR0475/GOPR0475_frame_000041"
            write_image(tmp_path / f"rgb_anon/{frame}_rgb{ref}_anon.png")
            write_ids(tmp_path / f"gt/{frame}_gt{ref}_labelIds.png", [7, 8, 11])
            write_ids(tmp_path / f"gt/{frame}_gt{ref}_labelTrainIds.png", [0, 1, 2])
            write_image(tmp_path / f"gt/{frame}_gt{ref}_labelColor.png")
            write_ids(tmp_path / f"gt/{frame}_gt{ref}_invIds.png", [0])
        write_image(tmp_path / f"rgb_anon/{condition}/test/G/G_frame_1_rgb_anon.png")
    return tmp_path


@pytest.mark.parametrize("split", ["train", "val", "train_ref", "val_ref"])
def test_acdc_has_four_settings_and_reference_frames(acdc: Path, split: str) -> None:
    whole = parse_data_argument(f"acdc={acdc}:{split}")
    dataset = whole.open()
    assert [pair.image.parts[-4] for pair in dataset.pairs] == list(CONDITIONS)
    assert {pair.image.parts[-3] for pair in dataset.pairs} == {split}
    assert dataset.map_name == "labelIds"
    assert survey_dataset(whole, accept=["duplicate", "split-overlap"]).ok
    for condition in CONDITIONS:
        (pair,) = parse_data_argument(f"acdc={acdc}:{split}@{condition}").open().pairs
        assert condition in pair.image.parts
        assert condition in pair.label.parts
    trained = parse_data_argument(f"acdc/trainIds={acdc}:{split}").open()
    assert (trained[0].label == dataset[0].label).all()


def test_acdc_takes_val_where_nothing_is_said(acdc: Path) -> None:
    assert parse_data_argument(f"acdc={acdc}").open().split == "val"
    assert len(parse_data_argument(f"acdc={acdc}:val@fog+val_ref@fog").open()) == 2


@pytest.mark.parametrize("split", ["", ":all", ":training"])
def test_kitti_is_all_of_its_training_folder(split: str, tmp_path: Path) -> None:
    for number in range(3):
        write_pair(
            tmp_path / f"training/image_2/{number}.png", tmp_path / f"training/semantic/{number}.png", [7, 34]
        )
    write_image(tmp_path / "testing/image_2/9.png")
    dataset = parse_data_argument(f"kitti={tmp_path}{split}").open()
    assert (dataset.split, len(dataset)) == ("all", 3)


def test_kitti_may_be_split_by_lists(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pair(tmp_path / f"training/image_2/{name}.png", tmp_path / f"training/semantic/{name}.png", [7])
    with pytest.raises(DatasetError, match=r"no list for 'train'; write .*train\.txt"):
        parse_data_argument(f"kitti={tmp_path}:train").open()
    (tmp_path / "val.txt").write_text("b\n")
    assert [pair.key for pair in parse_data_argument(f"kitti={tmp_path}").open().pairs] == ["b"]


def test_foggy_zurich_is_what_its_own_lists_name(tmp_path: Path) -> None:
    frames = [f"GP010229/15080{number}.0_frame_000955" for number in range(3)]
    for frame in frames:
        write_pair(tmp_path / f"RGB/{frame}.png", tmp_path / f"gt_labelIds/{frame}.png", [7, 23])
        write_ids(tmp_path / f"gt_labelTrainIds/{frame}.png", [0, 10])
    write_image(tmp_path / "RGB/GOPR0230/unlabelled.png")
    lists = tmp_path / "lists_file_names"
    lists.mkdir()
    for name, some in (("testv1", frames[:1]), ("testv2", frames)):
        (lists / f"RGB_{name}_filenames.txt").write_text("".join(f"RGB/{frame}.png\n" for frame in some))
    sizes = {"": ("test", 3), ":test": ("test", 3), ":testv2": ("test", 3), ":testv1": ("testv1", 1)}
    for split, expected in sizes.items():
        dataset = parse_data_argument(f"foggy_zurich={tmp_path}{split}").open()
        assert (dataset.split, len(dataset)) == expected
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/test.txt").write_text(f"{frames[1]}.png\n")  # one's own list comes first
    argument = parse_data_argument(f"foggy_zurich={tmp_path}")
    assert [pair.key for pair in argument.open().pairs] == frames[1:2]
    assert survey_dataset(argument).ok


def test_a_described_dataset_may_name_its_lists(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pair(tmp_path / f"rgb/{name}.png", tmp_path / f"gt/{name}.png", [0])
    (tmp_path / "validation_list.txt").write_text("rgb/b.png\n")
    (tmp_path / "spn_dataset.toml").write_text(
        'images = "rgb/*"\nlabels = "gt/*"\nmap = "trainIds"\nlists = ["{split}_list.txt"]\n'
        'splits = { val = "validation" }\n'
    )
    assert [pair.key for pair in parse_data_argument(f"custom={tmp_path}").open().pairs] == ["b"]


def test_only_split_stands_for_something(tmp_path: Path) -> None:
    """Other braces are part of a name; once they were an unexplained KeyError."""
    write_pair(tmp_path / "rgb/val/{a}/x.png", tmp_path / "gt/val/{a}/x.png", [0])
    text = 'map = "trainIds"\nimages = "rgb/{split}/{a}/*"\nlabels = "gt/{split}/{a}/*"\n'
    (tmp_path / "spn_dataset.toml").write_text(text)
    assert len(parse_data_argument(f"custom={tmp_path}").open()) == 1
    text = (
        'map = "trainIds"\nimages = "rgb/val/{a}/*"\nlabels = "gt/val/{a}/*"\nlists = ["{a}_{split}.txt"]\n'
    )
    (tmp_path / "spn_dataset.toml").write_text(text)
    assert parse_data_argument(f"custom={tmp_path}").open().split == "all"


def test_idd_prefers_the_classes_of_cityscapes(tmp_path: Path) -> None:
    write_image(tmp_path / "leftImg8bit/val/119/903127_leftImg8bit.png")
    labels = tmp_path / "gtFine/val/119"
    write_ids(labels / "903127_gtFine_labelcsTrainIds.png", [0, 255, 11, 16])
    write_ids(labels / "903127_gtFine_labellevel3Ids.png", [0, 1, 4, 12])  # 12: train and others
    for key, name, classes in (
        ("idd", "trainIds", [0, 255, 11, 16]),
        ("idd/level3Ids", "level3Ids", [0, 255, 11, 255]),
    ):
        dataset = parse_data_argument(f"{key}={tmp_path}").open()
        assert dataset.map_name == name
        assert dataset[0].label[0, :4].tolist() == classes


def test_idd_lite_leaves_instances_alone(tmp_path: Path) -> None:
    for name in ("", "_inst"):
        write_ids(tmp_path / f"gtFine/val/119/024541{name}_label.png", [0, 6, 255])
    write_image(tmp_path / "leftImg8bit/val/119/024541_image.jpg")
    dataset = parse_data_argument(f"idd_lite={tmp_path}").open()
    assert [pair.label.name for pair in dataset.pairs] == ["024541_label.png"]
    assert (len(dataset.label_space), dataset[0].label[0, :3].tolist()) == (7, [0, 6, 255])


@pytest.mark.parametrize("key", ["urbansyn", "wilddash2"])
def test_the_two_id_systems_are_told_apart(key: str, tmp_path: Path) -> None:
    """UrbanSyn's 19 is unlabelled, no traffic light; WildDash 2 counts as Cityscapes does."""
    folders = {"urbansyn": ("rgb/rgb_1.png", "ss/ss_1.png"), "wilddash2": ("images/1.png", "labels/1.png")}
    wrong = {"urbansyn": [7, 8, 11, 21, 23, 26], "wilddash2": [0, 1, 8, 10, 13, 255]}
    image, label = (tmp_path / name for name in folders[key])
    write_pair(image, label, wrong[key])
    with pytest.raises(DatasetError, match=r"look like (labelIds|trainIds)"):
        parse_data_argument(f"{key}={tmp_path}").open()


@pytest.mark.parametrize(
    ("key", "image", "sign"),
    [
        ("idd", "leftImg8bit/val/0/{}_leftImg8bit.png", "gtFine/val/0/{}_gtFine_polygons.json"),
        ("wilddash2", "images/{}.jpg", "panoptic.json"),
    ],
)
def test_labels_that_are_yet_to_be_drawn(key: str, image: str, sign: str, tmp_path: Path) -> None:
    for number in range(5):
        write_image(tmp_path / image.format(number))
        path = tmp_path / sign.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    argument = parse_data_argument(f"{key}={tmp_path}")
    with pytest.raises(DatasetError, match="no label images yet: let the tool") as caught:
        argument.open()
    assert str(caught.value).count(".json") <= 3
    assert [finding.trap for finding in survey_dataset(argument).findings] == ["not-drawn"]
