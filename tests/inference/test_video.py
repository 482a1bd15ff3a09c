"""Videos are read as a person sees them, whatever is wrong with them, and what is written can be played."""

from __future__ import annotations

import errno
import functools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inference.colour_network import ColourNetwork, painted, random_blocks
from inference.films import av, read_film, turned, write_film
from spn.core.errors import UserError
from spn.inference import video
from spn.inference.model import Model
from spn.inference.results import PhotoError
from spn.inference.video import Frame, open_film, open_video

RED, GREEN = (200, 30, 40), (30, 200, 40)


def labels(count: int, *, height: int = 24, width: int = 32) -> list[NDArray[np.uint8]]:
    return [random_blocks(np.random.default_rng(i), height=height, width=width) for i in range(count)]


def plain(*colours: tuple[int, int, int], height: int = 16, width: int = 32) -> list[NDArray[np.uint8]]:
    return [np.full((height, width, 3), colour, np.uint8) for colour in colours]


class Remembering:
    """What came out of an iterator before it failed."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self.seen: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        for one in self._source:
            self.seen.append(one)
            yield one


@functools.cache
def moving_film(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        pictures = [painted(label) for label in labels(20)]
        return write_film(Path(folder) / f"a{suffix}", pictures, lossless=False).read_bytes()


@pytest.mark.parametrize(("height", "width"), [(24, 32), (21, 33), (1, 2), (15, 2)])
def test_every_frame_of_a_video_is_labelled(tmp_path: Path, height: int, width: int) -> None:
    truth = labels(3, height=height, width=width)
    path = write_film(tmp_path / "12:30 a.mkv", [painted(label) for label in truth])
    scenes = list(Model(ColourNetwork()).video(path))
    for scene, label in zip(scenes, truth, strict=True):
        np.testing.assert_array_equal(scene.labels, label)
    assert [scene.seconds for scene in scenes] == pytest.approx([0, 0.1, 0.2], abs=1e-3)


@pytest.mark.parametrize("quarters", range(4))
def test_videos_of_telephones_are_turned(tmp_path: Path, quarters: int) -> None:
    picture = plain((128, 128, 128), height=32, width=64)[0]
    picture[:16, :32] = RED  # top left as stored
    path = turned(write_film(tmp_path / "a.mp4", [picture], lossless=False), quarters)
    (frame,) = open_video(path).frames
    np.testing.assert_allclose(frame.image, np.rot90(picture, -quarters), atol=40)
    assert frame.image.flags.c_contiguous


def test_frames_keep_their_own_times(tmp_path: Path) -> None:
    times = [0.5, 0.6, 0.65, 1.5, 1.51]
    path = write_film(tmp_path / "a.mkv", plain(RED, GREEN, RED, GREEN, RED), times=times)
    seconds = [frame.seconds for frame in open_video(path).frames]
    assert seconds == pytest.approx([time - 0.5 for time in times], abs=2e-3)
    with open_film(tmp_path / "b.mp4", comment="") as add:
        for frame in open_video(path).frames:
            add(frame.image, frame.seconds)
    assert read_film(tmp_path / "b.mp4")[1] == pytest.approx(seconds, abs=2e-3)


@pytest.mark.parametrize("codec", video._CODECS)
def test_films_of_each_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg was built without {codec}")
    monkeypatch.setattr(video, "_CODECS", (codec,))
    with open_film(tmp_path / "a.mp4", comment="") as add:
        for index, picture in enumerate(plain(RED, GREEN, RED)):
            add(picture, index * 1001 / 30_000)
    pictures, times = read_film(tmp_path / "a.mp4")
    assert times == pytest.approx([0, 1001 / 30_000, 2002 / 30_000], abs=1e-6)
    np.testing.assert_allclose(pictures[1], plain(GREEN)[0], atol=12)


def test_frames_of_one_time_and_of_other_sizes_make_a_film(tmp_path: Path) -> None:
    """Times that do not grow, odd sizes, a size that changes on the way."""
    pictures = [*plain(RED, height=21, width=33), *plain(GREEN, height=60, width=33), *plain(RED, height=20)]
    with open_film(tmp_path / "a.mp4", comment="") as add:
        for picture in pictures:
            add(picture, 0.0)
    seen, times = read_film(tmp_path / "a.mp4")
    assert [picture.shape for picture in seen] == [(22, 34, 3)] * 3
    assert times == sorted(set(times))
    np.testing.assert_allclose(seen[0], np.broadcast_to(RED, seen[0].shape), atol=12)
    np.testing.assert_allclose(seen[1][4:-4, 3:8], np.broadcast_to(GREEN, (14, 5, 3)), atol=25)
    assert seen[1][:, -4:].max() < 40  # a border, so that nothing is stretched


@pytest.mark.parametrize("text", [b"", b"no video", b"\0\0\0\x18ftypmp42" + bytes(100)])
def test_what_is_no_video_is_said(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(text)
    with pytest.raises(PhotoError, match=r"a\.mp4: cannot be read as a video"):
        open_video(tmp_path / "a.mp4")
    with pytest.raises(PhotoError, match=r"cannot be read as a video \(No such file"):
        open_video(tmp_path / "absent.mp4")
    with pytest.raises(
        PhotoError, match=r"https://example\.org/a\.mp4: no such file; addresses are not fetched"
    ):
        open_video("https://example.org/a.mp4")


def test_sound_without_pictures_is_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(PhotoError, match="holds no video stream"):
        open_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
@given(share=st.floats(0, 1), damage=st.integers(0, 2**32))
@settings(max_examples=12, deadline=None)
def test_videos_that_are_cut_off_or_damaged_give_what_they_have(
    suffix: str, share: float, damage: int
) -> None:
    """The frames before the end, then nothing worse than a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        data = bytearray(moving_film(suffix))
        for place in np.random.default_rng(damage).integers(len(data), size=damage % 4):
            data[place] ^= 0xFF
        path.write_bytes(data[: int(len(data) * share)])
        seen = 0
        try:
            for frame in open_video(path).frames:
                assert frame.image.shape[2] == 3
                seen += 1
        except PhotoError as error:
            assert "a" + suffix in str(error)  # noqa: PT017 - whether it is raised depends on the damage
        assert seen <= 21


