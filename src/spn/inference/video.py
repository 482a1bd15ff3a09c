"""Videos: frames as a person sees them, from a file, a camera or photographs; and a video of overlays.

PyAV (FFmpeg) decodes and encodes; OpenCV reads cameras. Frames are read when they are asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.errors import UserError
from spn.core.files import growing_path
from spn.inference.photographs import as_photo, photographs_in, refuse_address
from spn.inference.results import PhotoError

_CODECS: Final = ("libx264", "libopenh264", "mpeg4")
"""For overlays, the best first; which there are depends on how FFmpeg was built."""
_BT601: Final = 6
"""How FFmpeg makes video of RGB; players would expect another way of large frames."""
_CLOCK: Final = 60_000
"""Ticks a second of the times in overlays: exact for 24, 25, 29.97 and 30 frames; mpeg4 takes no more."""


class Frame(NamedTuple):
    """One picture of a video, uint8 [H, W, 3], RGB, and its time from the first one."""

    image: NDArray[np.uint8]
    seconds: float


class Video(NamedTuple):
    """Frames that come once, in order. After the last one PhotoError is raised if some were missing.

    expected: how many there will be, about; None where nobody knows. live: whether they show what is now.
    """

    frames: Iterator[Frame]
    expected: int | None
    live: bool = False


def open_video(source: str | Path | int | Iterable[Path], *, frame_rate: float | None = None) -> Video:
    """The frames of a video file, of a camera (its number), or of photographs: those of a folder, or given.

    frame_rate: of photographs, by default 25 a second.

    Raises:
        PhotoError: it cannot be read as a video, or there is no such camera.
        UserError: PyAV is not installed.
    """
    if isinstance(source, int):
        return _camera(source)
    if not isinstance(source, str | Path):
        count = len(source) if isinstance(source, list) else None
        return Video(_photographs(source, frame_rate or 25), count)
    path = Path(source)
    if path.is_dir():
        return open_video(photographs_in(path)[0], frame_rate=frame_rate)
    return _file(path)


def pyav() -> Any:
    """The module of PyAV. Raises UserError where it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise UserError("videos need the package av, which is not installed: pip install av") from error


def _file(path: Path) -> Video:
    av = pyav()
    try:
        file = open(path, "rb")  # noqa: SIM115 - the frames close it
    except OSError as error:
        refuse_address(path)
        raise PhotoError(f"{path}: cannot be read as a video ({error.strerror})") from error
    try:
        tags = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
        container = av.open(file, **tags)  # not by name: FFmpeg takes some names for addresses
    except (av.error.FFmpegError, OSError) as error:
        file.close()
        raise PhotoError(f"{path}: cannot be read as a video ({error.strerror}); is it cut off?") from error
    stream = container.streams.best("video")
    if stream is None:
        file.close()
        raise PhotoError(f"{path}: this file holds no video stream")
    length = (stream.duration or 0) * float(stream.time_base or 0) or (container.duration or 0) / 1e6
    expected = stream.frames or round(length * float(stream.average_rate or 0)) or None
    return Video(_decoded(path, file, container, stream, length), expected)


def _decoded(path: Path, file: Any, container: Any, stream: Any, length: float) -> Iterator[Frame]:
    """The frames of a stream of `length` seconds (0: unknown); damaged parts are passed over, and said at the
    end."""
    damaged, count, start, seconds = False, 0, None, 0.0
    step = 1 / float(stream.average_rate or 25)
    aspect = float(stream.sample_aspect_ratio or 1)
    with file, container:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (pyav().error.FFmpegError, OSError):
                damaged, packet = True, None
            try:
                decoded = stream.codec_context.decode(packet)
            except pyav().error.FFmpegError:
                damaged, decoded = True, []
            for frame in decoded:
                if start is None:
                    start = frame.time or 0.0
                later = seconds + step if count else 0.0  # where a frame has no time
                seconds = later if frame.time is None else max(frame.time - start, 0.0)
                yield Frame(_upright(frame, aspect), seconds)
                count += 1
            if packet is None or (packet.dts is None and not packet.size):
                break
    if not count:
        raise PhotoError(f"{path}: no frame of this video can be decoded; it is empty or damaged")
    if damaged or seconds + 1 < 0.95 * length:
        raise PhotoError(
            f"{path}: damaged or cut off; {count} frames could be decoded, to {seconds:.1f} of {length:.1f} s"
        )


