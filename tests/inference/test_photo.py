"""Every kind of photograph becomes the RGB that a person sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spn.inference import photographs
from spn.inference.photographs import as_photo
from spn.inference.results import PhotoError

RED, GREY = (200, 30, 40), 120


def saved(
    tmp_path: Path, image: Image.Image, name: str = "photo.png", exif: Image.Exif | None = None
) -> Path:
    path = tmp_path / name
    if exif is None:
        image.save(path)
    else:
        image.save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", (6, 4), RED), RED),
        (Image.new("L", (6, 4), GREY), (GREY, GREY, GREY)),
        (Image.new("RGBA", (6, 4), (*RED, 255)), RED),
        (Image.new("RGBA", (6, 4), (*RED, 0)), (255, 255, 255)),
        (Image.new("LA", (6, 4), (GREY, 255)), (GREY, GREY, GREY)),
        (Image.new("1", (6, 4), 1), (255, 255, 255)),
        (Image.new("RGB", (6, 4), RED).quantize(4), RED),
        (Image.fromarray(np.full((4, 6), GREY * 257, np.uint16)), (GREY, GREY, GREY)),
    ],
    ids=["rgb", "grey", "opaque", "transparent", "grey-alpha", "bits", "palette", "16-bit"],
)
def test_modes(tmp_path: Path, image: Image.Image, expected: tuple[int, int, int]) -> None:
    photo = as_photo(saved(tmp_path, image))
    assert photo.shape == (4, 6, 3)
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, np.broadcast_to(expected, photo.shape))


def test_cmyk_jpeg_and_sixteen_bit_tiff(tmp_path: Path) -> None:
    assert as_photo(saved(tmp_path, Image.new("CMYK", (6, 4)), "a.jpg")).shape == (4, 6, 3)
    tiff = Image.fromarray(np.full((4, 6), 0.5, np.float32))
    np.testing.assert_array_equal(as_photo(saved(tmp_path, tiff, "a.tif")), 128)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    """The stored pixels are turned so that the top left of the scene is red, whatever the tag says."""
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = (255, 0, 0)
    inverse = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    stored = Image.fromarray(upright)
    if inverse != 1:
        stored = stored.transpose(turns[inverse])
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = as_photo(saved(tmp_path, stored, exif=exif))
    np.testing.assert_array_equal(photo, upright)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"])
def test_broken_files_are_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="cannot be read as an image"):
        as_photo(path)


def test_a_torn_photo_is_not_half_read(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)))
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(PhotoError):
        as_photo(path)
    with pytest.raises(PhotoError, match="no such file"):
        as_photo(tmp_path / "absent.png")


@pytest.mark.parametrize(("kind", "package"), [("heic", "pillow_heif"), ("avif", "PIL.AvifImagePlugin")])
@pytest.mark.parametrize("name", ["a.jpg", "a.{kind}"])
def test_heic_and_avif(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, package: str, name: str
) -> None:
    """Read where something reads them, also under another name; else with the line that installs it."""
    pytest.importorskip(package, reason="what reads it is not installed")
    if f".{kind}" not in photographs.suffixes():
        pytest.skip("this Pillow was built without it")
    path = tmp_path / name.format(kind=kind)
    Image.new("RGB", (64, 48), RED).save(path, format={"heic": "HEIF", "avif": "AVIF"}[kind])
    np.testing.assert_allclose(as_photo(path), np.broadcast_to(RED, (48, 64, 3)), atol=4)
    monkeypatch.setattr(photographs, "suffixes", lambda: frozenset({".png"}))
    formats = {name: opener for name, opener in Image.OPEN.items() if name not in ("HEIF", "AVIF")}
    monkeypatch.setattr(Image, "OPEN", formats)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name in formats])
    with pytest.raises(PhotoError, match=r"a\.\w+: cannot be read as an image .* pip install .*pillow"):
        as_photo(path)


def test_addresses_are_refused_in_one_sentence() -> None:
    with pytest.raises(
        PhotoError, match=r"^https://example\.org/a\.jpg: no such file; addresses are not fetched"
    ):
        as_photo("https://example.org/a.jpg")
