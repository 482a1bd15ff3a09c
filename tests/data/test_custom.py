"""Custom datasets: the TOML description, its pairing rules, and its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.miniature import write_image, write_pair
from spn.core.errors import DatasetError
from spn.data.registry import DataArgument, parse_data_argument

CLASSES = '[classes]\n0 = "road"\n1 = "sky"\n9 = "car"\n255 = "ignore"\n'
PLAIN = 'images = "rgb/**/*.jpg"\nlabels = "gt/**/*.png"\n' + CLASSES


def describe(root: Path, text: str = PLAIN) -> Path:
    path = root / "spn_dataset.toml"
    path.write_text(text)
    return path


def frames(root: Path, *names: str) -> None:
    for name in names:
        write_pair(root / f"rgb/{name}.jpg", root / f"gt/{name}.png", [0, 1, 9, 255])


def test_a_pair_of_folders(tmp_path: Path) -> None:
    frames(tmp_path, "a", "deep/b")
    describe(tmp_path, 'name = "my_city"\n' + PLAIN)
    dataset = DataArgument("custom", tmp_path).open()
    assert (dataset.key, dataset.split) == ("my_city", "all")
    assert [pair.key for pair in dataset.pairs] == ["a", "deep/b"]
    assert dataset[0].label[0, :4].tolist() == [0, 10, 13, 255]
    assert dataset[0].domain == "my_city"
    assert DataArgument("custom", tmp_path / "spn_dataset.toml").open().pairs == dataset.pairs


def test_pairing_rules_splits_and_joining(tmp_path: Path) -> None:
    for split, name in (("train", "x"), ("val", "y"), ("val", "z")):
        write_pair(
            tmp_path / split / f"{name}_camera.png", tmp_path / split / f"truth/{name}_ids.png", [0, 1]
        )
    describe(
        tmp_path,
        "image_key = '(.+)_camera\\.png'\nlabel_key = '(.+)_ids\\.png'\n" + CLASSES + "".join(
            f'[splits.{split}]\nimages = "{split}/*.png"\nlabels = "{split}/truth/*.png"\n'
            for split in ("train", "val")
        ),
    )  # fmt: skip
    assert [pair.key for pair in DataArgument("custom", tmp_path).open().pairs] == [
        "val/y_camera",
        "val/z_camera",
    ]
    argument = parse_data_argument(f"custom={tmp_path}:train+val")
    assert [pair.key for pair in argument.open().pairs] == ["train/x_camera", "val/y_camera", "val/z_camera"]
    with pytest.raises(DatasetError, match="wanted one of train, val"):
        DataArgument("custom", tmp_path, "test").open()


def test_camvid_space(tmp_path: Path) -> None:
    frames(tmp_path, "a")
    describe(
        tmp_path,
        'label_space = "camvid11"\n' + PLAIN.replace('"road"', '"pavement"').replace('"car"', '"bicyclist"'),
    )
    dataset = DataArgument("custom", tmp_path).open()
    assert dataset.label_space.key == "camvid11"
    assert dataset[0].label[0, :4].tolist() == [4, 0, 10, 255]


def test_unlisted_ids_are_an_error_unless_ignored(tmp_path: Path) -> None:
    write_pair(tmp_path / "rgb/a.jpg", tmp_path / "gt/a.png", [0, 77])
    describe(tmp_path)
    with pytest.raises(DatasetError, match="ids 77 cannot occur"):
        DataArgument("custom", tmp_path).open()
    describe(tmp_path, 'unlisted = "ignore"\n' + PLAIN)
    assert DataArgument("custom", tmp_path).open()[0].label[0, :2].tolist() == [0, 255]


def test_variants_share_a_label_whose_name_has_none(tmp_path: Path) -> None:
    write_pair(tmp_path / "fog/a.jpg", tmp_path / "gt/a.png", [0])
    write_image(tmp_path / "rain/a.jpg")
    keys = "image_key = '(?P<variant>[^/]+)/(.+)\\.jpg'\nlabel_key = 'gt/(.+)\\.png'\n"
    describe(tmp_path, keys + 'images = "*/*.jpg"\nlabels = "*/*.png"\n' + CLASSES)
    assert [pair.label.name for pair in DataArgument("custom", tmp_path).open().pairs] == ["a.png", "a.png"]
    (pair,) = DataArgument("custom", tmp_path, "all@rain").open().pairs
    assert pair.image == tmp_path / "rain/a.jpg"


def test_leftovers_are_listed(tmp_path: Path) -> None:
    frames(tmp_path, "a")
    write_image(tmp_path / "rgb/b.jpg")
    describe(tmp_path)
    with pytest.raises(DatasetError, match=r"1 x orphan \(images without a label[\s\S]*b\.jpg"):
        DataArgument("custom", tmp_path).open()
    describe(tmp_path, "image_key = '([a-z])_left\\.jpg'\n" + PLAIN)
    with pytest.raises(
        DatasetError,
        match=r"rgb holds 2 image file\(s\), for example a\.jpg; wanted names as \(\[a-z\]\)_left",
    ):
        DataArgument("custom", tmp_path).open()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("images = ", "cannot be used"),
        (CLASSES, "images and labels must be globs"),
        ('images = "a/*.png"\nlabels = "b/*.png"\n', r"wanted a table \[classes\]"),
        (
            'label_space = "cityscapes19"\n' + PLAIN.replace("road", "street"),
            "cityscapes19 class 'street' is unknown; wanted one of road",
        ),
        (PLAIN.replace("255 =", "300 ="), "not a number in 0..255"),
        ("colour = 1\n" + PLAIN, "unknown field `colour`"),
        ('name = "gtav"\n' + PLAIN, "built-in"),
        ('name = "a/b"\n' + PLAIN, "Expected `str` matching regex"),
        ("image_key = '.+'\n" + PLAIN, "needs a group"),
        ("image_key = '(.+'\n" + PLAIN, "not a regular expression"),
        ('label_space = "coco"\n' + PLAIN, "label_space 'coco'"),
        (PLAIN.replace("rgb/", "../rgb/"), "below the TOML file"),
        ('unlisted = "maybe"\n' + PLAIN, "unlisted"),
        (PLAIN, "no image with a label"),
    ],
)
def test_mistakes_in_the_description(text: str, message: str, tmp_path: Path) -> None:
    describe(tmp_path, text)
    with pytest.raises(DatasetError, match=message):
        DataArgument("custom", tmp_path).open()


def test_a_missing_description_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"spn_dataset\.toml is missing"):
        DataArgument("custom", tmp_path).open()
