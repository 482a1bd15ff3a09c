"""A pack is whole or refused: regions, interruption, damage, a full disk, and what it is named for."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.miniature import write_ids, write_image, write_pair
from processes import forked
from spn.cli.main import dispatch
from spn.core.errors import DatasetError, UserError
from spn.core.seeding import numpy_generator
from spn.data import packing
from spn.data.base import SegmentationDataset
from spn.data.pack import ImageStorage, PackedDataset, tile_id
from spn.data.packing import pack_dataset
from spn.data.registry import DataArgument, parse_data_argument
from spn.training.data import open_training_data
from spn.transforms.config import AugmentationConfig
from spn.transforms.pipeline import TrainTransform

LABELS = [7, 8, 11, 23, 26, 0]


def make_folder(root: Path) -> SegmentationDataset:
    """Four pairs larger than a tile."""
    for name in "1234":
        write_image(root / f"gtav/images/train/{name}.png", height=150, width=270)
        ids = (
            numpy_generator(1, name).choice(np.array(LABELS, np.uint8), (15, 27)).repeat(10, 0).repeat(10, 1)
        )
        write_ids(root / f"gtav/labels/train/{name}.png", ids)
    return DataArgument("gtav", root / "gtav", "train").open()


@pytest.fixture
def folder(tmp_path: Path) -> SegmentationDataset:
    return make_folder(tmp_path)


def pack(folder: SegmentationDataset, *, images: ImageStorage = "compressed") -> Path:
    path = folder.root.parent / "train.sqlite"
    pack_dataset(folder, path, images=images, workers=2)
    return path


@pytest.fixture(scope="module", params=["compressed", "raw"])
def packed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SegmentationDataset, PackedDataset]:
    folder = make_folder(tmp_path_factory.mktemp("packed"))
    return folder, PackedDataset(pack(folder, images=request.param))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.tuples(st.integers(0, 150), st.integers(0, 150)), columns=st.tuples(*[st.integers(0, 270)] * 2)
)
def test_any_region_comes_back_to_the_bit(
    packed: tuple[SegmentationDataset, PackedDataset], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    folder, dataset = packed
    place = slice(*sorted(rows)), slice(*sorted(columns))
    region = dataset.open_regions(1).region(*place)
    np.testing.assert_array_equal(region.image, folder[1].image[place])
    np.testing.assert_array_equal(region.label, folder[1].label[place])


def test_training_crops_are_those_of_the_folder(packed: tuple[SegmentationDataset, PackedDataset]) -> None:
    folder, dataset = packed
    transform = TrainTransform(AugmentationConfig(crop_height=64, crop_width=96), views=2)
    for index in range(len(folder)):
        for seed in range(4):
            wanted = transform(folder.open_regions(index), generator=numpy_generator(seed), centre=(201, 90))
            found = transform(dataset.open_regions(index), generator=numpy_generator(seed), centre=(201, 90))
            np.testing.assert_array_equal(found.image, wanted.image)
            np.testing.assert_array_equal(found.label, wanted.label)


def test_a_crop_reads_only_its_tiles(folder: SegmentationDataset) -> None:
    """Damage in the last tile is not seen by a region in the first one, and named by one that needs it."""
    path = pack(folder)
    with sqlite3.connect(path) as database:
        place = (tile_id(2, 1, 2),)
        (data,) = database.execute("SELECT image FROM tiles WHERE id = ?", place).fetchone()
        damaged = bytes([*data[:-1], data[-1] ^ 1])
        database.execute("UPDATE tiles SET image = ? WHERE id = ?", (damaged, *place))
    dataset = PackedDataset(path)
    region = dataset.open_regions(2).region(slice(0, 100), slice(0, 100))
    np.testing.assert_array_equal(region.image, folder.read_image(2)[:100, :100])
    with pytest.raises(DatasetError, match=r"is damaged .*images/train/3\.png: .*incorrect data check"):
        dataset[2]
    with pytest.raises(DatasetError, match=r"1 of 4 pairs [\s\S]*3"):
        pack_dataset(folder, path)


def test_a_tile_in_the_place_of_another_is_refused(folder: SegmentationDataset) -> None:
    path = pack(folder)
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE tiles SET label = (SELECT label FROM tiles WHERE id = ?) WHERE id = ?",
            (tile_id(0, 0, 1), tile_id(0, 0, 0)),
        )
        database.execute("DELETE FROM tiles WHERE id = ?", (tile_id(1, 0, 0),))
    dataset = PackedDataset(path)
    with pytest.raises(DatasetError, match="not what belongs there"):
        dataset.read_ids(0)
    with pytest.raises(DatasetError, match="tiles are missing"):
        dataset.read_ids(1)


def test_no_flipped_bit_gives_a_wrong_pixel(folder: SegmentationDataset) -> None:
    path = pack(folder)
    whole = path.read_bytes()
    wanted = [folder[index] for index in range(len(folder))]
    messages: list[str] = []
    for position in numpy_generator(0).integers(0, len(whole), 60):
        data = bytearray(whole)
        data[position] ^= 16
        path.write_bytes(data)
        try:
            found = PackedDataset(path)
            samples = [found[index] for index in range(len(found))]
        except DatasetError as error:
            messages.append(str(error))
            continue
        for sample, expected in zip(samples, wanted, strict=True):  # a bit that reading does not use
            np.testing.assert_array_equal(sample.image, expected.image)
            np.testing.assert_array_equal(sample.label, expected.label)
    assert len(messages) > 40
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_off_pack_is_refused(folder: SegmentationDataset, kept: float) -> None:
    path = pack(folder)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DatasetError, match=r"is damaged or no pack.*repeat spn data pack"):
        PackedDataset(path)


def test_a_full_disk_is_one_sentence_and_repeating_continues(
    folder: SegmentationDataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, write = folder.root.parent / "train.sqlite", packing.write_pair

    def fill(database: sqlite3.Connection, number: int, *rest: object) -> None:
        if number == 2:  # as if nothing were left: the file may not grow
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages}")
        write(database, number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "write_pair", fill)
    arguments = ["data", "pack", f"gtav={folder.root}:train", "--out", str(path), "--quiet"]
    assert dispatch(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("spn data pack: the disk is full at")
    assert said.count("\n") == 1
    assert not path.exists()

    monkeypatch.setattr(packing, "write_pair", write)
    assert pack_dataset(folder, path) == 2
    assert [file.name for file in folder.root.parent.glob("*train*")] == ["train.sqlite"]
    for index in range(4):
        np.testing.assert_array_equal(PackedDataset(path)[index].image, folder[index].image)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_killed_packing_continues(folder: SegmentationDataset, tmp_path: Path) -> None:
    write = packing.write_pair

    def pack_until(last: int) -> None:
        def killed(database: sqlite3.Connection, number: int, *rest: object) -> None:
            if number == last:
                database.execute("INSERT INTO tiles VALUES (?, ?, ?)", (tile_id(number, 0, 0), b"", b""))
                os.kill(os.getpid(), signal.SIGKILL)
            write(database, number, *rest)  # type: ignore[arg-type]

        packing.write_pair = killed
        pack(folder)

    stderr = tmp_path / "stderr"
    assert [forked(lambda last=last: pack_until(last), stderr=stderr) for last in (0, 2)] == [
        -signal.SIGKILL
    ] * 2
    path = folder.root.parent / "train.sqlite"
    assert pack_dataset(folder, path) == 2
    for index in range(4):
        np.testing.assert_array_equal(PackedDataset(path)[index].image, folder[index].image)


@pytest.mark.parametrize("left", ["no database", "other plan", ""])
def test_a_file_left_by_another_start_is_begun_anew(folder: SegmentationDataset, left: str) -> None:
    path = folder.root.parent / "train.sqlite"
    partial = path.with_name(f".{path.name}.partial")
    if left == "other plan":
        pack(folder, images="raw").rename(partial)
    else:
        partial.write_text(left)
    assert pack_dataset(folder, path) == 4
    np.testing.assert_array_equal(PackedDataset(path)[3].image, folder[3].image)


def test_a_finished_pack_is_verified_and_never_overwritten(
    folder: SegmentationDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pack(folder)
    before = path.read_bytes()
    assert dispatch(["data", "pack", f"gtav={folder.root}:train", "--out", str(path), "--quiet"]) == 0
    assert "every checksum verified" in capsys.readouterr().out
    with pytest.raises(UserError, match="is another pack"):
        pack_dataset(folder, path, images="raw")
    write_image(folder.pairs[0].image, height=150, width=270)
    write_pair(folder.root / "images/train/5.png", folder.root / "labels/train/5.png", LABELS)
    with pytest.raises(UserError, match="folder changed since"):
        pack_dataset(DataArgument("gtav", folder.root, "train").open(), path)
    assert path.read_bytes() == before


def test_a_pack_is_what_it_is_named(folder: SegmentationDataset, tmp_path: Path) -> None:
    path = pack(folder)
    assert len(parse_data_argument(f"gtav={path}:train").open()) == 4
    for text, reason in (
        (f"cityscapes={path}", "holds gtav, wanted cityscapes"),
        (f"gtav={path}:val", "holds the split train, wanted val"),
        (f"gtav/trainIds={path}", "holds the map labelIds, wanted trainIds"),
        (f"gtav={tmp_path}/none.sqlite", "cannot be read as a pack"),
    ):
        with pytest.raises(DatasetError, match=reason):
            parse_data_argument(text).open()
    for name in ("text.sqlite", "old.spnpack"):
        (tmp_path / name).write_text("not a pack at all")
        with pytest.raises(DatasetError, match=r"no pack.*repeat spn data pack"):
            DataArgument("gtav", tmp_path / name).open()


def test_training_takes_the_split_that_the_pack_holds(folder: SegmentationDataset) -> None:
    path = folder.root.parent / "joined.sqlite"
    write_pair(folder.root / "images/valid/5.png", folder.root / "labels/valid/5.png", LABELS)
    pack_dataset(DataArgument("gtav", folder.root, "train+val").open(), path)
    dataset = open_training_data(f"gtav={path}", split="train")
    assert (dataset.split, len(dataset)) == ("train+val", 5)


def test_impossible_ids_are_refused_while_packing(folder: SegmentationDataset) -> None:
    write_ids(folder.pairs[1].label, np.full((150, 270), 99, np.uint8))
    with pytest.raises(DatasetError, match="ids 99 cannot occur"):
        pack(folder)
    assert not (folder.root.parent / "train.sqlite").exists()


def test_other_commands_say_what_to_do(
    folder: SegmentationDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pack(folder)
    assert dispatch(["data", "check", f"gtav={path}", "--quiet"]) == 1
    assert "is a pack" in capsys.readouterr().err
    assert dispatch(["data", "pack", f"gtav={path}", "--out", str(path), "--quiet"]) == 1
    assert "wanted the folder" in capsys.readouterr().err
    assert dispatch(["data", "pack", f"gtav={folder.root}:train", "--out", "x.bin", "--quiet"]) == 1
    assert "ends in .sqlite" in capsys.readouterr().err
