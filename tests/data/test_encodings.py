"""Label files in every form met in the wild, and the forms that must be refused."""

from __future__ import annotations

import io
import struct
import zlib
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
    blend_signs,
    check_whole,
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
        assert read_header(path) == (9, 6, 3, 8, False, suffix == ".jpg")
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


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed_png(ids: NDArray[np.uint8], bits: int, *, palette: bool) -> bytes:
    """A PNG of one channel of 1, 2, 4 or 8 bits, written by hand."""
    digits = ((ids[..., None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(len(ids), -1).astype(np.uint8)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 3 if palette else 0, 0, 0, 0)
    colours = chunk(b"PLTE", bytes(3 * 2**bits)) if palette else b""
    parts = chunk(b"IHDR", header) + colours + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@given(st.sampled_from([1, 2, 4, 8]), st.booleans(), st.integers(0, 99))
def test_ids_of_every_bit_depth_are_read_as_stored(bits: int, palette: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 2**bits, generator.integers(1, 40, 2)).astype(np.uint8)
    read = INDEX.decode(packed_png(ids, bits, palette=palette), Path("a.png"))
    np.testing.assert_array_equal(read, ids)


@settings(deadline=None)
@given(st.booleans(), st.data())
def test_a_png_with_a_changed_byte_or_a_missing_part_is_never_read(
    palette: bool, data: st.DataObject
) -> None:
    whole = packed_png(np.arange(117, dtype=np.uint8).reshape(9, 13), 8, palette=palette)
    place = data.draw(st.integers(8, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    for content in (bytes(damaged), whole[:place], whole[: min(place, len(whole) - 13)] + whole[-12:]):
        with pytest.raises(DatasetError, match=r"a\.png is (damaged|truncated)"):
            check_whole(content, Path("a.png"))


def test_labels_that_are_jpegs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "label.png"  # whatever its name says
    Image.fromarray(np.zeros((24, 32), np.uint8)).save(path, "JPEG")
    with pytest.raises(DatasetError, match="is a JPEG, which changes ids") as caught:
        INDEX.check_header(read_header(path), path)
    assert caught.value.trap == "lossy-label"


def street_like(seed: int) -> NDArray[np.uint8]:
    """Flat areas of several ids, with thin things among them."""
    generator, ids = np.random.default_rng(seed), np.zeros((144, 192), np.uint8)
    for _ in range(40):
        centre, radius = generator.integers(0, 192, 2).tolist(), int(generator.integers(4, 40))
        cv2.circle(ids, centre, radius, int(generator.integers(0, 34)), cv2.FILLED)
    for x in generator.integers(0, 192, 6):
        ids[40:100, x] = generator.integers(0, 34)
    return ids


@pytest.mark.parametrize("seed", range(8))
def test_blended_labels_are_told_from_sound_ones(seed: int) -> None:
    ids = street_like(seed)
    assert not blend_signs(ids)
    for factor in (0.45, 0.7, 1.3, 2.5):
        assert not blend_signs(cv2.resize(ids, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST))
        for smooth in (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4):
            if smooth != cv2.INTER_AREA or factor < 1:
                assert blend_signs(cv2.resize(ids, None, fx=factor, fy=factor, interpolation=smooth))
    for quality in (50, 75, 95):
        jpeg = cv2.imencode(".jpg", ids, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        assert blend_signs(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize("seed", range(8))
def test_labels_without_flat_areas_tell_nothing(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 34, (40, 50)).astype(np.uint8)
    assert not blend_signs(noise)
    assert not blend_signs(np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8))


@pytest.mark.parametrize("behind", [bytes(5000), b"\xff\xd8\xff", b"more"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_stands_behind_an_image_s_end_does_no_harm(kind: str, behind: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save(path, kind)
    path.write_bytes(path.read_bytes() + behind)
    assert read_header(path)[:2] == (32, 24)
    assert (decode_rgb(read_bytes(path), path) == 90).all()
