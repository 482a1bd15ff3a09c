"""A pack is whole or refused: regions, interruption, damage, a full disk, and what it is named for."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.miniature import write_ids, write_image, write_pair
from spn.cli.main import dispatch
from spn.core.errors import DatasetError, UserError
from spn.core.seeding import numpy_generator
from spn.data import packing
from spn.data.base import SegmentationDataset
from spn.data.catalogue import open_dataset, parse_data_argument
from spn.data.pack_format import read_index
from spn.data.pack_tiles import ImageCodec, Plane, encode_plane
from spn.data.packed import PackedDataset
from spn.data.packing import pack_dataset
from spn.training.ingredients import open_training_data
from spn.transforms.config import AugmentationConfig
from spn.transforms.pipeline import TrainTransform

LABELS = [7, 8, 11, 23, 26, 0]


@pytest.fixture
def folder(tmp_path: Path) -> SegmentationDataset:
    """Four pairs larger than a tile."""
    for name in "1234":
        write_image(tmp_path / f"gtav/images/train/{name}.png", height=150, width=270)
        ids = (
            numpy_generator(1, name).choice(np.array(LABELS, np.uint8), (15, 27)).repeat(10, 0).repeat(10, 1)
        )
        write_ids(tmp_path / f"gtav/labels/train/{name}.png", ids)
    return open_dataset("gtav", tmp_path / "gtav", "train")


def pack(folder: SegmentationDataset, *, images: ImageCodec = "png") -> Path:
    path = folder.root.parent / "train.spnpack"
    pack_dataset(folder, path, images=images, workers=2)
    return path


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    tile=st.sampled_from([1, 7, 16]),
    codec=st.sampled_from(["raw", "png", "runs"]),
    edges=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_any_region_comes_back_to_the_bit(
    height: int, width: int, tile: int, codec: str, edges: list[float]
) -> None:
    channels = 0 if codec == "runs" else 3
    shape = (height, width, 3) if channels else (height, width)
    pixels = numpy_generator(0, height, width).integers(0, 3 if not channels else 256, shape, dtype=np.uint8)
    plane = Plane(
        memoryview(encode_plane(pixels, codec=codec, tile=tile)), (height, width), channels, codec, tile
    )
    top, bottom = sorted(round(edge * height) for edge in edges[:2])
    left, right = sorted(round(edge * width) for edge in edges[2:])
    found = plane.read(slice(top, bottom), slice(left, right))
    np.testing.assert_array_equal(found, pixels[top:bottom, left:right])


@pytest.mark.parametrize("images", ["raw", "png"])
def test_training_crops_are_those_of_the_folder(folder: SegmentationDataset, images: ImageCodec) -> None:
    packed = PackedDataset(pack(folder, images=images))
    transform = TrainTransform(AugmentationConfig(crop_height=64, crop_width=96), views=2)
    for index in range(len(folder)):
        for seed in range(4):
            wanted = transform(folder.open_regions(index), generator=numpy_generator(seed), centre=(201, 90))
            found = transform(packed.open_regions(index), generator=numpy_generator(seed), centre=(201, 90))
            np.testing.assert_array_equal(found.images, wanted.images)
            np.testing.assert_array_equal(found.label, wanted.label)


def test_a_crop_reads_only_its_tiles(folder: SegmentationDataset) -> None:
    """Damage in the last tile is not seen by a region in the first one, and named by one that needs it."""
    path = pack(folder)
    third = read_index(path)[1][2]
    end = third.start + third.image_bytes
    data = bytearray(path.read_bytes())
    data[end - 1] ^= 1
    path.write_bytes(data)
    packed = PackedDataset(path)
    region = packed.open_regions(2).region(slice(0, 100), slice(0, 100))
    np.testing.assert_array_equal(region.image, folder.read_image(2)[:100, :100])
    with pytest.raises(DatasetError, match=r"is damaged: .*images/train/3\.png: tile 5"):
        packed[2]
    with pytest.raises(DatasetError, match=r"1 of 4 pairs [\s\S]*3"):
        pack_dataset(folder, path, images="png")


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


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_cut_off_pack_is_refused(folder: SegmentationDataset, kept: float) -> None:
    path = pack(folder)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DatasetError, match="its end is missing"):
        PackedDataset(path)


def test_a_full_disk_is_one_sentence_and_repeating_continues(
    folder: SegmentationDataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, append, written = folder.root.parent / "train.spnpack", packing._append, []

    def fill(file: object, pair: object, dataset: object) -> object:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(append(file, pair, dataset))  # type: ignore[arg-type]
        return written[-1]

    monkeypatch.setattr(packing, "_append", fill)
    arguments = ["data", "pack", f"gtav={folder.root}:train", "--out", str(path), "--quiet"]
    assert dispatch(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("spn data pack: the disk is full at")
    assert said.count("\n") == 1
    assert not path.exists()

    monkeypatch.setattr(packing, "_append", append)
    packed = pack_dataset(folder, path, images="png")
    assert (packed.pairs, packed.packed) == (4, 2)
    assert [file.name for file in folder.root.parent.glob("*train*")] == ["train.spnpack"]
    for index in range(4):
        np.testing.assert_array_equal(PackedDataset(path)[index].image, folder[index].image)


@pytest.mark.parametrize("damage", ["cut", "flip", "other plan"])
def test_an_unfinished_file_is_used_as_far_as_it_is_sound(
    folder: SegmentationDataset, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = folder.root.parent / "train.spnpack"
    partial = path.with_name(".train.spnpack.partial")
    with monkeypatch.context() as context:
        context.setattr(packing, "write_end", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pack_dataset(folder, path, images="raw" if damage == "other plan" else "png")
    assert not path.exists()
    data = bytearray(partial.read_bytes())
    if damage == "cut":
        del data[-1:]
    elif damage == "flip":
        data[int(len(data) * 0.7)] ^= 1
    partial.write_bytes(data)
    assert pack_dataset(folder, path, images="png").packed == {"cut": 1, "flip": 2, "other plan": 4}[damage]
    reference = folder.root.parent / "again.spnpack"
    pack_dataset(folder, reference, images="png", workers=1)
    assert path.read_bytes() == reference.read_bytes()


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
        pack_dataset(open_dataset("gtav", folder.root, "train"), path, images="png")
    assert path.read_bytes() == before


def test_a_pack_is_what_it_is_named(folder: SegmentationDataset, tmp_path: Path) -> None:
    path = pack(folder)
    assert len(parse_data_argument(f"gtav={path}:train").open()) == 4
    for text, reason in (
        (f"cityscapes={path}", "holds gtav, wanted cityscapes"),
        (f"gtav={path}:val", "holds the split train, wanted val"),
        (f"gtav/trainIds={path}", "under the map labelIds, wanted trainIds"),
        (f"gtav={tmp_path}/none.spnpack", "cannot be read as a pack"),
    ):
        with pytest.raises(DatasetError, match=reason):
            parse_data_argument(text).open()
    (tmp_path / "text.spnpack").write_text("not a pack at all")
    with pytest.raises(DatasetError, match="is no pack"):
        open_dataset("gtav", tmp_path / "text.spnpack")


def test_training_takes_the_split_that_the_pack_holds(folder: SegmentationDataset) -> None:
    path = folder.root.parent / "joined.spnpack"
    write_pair(folder.root / "images/valid/5.png", folder.root / "labels/valid/5.png", LABELS)
    pack_dataset(open_dataset("gtav", folder.root, "train+val"), path, images="png")
    dataset = open_training_data(f"gtav={path}", split="train")
    assert (dataset.split, len(dataset)) == ("train+val", 5)


def test_impossible_ids_are_refused_while_packing(folder: SegmentationDataset) -> None:
    write_ids(folder.pairs[1].label, np.full((150, 270), 99, np.uint8))
    with pytest.raises(DatasetError, match="ids 99 cannot occur"):
        pack(folder)
    assert not (folder.root.parent / "train.spnpack").exists()


def test_other_commands_say_what_to_do(
    folder: SegmentationDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pack(folder)
    assert dispatch(["data", "check", f"gtav={path}", "--quiet"]) == 1
    assert "is a pack" in capsys.readouterr().err
    assert dispatch(["data", "pack", f"gtav={path}", "--out", str(path), "--quiet"]) == 1
    assert "wanted the folder" in capsys.readouterr().err
    assert dispatch(["data", "pack", f"gtav={folder.root}:train", "--out", "x.bin", "--quiet"]) == 1
    assert "ends in .spnpack" in capsys.readouterr().err
