"""Label files in every form met in the wild, and the forms that must be refused."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CLASSES
from spn.core.errors import DatasetError
from spn.core.label_maps import OTHER_LABEL_COLOURS
from spn.data.files import (
    INDEX,
    INDEX_OR_COLOURS,
    SYNTHIA_RED,
    LabelEncoding,
    decode_rgb,
    read_bytes,
    read_header,
)

IDS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))
PALETTE = [value for value in range(255, -1, -1) for _ in range(3)]


def png(array: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    return bytes(cv2.imencode(".png", array)[1])


def decode(encoding: LabelEncoding, path: Path) -> NDArray[np.uint8]:
    return encoding.decode(read_bytes(path), path)


@given(ids=IDS, palette=st.booleans())
def test_index_is_read_from_grey_and_from_palette(
    ids: NDArray[np.uint8], palette: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ids") / "label.png"
    image = Image.fromarray(ids)
    if palette:
        image.putpalette(PALETTE)
    image.save(path)
    np.testing.assert_array_equal(decode(INDEX, path), ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_colours_are_packed_and_still_read(bits: int, tmp_path: Path) -> None:
    ids = (np.arange(35, dtype=np.uint8) % 2**bits).reshape(5, 7)
    image = Image.fromarray(ids)
    image.putpalette(PALETTE)
    image.save(tmp_path / "label.png", bits=bits)
    assert read_header(tmp_path / "label.png").bits == bits
    np.testing.assert_array_equal(decode(INDEX, tmp_path / "label.png"), ids)


@given(
    ids=hnp.arrays(
        np.uint8, (4, 5), elements=st.sampled_from([*(c.label_id for c in CLASSES), 0, 4, 5, 6, 9, 15, 29])
    ),
    alpha=st.booleans(),
)
def test_expanded_colours_map_back_exactly(
    ids: NDArray[np.uint8], alpha: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    colours = {info.label_id: info.colour for info in CLASSES} | dict(OTHER_LABEL_COLOURS)
    image = np.array([[colours[int(value)] for value in row] for row in ids], np.uint8)
    if alpha:
        image = np.dstack([image, np.full(ids.shape, 255, np.uint8)])
    path = tmp_path_factory.mktemp("colours") / "label.png"
    Image.fromarray(image).save(path)
    np.testing.assert_array_equal(decode(INDEX_OR_COLOURS, path), ids)


def test_an_unknown_colour_is_named_with_its_place(tmp_path: Path) -> None:
    image = np.full((4, 5, 3), (128, 64, 128), np.uint8)
    image[2, 3] = (129, 64, 128)
    Image.fromarray(image).save(tmp_path / "label.png")
    with pytest.raises(DatasetError, match=r"label\.png: colour \(129, 64, 128\) at x=3, y=2"):
        decode(INDEX_OR_COLOURS, tmp_path / "label.png")


def test_colours_where_ids_belong_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "label.png")
    with pytest.raises(DatasetError, match="colour map"):
        decode(INDEX, tmp_path / "label.png")


@given(
    classes=hnp.arrays(np.uint16, (3, 4), elements=st.integers(0, 22)),
    instances=hnp.arrays(np.uint16, (3, 4)),
    alpha=st.booleans(),
)
def test_synthia_reads_red_at_16_bits(
    classes: NDArray[np.uint16],
    instances: NDArray[np.uint16],
    alpha: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    channels = [np.zeros_like(classes), instances, classes]  # OpenCV writes blue, green, red
    if alpha:
        channels.append(np.full_like(classes, 65535))
    path = tmp_path_factory.mktemp("synthia") / "label.png"
    path.write_bytes(png(np.dstack(channels)))
    np.testing.assert_array_equal(decode(SYNTHIA_RED, path), classes)


def test_synthia_refuses_the_colour_folder_and_swapped_channels(tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    path.write_bytes(png(np.zeros((3, 4, 3), np.uint8)))
    with pytest.raises(DatasetError, match=r"GT/LABELS, not GT/COLOR"):
        decode(SYNTHIA_RED, path)
    path.write_bytes(png(np.full((3, 4, 3), 4000, np.uint16)))
    with pytest.raises(DatasetError, match="red channel holds 4000"):
        decode(SYNTHIA_RED, path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_files_are_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    data = bytes(cv2.imencode(suffix, noise)[1])
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match=rf"image\{suffix} is truncated"):
        read_bytes(path)


def test_damaged_pixels_are_named_and_not_returned(tmp_path: Path) -> None:
    data = bytearray(png(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)))
    data[60:90] = bytes(30)
    path = tmp_path / "image.png"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"image\.png is damaged"):
        decode_rgb(read_bytes(path), path)


def test_headers_tell_the_truth_and_refuse_other_files(tmp_path: Path) -> None:
    noise = np.zeros((6, 9, 3), np.uint8)
    for suffix in (".png", ".jpg"):
        path = tmp_path / f"image{suffix}"
        path.write_bytes(bytes(cv2.imencode(suffix, noise)[1]))
        assert read_header(path) == (9, 6, 3, 8, False)
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(DatasetError, match=r"text\.png cannot be read as an image"):
        read_header(tmp_path / "text.png")
    with pytest.raises(DatasetError, match=r"absent\.png"):
        read_header(tmp_path / "absent.png")


def test_exif_orientation_is_left_alone(tmp_path: Path) -> None:
    """Labels lie on the stored grid, so the image must not be turned."""
    image = Image.fromarray(np.zeros((6, 9, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    path = tmp_path / "turned.jpg"
    assert decode_rgb(read_bytes(path), path).shape == (6, 9, 3)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.floats(0.02, 0.98), st.booleans())
def test_a_jpeg_that_lacks_a_part_is_never_read(seed: int, share: float, marked: bool) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 56, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    part = data[: max(3, int(len(data) * share))] + (data[-2:] if marked else b"")
    with pytest.raises(DatasetError, match=r"a\.jpg is (damaged|truncated)"):
        decode_rgb(part, Path("a.jpg"))


@pytest.mark.parametrize("behind", [bytes(5000), b"\xff\xd8\xff", b"more"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_stands_behind_an_image_s_end_does_no_harm(kind: str, behind: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save(path, kind)
    path.write_bytes(path.read_bytes() + behind)
    assert read_header(path)[:2] == (32, 24)
    assert (decode_rgb(read_bytes(path), path) == 90).all()
