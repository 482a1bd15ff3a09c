"""Memory and frames a second of `spn predict` on a long video: memory must not grow with its length.

    python benchmarks/video.py

Draws streets, makes a video of them in which the camera turns over each for five seconds, runs the command on
it with a table, and looks at its resident memory every second. A minute of the video is the part of the time
that falls to it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from spn.inference.video import open_film
from streets.render import render_frame
from streets.styles import STYLES


@dataclass(frozen=True)
class VideoBenchmark:
    """Resident memory, minute by minute."""

    minutes: int = 8
    frame_rate: int = 10
    width: int = 320
    height: int = 240
    input_height: int = 240
    """At which the network sees the frames, once; 0: as the weights were released, which is slower."""
    streets: int = 24
    """How many are drawn; they come again and again."""


def main() -> int:
    benchmark = tyro.cli(VideoBenchmark)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "drive.mp4"
        frames = make_video(video, benchmark)
        begun = time.perf_counter()
        size = ["--input-height", str(benchmark.input_height)] if benchmark.input_height else []
        memory = memory_of_predict(video, size)
        seconds = time.perf_counter() - begun
    parts = np.array_split(np.array(memory), benchmark.minutes)
    for minute, part in enumerate(parts, start=1):
        print(f"minute {minute}: {part.mean():7.1f} MiB")
    print(f"last minute against the first: {parts[-1].mean() / parts[0].mean():.3f}x")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime
    print(f"{frames} frames in {seconds:.0f} s with the program's start: {frames / seconds:.1f} a second")
    print(f"{processor:.0f} s of processor time: {frames / processor:.1f} frames a second")
    return 0


def make_video(path: Path, benchmark: VideoBenchmark) -> int:
    """Write the video and return its number of frames."""
    width, height = benchmark.width, benchmark.height
    streets = [
        render_frame(STYLES["varied"], seed=seed, width=width * 3 // 2, height=height).image
        for seed in range(benchmark.streets)
    ]
    count, steps = benchmark.minutes * 60 * benchmark.frame_rate, 5 * benchmark.frame_rate
    with open_film(path, comment="") as add:
        for index in range(count):
            left = (width // 2) * (index % steps) // steps
            street = streets[index // steps % len(streets)]
            add(street[:, left : left + width], index / benchmark.frame_rate)
    return count


def memory_of_predict(video: Path, options: list[str]) -> list[float]:
    """Resident memory in MiB, every second from the first frame on."""
    out = video.with_suffix("")
    arguments = [str(video), "--out", str(out), "--table", str(video.with_suffix(".csv")), *options]
    process = subprocess.Popen([sys.executable, "-m", "spn.cli.main", "predict", *arguments])
    memory = []
    while process.poll() is None:
        time.sleep(1)
        if list(out.glob("*.mp4")):
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            memory.append(pages * 4096 / 2**20)
    if process.returncode:
        raise SystemExit(process.returncode)
    return memory


if __name__ == "__main__":
    sys.exit(main())
