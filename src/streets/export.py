"""Miniature datasets on disk: frames rendered in parallel and written in the real layouts and encodings.

A frame depends on (seed, key, split, index) alone, so neither the number of workers nor an interruption
changes a byte. Every file appears whole or not at all, labels before images: a frame whose images are there
is complete, and repeating an interrupted export continues it. `spn_simulation.json` in the root records the
plan; another plan, or frames drawn by another version (`streets.RENDERING`), in the same folder are refused.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np

from spn.core.errors import UserError
from spn.core.files import SIMULATION, atomic_path, read_json, sole_writer, write_json, write_text
from spn.core.process import leave_on_sigterm
from spn.core.progress import progress_bar
from spn.core.seeding import derive_seed
from streets import RENDERING
from streets.disk_layouts import DISK_LAYOUTS, FrameId, valid_train_ids
from streets.frame import Frame
from streets.render import render_frame
from streets.styles import STYLES

EXPORTED_KEYS: Final = tuple(DISK_LAYOUTS)
SPLITS: Final = ("train", "val", "test")

Renderer = Callable[..., Frame]
"""Called as `render(style, seed=…, width=…, height=…)`; picklable, deterministic."""


@dataclass(frozen=True)
class ExportPlan:
    """One miniature dataset: `counts` frames per split ("train", "val", "test") at width x height pixels.

    rain_cityscapes and foggy_cityscapes write three images of each frame. style: a key of the
    simulator's styles, if not the key's own. Raises UserError for impossible plans.
    """

    key: str
    root: Path
    counts: Mapping[str, int]
    width: int = 256
    height: int = 192
    seed: int = 0
    style: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", MappingProxyType(dict(self.counts)))
        if self.key not in DISK_LAYOUTS:
            raise UserError(f"cannot simulate {self.key!r}; wanted one of {', '.join(EXPORTED_KEYS)}")
        unknown = set(self.counts) - set(SPLITS)
        if unknown or any(count < 0 for count in self.counts.values()) or not sum(self.counts.values()):
            raise UserError(f"counts {dict(self.counts)}: wanted at least one image in {', '.join(SPLITS)}")
        if self.key == "gtav" and sum(self.counts.values()) > 99_999:
            raise UserError("gtav has five-digit names: at most 99999 images")
        if self.style is not None and self.style not in STYLES:
            raise UserError(f"style {self.style!r} is unknown; wanted one of {', '.join(STYLES)}")
        if self.width < 16 or self.height < 16:
            raise UserError(f"images of {self.width}x{self.height} are too small; wanted at least 16x16")

    def frames(self) -> list[FrameId]:
        """Every frame, in order."""
        identities: list[FrameId] = []
        for split in SPLITS:
            first = len(identities)
            identities += [
                FrameId(self.key, self.seed, split, index, first + index)
                for index in range(self.counts.get(split, 0))
            ]
        return identities

    def record(self) -> dict[str, Any]:
        """What must agree for two exports into one folder to be the same."""
        counts = {split: self.counts[split] for split in SPLITS if self.counts.get(split, 0)}
        return {
            "key": self.key,
            "counts": counts,
            "width": self.width,
            "height": self.height,
            "seed": self.seed,
            "style": self.style or DISK_LAYOUTS[self.key].style,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.key, self.root, dict(self.counts), self.width, self.height, self.seed, self.style)
        return (ExportPlan, fields)


@dataclass(frozen=True)
class ExportReport:
    """Frames written now, frames found complete, wall-clock seconds."""

    plan: ExportPlan
    written: int
    kept: int
    seconds: float


def export_dataset(
    plan: ExportPlan, *, workers: int | None = None, progress: bool = True, render: Renderer = render_frame
) -> ExportReport:
    """Write the dataset of `plan`, with `workers` processes (None: one per core). Raises UserError.

    `render` other than the default is for tests; it must be importable by the worker processes.
    """
    started = time.perf_counter()
    with leave_on_sigterm(), sole_writer(plan.root), progress_bar(disable=not progress) as bar:
        _claim_root(plan, render)
        frames = plan.frames()
        missing = [identity for identity in frames if not _complete(plan, identity)]
        kept = len(frames) - len(missing)
        task = bar.add_task(f"simulate {plan.key}", total=len(frames), completed=kept, status="")
        for count in _write_all(plan, missing, workers=workers or os.cpu_count() or 1, render=render):
            bar.advance(task, count)
        _write_lists(plan, frames)
    return ExportReport(plan, len(missing), kept, time.perf_counter() - started)


def write_frame(plan: ExportPlan, identity: FrameId, *, render: Renderer) -> None:
    """Render one frame and write its files, labels first."""
    layout = DISK_LAYOUTS[plan.key]
    names = layout.names(identity)
    labels, images = ([plan.root / name for name in group] for group in names)
    for path in images:
        path.unlink(missing_ok=True)
    frame = render(
        STYLES[plan.style or layout.style],
        seed=derive_seed(plan.seed, layout.scene, identity.split, identity.index),
        width=plan.width,
        height=plan.height,
    )
    if frame.image.shape != (plan.height, plan.width, 3) or frame.label.shape != (plan.height, plan.width):
        raise ValueError(f"renderer returned {frame.image.shape}, wanted {plan.height}x{plan.width}")
    if not valid_train_ids(frame.label):
        raise ValueError(f"renderer returned label ids {np.unique(frame.label).tolist()}")
    contents = (*layout.encode_labels(frame), *layout.encode_images(frame, identity))
    for path, content in zip((*labels, *images), contents, strict=True):
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def _write_all(plan: ExportPlan, frames: list[FrameId], *, workers: int, render: Renderer) -> Iterator[int]:
    """Write the frames, yielding how many more are done as they are."""
    workers = min(workers, len(frames))
    if workers <= 1:
        for identity in frames:
            yield _write_frames(plan, [identity], render=render)
        return
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    try:
        waiting: set[Future[int]] = set()
        chunk = max(1, min(8, len(frames) // (4 * workers)))
        starts = iter(range(0, len(frames), chunk))
        exhausted = False
        while waiting or not exhausted:
            while not exhausted and len(waiting) < 4 * workers:
                start = next(starts, None)
                if start is None:
                    exhausted = True
                else:
                    part = frames[start : start + chunk]
                    waiting.add(pool.submit(_write_frames, plan, part, render=render))
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BrokenProcessPool as error:
        raise UserError(
            f"simulate {plan.key}: a worker process was killed (out of memory?); repeat the command to "
            "continue, with fewer workers if it happens again"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write_frames(plan: ExportPlan, frames: list[FrameId], *, render: Renderer) -> int:
    for identity in frames:
        write_frame(plan, identity, render=render)
    return len(frames)


def _prepare_worker() -> None:
    """One thread per process; an interrupt is for the parent, which lets the frame in hand be finished."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _claim_root(plan: ExportPlan, render: Renderer) -> None:
    """Write the record, or compare with the one that is there. Raises UserError on any difference."""
    path = plan.root / SIMULATION
    renderer = f"{getattr(render, '__module__', '?')}.{getattr(render, '__qualname__', '?')}"
    wanted = {**plan.record(), "rendering": RENDERING, "renderer": renderer}
    if path.is_file():
        try:
            found = read_json(path)["plan"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} cannot be read ({error}); delete the folder {plan.root}") from error
        different = [
            f"{name}: there {found.get(name)!r}, wanted {value!r}"
            for name, value in wanted.items()
            if found.get(name) != value
        ]
        if different:
            raise UserError(
                f"{plan.root} holds another simulation ({'; '.join(different)}); delete that folder, or "
                "write to another one"
            )
        return
    if plan.root.is_dir() and any(not entry.name.startswith(".") for entry in plan.root.iterdir()):
        raise UserError(
            f"{plan.root} is not empty and holds no {SIMULATION}: simulated frames would mix with what is "
            "there; write to another folder"
        )
    versions = {"numpy": np.__version__, "opencv": cv2.__version__}
    write_json(path, {"format": 1, "plan": wanted, "versions": versions})


def _write_lists(plan: ExportPlan, frames: list[FrameId]) -> None:
    """SYNTHIA has no folders for splits: lists of names stand in for them."""
    if plan.key != "synthia":
        return
    for split in SPLITS:
        names = [f"{frame.number:07d}.png" for frame in frames if frame.split == split]
        if names:
            write_text(plan.root / "splits" / f"{split}.txt", "\n".join(names) + "\n")


def _complete(plan: ExportPlan, identity: FrameId) -> bool:
    names = DISK_LAYOUTS[plan.key].names(identity)
    return all(_whole(plan.root / name) for name in (*names.images, *names.labels))


def _whole(path: Path) -> bool:
    """Whether the file is there with the end marker of its format as its last bytes."""
    try:
        with open(path, "rb") as file:
            file.seek(-12, os.SEEK_END)
            end = file.read()
    except OSError:
        return False
    return end.endswith((b"IEND\xaeB`\x82", b"\xff\xd9"))
