"""Small videos, made for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

av: Any = pytest.importorskip("av", reason="the extra `video` is not installed")

Pictures = Sequence[NDArray[np.uint8]]


def write_film(
    path: Path, pictures: Pictures, *, times: Sequence[float] | None = None, lossless: bool = True
) -> Path:
    """A video of pictures uint8 [H, W, 3], at `times` or ten a second. Lossless needs .mkv or .avi."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("ffv1" if lossless else "mpeg4", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0" if lossless else "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[index] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turned(path: Path, quarters: int) -> Path:
    """Make an MP4 one that is to be shown turned clockwise: a matrix in its header, as telephones write."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    a, b = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
    one = 1 << 16
    data[start : start + 36] = struct.pack(">9i", a * one, b * one, 0, -b * one, a * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def read_film(path: Path) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """Every picture of a video and its time, by PyAV alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time for frame in frames]
