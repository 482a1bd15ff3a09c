"""What every dataset promises, whatever its layout: a new one joins by a line in `miniature_of`."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from data.miniature import write_image, write_pair
from simulator.fake_renderer import render_blocks
from spn.core.classes import IGNORE
from spn.core.errors import DatasetError, UserError
from spn.data.base import SegmentationDataset
from spn.data.packing import pack_dataset
from spn.data.registry import KEYS, DataArgument, parse_data_argument
from spn.training.data import JoinedSource, open_training_data
from streets.export import EXPORTED_KEYS, ExportPlan, export_dataset

LABEL_IDS, TRAIN_IDS = [0, 7, 8, 11, 23, 26, 33], [0, 1, 2, 10, 13, 18, 255]
MINIATURES: dict[str, tuple[str, str, Sequence[int]]] = {
    "camvid": ("val/0016E5_{}.png", "valannot/0016E5_{}.png", range(12)),
    "acdc": (
        "rgb_anon/fog/val/GP1/GP1_frame_{}_rgb_anon.png",
        "gt/fog/val/GP1/GP1_frame_{}_gt_labelIds.png",
        LABEL_IDS,
    ),
    "kitti": ("training/image_2/{}_10.png", "training/semantic/{}_10.png", LABEL_IDS),
    "dark_zurich": (
        "rgb_anon/val/night/GP1/GP1_frame_{}_rgb_anon.png",
        "gt/val/night/GP1/GP1_frame_{}_gt_labelTrainIds.png",
        TRAIN_IDS,
    ),
    "nighttime_driving": (
        "leftImg8bit/test/night/0_frame_{}_leftImg8bit.png",
        "gtCoarse_daytime_trainvaltest/test/night/0_frame_{}_gtCoarse_labelTrainIds.png",
        TRAIN_IDS,
    ),
    "foggy_zurich": ("RGB/GP1/{}.png", "gt_labelIds/GP1/{}.png", LABEL_IDS),
    "wilddash2": ("images/cn{}_100000.jpg", "labels/cn{}_100000.png", [*LABEL_IDS, 34, 35, 38]),
    "idd": (
        "leftImg8bit/val/119/{}_leftImg8bit.png",
        "gtFine/val/119/{}_gtFine_labellevel3Ids.png",
        [*range(26), 255],
    ),
    "idd_lite": ("leftImg8bit/val/119/{}_image.jpg", "gtFine/val/119/{}_label.png", [*range(7), 255]),
    "urbansyn": ("rgb/rgb_{}.png", "ss/ss_{}.png", range(20)),
}
"""Image, label and ids of those that the simulator does not write."""


def miniature_of(key: str, root: Path) -> Path:
    """A small dataset of this key, in a layout of the real one."""
    if key in EXPORTED_KEYS:
        plan = ExportPlan(key, root, {"train": 2, "val": 3}, width=64, height=48)
        export_dataset(plan, workers=1, progress=False, render=render_blocks)
    elif key in MINIATURES:
        image, label, ids = MINIATURES[key]
        for frame in ("000100", "000101"):
            write_pair(root / image.format(frame), root / label.format(frame), ids)
        if key == "foggy_zurich":  # most images have no label; a list names those that have
            write_image(root / "RGB/GP010229/000102.png")
            lists = root / "lists_file_names"
            lists.mkdir()
            (lists / "RGB_testv2_filenames.txt").write_text("RGB/GP1/000100.png\nRGB/GP1/000101.png\n")
    elif key == "custom":
        write_pair(root / "rgb/a.png", root / "gt/a.png", [0, 1, 255])
        (root / "spn_dataset.toml").write_text(
            'images = "rgb/*.png"\nlabels = "gt/*.png"\n[classes]\n0 = "road"\n1 = "sky"\n255 = "ignore"\n'
        )
    return root


@pytest.fixture(scope="module", params=KEYS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SegmentationDataset:
    root = miniature_of(request.param, tmp_path_factory.mktemp(request.param))
    return parse_data_argument(f"{request.param}={root}").open()


@pytest.fixture(scope="module", params=["folder", "raw", "compressed"])
def dataset(
    request: pytest.FixtureRequest, folder: SegmentationDataset, tmp_path_factory: pytest.TempPathFactory
) -> SegmentationDataset:
    """The folder itself, or a pack of it, opened under the same name."""
    if request.param == "folder":
        return folder
    path = tmp_path_factory.mktemp("packs") / f"{folder.key}.sqlite"
    pack_dataset(folder, path, images=request.param, workers=1)
    return parse_data_argument(f"{folder.key if folder.key in KEYS else 'custom'}={path}").open()


def test_every_form_gives_the_samples_of_the_folder(
    folder: SegmentationDataset, dataset: SegmentationDataset
) -> None:
    facts = ("key", "split", "map_name", "layout", "label_space", "label_map", "exclusions", "split_hash")
    assert [getattr(dataset, name) for name in facts] == [getattr(folder, name) for name in facts]
    assert dataset.fingerprint() == folder.fingerprint()
    assert len(dataset) == len(folder)
    for index in range(len(folder)):
        found, wanted = dataset[index], folder[index]
        assert (found.key, found.domain, found.image_path.name, found.label_path.name) == (
            wanted.key, wanted.domain, wanted.image_path.name, wanted.label_path.name,
        )  # fmt: skip
        np.testing.assert_array_equal(found.image, wanted.image)
        np.testing.assert_array_equal(found.label, wanted.label)
        np.testing.assert_array_equal(dataset.read_ids(index), folder.read_ids(index))


def test_regions_are_parts_of_the_sample(dataset: SegmentationDataset) -> None:
    sample, regions = dataset[0], dataset.open_regions(0)
    assert regions.size == sample.label.shape
    rows, columns = slice(2, regions.size[0] - 1), slice(5, 9)
    region = regions.region(rows, columns)
    np.testing.assert_array_equal(region.image, sample.image[rows, columns])
    np.testing.assert_array_equal(region.label, sample.label[rows, columns])


def test_samples_are_whole(dataset: SegmentationDataset) -> None:
    assert len(dataset) == len(dataset.pairs) > 0
    for index, pair in enumerate(dataset.pairs):
        sample = dataset[index]
        assert sample.image.dtype == sample.label.dtype == np.uint8
        assert sample.image.shape == (*sample.label.shape, 3)
        assert sample.image.flags.c_contiguous
        assert sample.domain == dataset.key
        assert (sample.key, sample.image_path, sample.label_path) == (pair.key, pair.image, pair.label)
        np.testing.assert_array_equal(sample.image, dataset.read_image(index))
        np.testing.assert_array_equal(sample.label, dataset.read_label(index))


def test_labels_are_in_the_label_space(dataset: SegmentationDataset) -> None:
    ids = set(np.unique(dataset.read_label(0)).tolist())
    assert ids <= {*range(len(dataset.label_space)), IGNORE}
    assert ids - {IGNORE}


def test_keys_are_unique_and_order_repeats(dataset: SegmentationDataset) -> None:
    keys = [pair.key for pair in dataset.pairs]
    assert len(set(keys)) == len(keys)
    key = dataset.key if dataset.key in KEYS else "custom"
    again = DataArgument(key, dataset.root, dataset.split).open()
    assert again.pairs == dataset.pairs


def test_it_travels_to_workers(dataset: SegmentationDataset) -> None:
    data = pickle.dumps(dataset)
    assert len(data) < 4000 + 600 * len(dataset)
    copy = pickle.loads(data)
    assert copy.pairs == dataset.pairs
    assert copy.fingerprint() == dataset.fingerprint()
    np.testing.assert_array_equal(copy[0].label, dataset[0].label)


def test_it_is_described(dataset: SegmentationDataset) -> None:
    assert dataset.map_name
    assert dataset.layout
    assert dataset.split in ("val", "all", "test")
    assert str(dataset.root) in repr(dataset)


@pytest.mark.parametrize("key", KEYS)
def test_the_fingerprint_follows_the_content(key: str, tmp_path: Path) -> None:
    root = miniature_of(key, tmp_path)
    dataset = DataArgument(key, root).open()
    before = dataset.fingerprint()
    assert DataArgument(key, root).open().fingerprint() == before
    label = dataset.pairs[0].label
    os.utime(label, ns=(1, 1))
    assert dataset.fingerprint() != before


@pytest.mark.parametrize("key", KEYS)
def test_a_damaged_file_is_named_at_reading(key: str, tmp_path: Path) -> None:
    dataset = DataArgument(key, miniature_of(key, tmp_path)).open()
    pair = dataset.pairs[0]
    for path in (pair.image, pair.label):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DatasetError, match="truncated") as caught:
            dataset[0]
        assert str(path) in str(caught.value)
        path.write_bytes(whole)


@pytest.mark.parametrize("key", KEYS)
def test_an_empty_folder_is_a_user_error(key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        DataArgument(key, tmp_path).open()


@pytest.mark.parametrize("key", EXPORTED_KEYS)
def test_the_training_split_of_miniatures_opens_too(key: str, tmp_path: Path) -> None:
    root = miniature_of(key, tmp_path)
    train, both = DataArgument(key, root, "train").open(), DataArgument(key, root, "train+val").open()
    variants = 3 if key in ("rain_cityscapes", "foggy_cityscapes") else 1
    assert (len(train), len(both)) == (2 * variants, 5 * variants)


def test_sources_are_trained_on_together(tmp_path: Path) -> None:
    sources = [
        open_training_data(f"{key}={miniature_of(key, tmp_path / key)}{split}", split="train")
        for key, split in (("gtav", ""), ("synthia", ""), ("urbansyn", ":all"))
    ]
    joined = JoinedSource(sources)
    assert len(joined) == sum(map(len, sources)) == 6
    assert [joined[index].domain for index in (0, 2, 4)] == ["gtav", "synthia", "urbansyn"]