def test_a_video_that_is_cut_off_says_how_far_it_got(tmp_path: Path) -> None:
    path, data = tmp_path / "a.mp4", moving_film(".mp4")
    path.write_bytes(data[: len(data) // 2])
    frames = Remembering(open_video(path).frames)
    with pytest.raises(PhotoError, match=r"a\.mp4: damaged or cut off; \d+ frames .* of 2.0 s"):
        list(frames)
    assert 1 < len(frames.seen) < 16


def test_a_folder_of_frames(tmp_path: Path) -> None:
    for index, label in enumerate(labels(3)):
        Image.fromarray(painted(label)).save(tmp_path / f"{index}.png")
    (tmp_path / "1.png").write_bytes(b"broken")
    frames = Remembering(Model(ColourNetwork()).video(tmp_path))
    with pytest.raises(PhotoError, match=r"1 of 3 frames are missing, the first: .*1\.png"):
        list(frames)
    assert [scene.seconds for scene in frames.seen] == [0, 2 / 25]


def test_smooth_labels_do_not_flicker() -> None:
    frames = [Frame(picture, i / 10) for i, picture in enumerate(plain(*[RED, RED, RED, GREEN] * 3))]
    model = Model(ColourNetwork(sharpness=3))
    rough, smooth = (
        [int(scene.labels[0, 0]) for scene in model.video(iter(frames), smooth=weight)]
        for weight in (0.0, 0.8)
    )
    assert len(set(rough)) == 2
    assert len(set(smooth)) == 1
    with pytest.raises(UserError, match="wanted a number from 0 to below 1"):
        model.video(iter(frames), smooth=1.0)


def test_smoothing_begins_anew_at_another_size() -> None:
    frames = [Frame(plain(RED)[0], 0.0), Frame(plain(GREEN, height=20)[0], 0.1)]
    first, second = Model(ColourNetwork()).video(iter(frames), smooth=0.9)
    assert first.labels[0, 0] != second.labels[0, 0]


class Camera:
    """OpenCV's, with three pictures."""

    def __init__(self, number: int) -> None:
        self.there = number == 0
        self.left = plain(RED, RED, RED)

    def isOpened(self) -> bool:  # noqa: N802
        return self.there

    def set(self, *_: object) -> None: ...

    def read(self) -> tuple[bool, Any]:
        return (True, self.left.pop()[..., ::-1]) if self.left else (False, None)

    def release(self) -> None:
        self.there = False


def test_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    frames = Remembering(open_video(0).frames)
    with pytest.raises(PhotoError, match="camera 0 gives no more pictures"):
        list(frames)
    seen = frames.seen
    assert len(seen) == 3
    np.testing.assert_array_equal(seen[0].image, plain(RED)[0])
    assert seen[0].seconds == 0 < seen[2].seconds
    with pytest.raises(UserError, match="camera 3 cannot be opened"):
        open_video(3)


def test_where_pyav_is_missing_its_line_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match="pip install av"):
        open_video(tmp_path / "a.mp4")


class FullDisk:
    """A file that takes no more than some bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_full_disk_ends_in_its_own_words_and_leaves_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = av.open
    monkeypatch.setattr(av, "open", lambda file, *a, **o: opened(FullDisk(file, 20_000), *a, **o))
    noise = np.random.default_rng(0).integers(0, 255, (20, 96, 128, 3), dtype=np.uint8)

    def write() -> None:
        with open_film(tmp_path / "a.mp4", comment="") as add:
            for index, picture in enumerate(noise):
                add(picture, index / 10)

    with pytest.raises(OSError, match="No space left"):
        write()
    monkeypatch.undo()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("a.partial-")
    assert 1 <= len(read_film(left)[0]) < 20


def test_a_film_without_pictures_leaves_nothing(tmp_path: Path) -> None:
    with open_film(tmp_path / "a.mp4", comment=""):
        pass
    assert not list(tmp_path.iterdir())


def test_a_film_that_is_left_early_is_kept(tmp_path: Path) -> None:
    def frames() -> Iterator[None]:
        with open_film(tmp_path / "a.mp4", comment="") as add:
            for index in range(100):
                add(plain(RED)[0], index / 10)
                yield

    generator = frames()
    for _ in range(5):
        next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert len(read_film(tmp_path / "a.mp4")[0]) == 5