def _upright(frame: Any, aspect: float) -> NDArray[np.uint8]:
    """The picture as the camera was held; its pixels, `aspect` times as wide as high, become square."""
    width = max(1, round(frame.width * aspect))
    image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _photographs(paths: Iterable[Path], rate: float) -> Iterator[Frame]:
    first, missing, index = None, 0, -1
    for index, path in enumerate(paths):
        try:
            yield Frame(as_photo(path), index / rate)
        except PhotoError as error:
            first, missing = first or error, missing + 1
    if index < 0:
        raise PhotoError("there is no photograph in the folder or list that was to be a video")
    if missing:
        raise PhotoError(f"{missing} of {index + 1} frames are missing, the first: {first}")


def _camera(number: int) -> Video:
    log = cv2.utils.logging
    level = log.setLogLevel(log.LOG_LEVEL_SILENT)  # it would say the same in its own words
    camera = cv2.VideoCapture(number)
    log.setLogLevel(level)
    if not camera.isOpened():
        camera.release()
        raise PhotoError(f"camera {number} cannot be opened; is it there, allowed, and not in use?")
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what is shown is now, however slow the network

    def frames() -> Iterator[Frame]:
        begun = None
        try:
            while True:
                there, image = camera.read()
                if not there:
                    raise PhotoError(f"camera {number} gives no more pictures; was it unplugged?")
                now = time.monotonic()
                begun = now if begun is None else begun
                yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), now - begun)
        finally:
            camera.release()

    return Video(frames(), None, live=True)


@contextlib.contextmanager
def open_film(path: Path, *, comment: str) -> Iterator[Callable[[NDArray[np.uint8], float], None]]:
    """Takes pictures uint8 [H, W, 3] with their times and makes `path` of them, an MP4 that can be played.

    While it grows the file is written in fragments, each playable at once; at its end it becomes a plain MP4.
    All pictures get the size of the first, with a border where their shape is another.
    """
    av = pyav()
    with growing_path(path) as temporary, open(temporary, "wb", buffering=0) as file:
        container: Any = None
        stream: Any = None
        last = -1

        def add(picture: NDArray[np.uint8], seconds: float) -> None:
            nonlocal container, stream, last
            if container is None:
                options = {"movflags": "+hybrid_fragmented+frag_every_frame", "flush_packets": "1"}
                container = av.open(file, "w", format="mp4", options=options)
                container.metadata["comment"] = comment
                stream = _encoder(container, picture)
            frame = av.VideoFrame.from_ndarray(_fitted(picture, stream.height, stream.width), format="rgb24")
            last = max(last + 1, round(seconds * _CLOCK))  # times must grow
            frame.pts, frame.time_base = last, Fraction(1, _CLOCK)
            container.mux(stream.encode(frame))

        def finish() -> None:
            if container is not None:
                container.mux(stream.encode(None))
                container.close()

        try:
            yield add
        except Exception:
            with contextlib.suppress(Exception):  # on a full disk, for example
                finish()
            raise
        except BaseException:
            finish()
            raise
        finish()


def _encoder(container: Any, picture: NDArray[np.uint8]) -> Any:
    codec = next(name for name in _CODECS if name in pyav().codecs_available)
    options = {"preset": "veryfast", "crf": "20", "tune": "zerolatency"} if codec == "libx264" else {}
    stream = container.add_stream(codec, options=options)
    height, width = picture.shape[:2]
    stream.height, stream.width = (length + length % 2 for length in (height, width))  # colours come in pairs
    stream.pix_fmt = "yuv420p"
    stream.codec_context.colorspace = _BT601
    stream.codec_context.time_base = Fraction(1, _CLOCK)
    if codec != "libx264":
        stream.codec_context.bit_rate = 8 * height * width
    return stream


def _fitted(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture in another size: as it is if an edge of a pixel does, else scaled, with a border."""
    missing = height - picture.shape[0], width - picture.shape[1]
    if not all(one in (0, 1) for one in missing):
        factor = min(height / picture.shape[0], width / picture.shape[1])
        size = [max(1, int(length * factor)) for length in picture.shape[:2]]
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA)
        missing = height - size[0], width - size[1]
        return cv2.copyMakeBorder(picture, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT)
    return cv2.copyMakeBorder(picture, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
