"""Splits as a user writes them: names, aliases, several at once, weather settings, text lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.miniature import write_ids, write_image, write_pair
from spn.core.errors import DatasetError
from spn.data.declaration import parse_split
from spn.data.registry import KEYS, DataArgument, built_in, parse_data_argument

LABEL_IDS = [7, 8, 11, 23, 26, 0]


def gtav(root: Path, split: str, *names: str) -> None:
    for name in names:
        write_pair(root / f"images/{split}/{name}.png", root / f"labels/{split}/{name}.png", LABEL_IDS)


def flat_gtav(root: Path, *names: str) -> None:
    for name in names:
        write_pair(root / f"images/{name}.png", root / f"labels/{name}.png", LABEL_IDS)


def keys_of(key: str, root: Path, split: str | None = None) -> list[str]:
    return [pair.key for pair in DataArgument(key, root, split).open().pairs]


def test_several_splits_in_the_order_asked(tmp_path: Path) -> None:
    gtav(tmp_path, "train", "1")
    gtav(tmp_path, "valid", "2", "3")
    assert keys_of("gtav", tmp_path) == ["val/2", "val/3"]
    assert keys_of("gtav", tmp_path, "valid") == ["val/2", "val/3"]
    assert keys_of("gtav", tmp_path, "val+train") == ["val/2", "val/3", "train/1"]
    assert DataArgument("gtav", tmp_path, "train+valid").open().split == "train+val"


@pytest.mark.parametrize("text", ["", "train+", "evaluation", "train+train", "val@", "val+valid"])
def test_impossible_splits_are_refused(text: str) -> None:
    with pytest.raises(DatasetError):
        parse_split(built_in()["gtav"], text)


def test_flat_folders_have_all_and_lists(tmp_path: Path) -> None:
    flat_gtav(tmp_path, "00001", "00002", "00003")
    assert keys_of("gtav", tmp_path) == ["00001", "00002", "00003"]
    with pytest.raises(DatasetError, match=r"no split folders and no list for 'val'; write .*val\.txt"):
        DataArgument("gtav", tmp_path, "val").open()
    (tmp_path / "val.txt").write_text("# ours\n00002.png\n\n")
    assert keys_of("gtav", tmp_path) == ["00002"]
    assert keys_of("gtav", tmp_path, "all") == ["00001", "00002", "00003"]
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/train.txt").write_text("00001\n00003\n")
    assert keys_of("gtav", tmp_path, "train") == ["00001", "00003"]
    with pytest.raises(DatasetError, match="overlap"):
        DataArgument("gtav", tmp_path, "all+val").open()
    (tmp_path / "val.txt").write_text("00009\n")
    with pytest.raises(DatasetError, match=r"val\.txt names 1 image\(s\) that are not there[\s\S]*00009"):
        DataArgument("gtav", tmp_path).open()


def foggy(root: Path) -> None:
    for frame in ("a_000000_000001", "a_000000_000002"):
        write_ids(root / f"gtFine/val/a/{frame}_gtFine_labelIds.png", LABEL_IDS)
        for beta in ("0.005", "0.01", "0.02"):
            write_image(root / f"leftImg8bit_foggy/val/a/{frame}_leftImg8bit_foggy_beta_{beta}.png")


def test_weather_settings_can_be_chosen(tmp_path: Path) -> None:
    foggy(tmp_path)
    assert len(DataArgument("foggy_cityscapes", tmp_path).open()) == 6
    dense = DataArgument("foggy_cityscapes", tmp_path, "val@beta_0.02").open()
    assert dense.split == "val@beta_0.02"
    assert [pair.image.stem[-9:] for pair in dense.pairs] == ["beta_0.02"] * 2
    assert len(DataArgument("foggy_cityscapes", tmp_path, "val@beta_0.02+val@beta_0.01").open()) == 4
    with pytest.raises(
        DatasetError, match=r"no image of split val@beta_0\.0 .*found beta_0\.005, beta_0\.01"
    ):
        DataArgument("foggy_cityscapes", tmp_path, "val@beta_0.0").open()


def test_one_rain_pattern_is_not_the_beginning_of_another(tmp_path: Path) -> None:
    write_ids(tmp_path / "gtFine/val/a/a_0_1_gtFine_labelIds.png", LABEL_IDS)
    for pattern in (1, 11, 12):
        name = f"a_0_1_leftImg8bit_rain_alpha_0.01_beta_0.005_dropsize_0.01_pattern_{pattern}.png"
        write_image(tmp_path / "leftImg8bit_rain/val/a" / name)
    assert len(DataArgument("rain_cityscapes", tmp_path, "val@pattern_1").open()) == 1
    assert len(DataArgument("rain_cityscapes", tmp_path, "val@alpha_0.01_beta_0.005").open()) == 3


def test_weather_needs_the_truth_of_its_frames_only(tmp_path: Path) -> None:
    foggy(tmp_path)
    write_ids(tmp_path / "gtFine/val/a/a_000000_000003_gtFine_labelIds.png", LABEL_IDS)
    assert len(DataArgument("foggy_cityscapes", tmp_path).open()) == 6
    (tmp_path / "gtFine/val/a/a_000000_000001_gtFine_labelIds.png").unlink()
    with pytest.raises(DatasetError, match="3 x orphan"):
        DataArgument("foggy_cityscapes", tmp_path).open()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("camvid=data/camvid", DataArgument("camvid", Path("data/camvid"))),
        ("camvid=data/camvid:train+val", DataArgument("camvid", Path("data/camvid"), "train+val")),
        ("gtav=/a:b/c", DataArgument("gtav", Path("/a:b/c"))),
        ("gtav=/a:b/c:val", DataArgument("gtav", Path("/a:b/c"), "val")),
        ("gtav=/a=b:val", DataArgument("gtav", Path("/a=b"), "val")),
        ("mapillary/B=m:val", DataArgument("mapillary", Path("m"), "val", "B")),
        ("mapillary/v2.0=m", DataArgument("mapillary", Path("m"), None, "v2.0")),
        ("foggy_cityscapes=f:val@beta_0.02", DataArgument("foggy_cityscapes", Path("f"), "val@beta_0.02")),
        ("custom=city.toml:val", DataArgument("custom", Path("city.toml"), "val")),
        (r"gtav=C:\data\gtav", DataArgument("gtav", Path(r"C:\data\gtav"))),
    ],
)
def test_data_arguments(text: str, expected: DataArgument) -> None:
    assert parse_data_argument(text) == expected


@pytest.mark.parametrize("text", ["", "gtav", "gtav=", "waymo=data", "gtav=data:", "=data", "data:val"])
def test_unreadable_data_arguments(text: str) -> None:
    with pytest.raises(DatasetError, match="wanted"):
        parse_data_argument(text)


@given(
    key=st.sampled_from(KEYS),
    folder=st.text("abc/._- ", min_size=1).filter(lambda text: text.strip("/ .") != ""),
    split=st.sampled_from([None, "val", "train+val", "val@beta_0.01"]),
)
def test_data_arguments_come_back(key: str, folder: str, split: str | None) -> None:
    text = f"{key}={folder}" + (f":{split}" if split else "")
    assert parse_data_argument(text) == DataArgument(key, Path(folder), split)
