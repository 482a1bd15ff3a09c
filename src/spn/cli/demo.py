"""`spn demo`: the whole story on one machine in minutes, through the same functions as the other commands.

Simulates the seven miniature datasets, trains the baseline and SPN on the first with equal budgets, evaluates
both on its validation images and on the six domains they never saw, and reports the comparison. Every stage
keeps what it has finished, so repeating an interrupted demo continues it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

from spn.api import evaluate, train
from spn.cli.report import ReportCommand
from spn.cli.report import run as report
from spn.core.errors import UserError
from spn.data.registry import DataArgument, built_in
from spn.training.config import TrainConfig
from spn.training.presets import load_preset
from streets.export import EXPORTED_KEYS, ExportPlan, export_dataset

SOURCE: Final = "gtav"
METHODS: Final = ("baseline", "spn")


@dataclass(frozen=True)
class DemoCommand:
    """Simulate seven miniature datasets, train SPN and its baseline on one, compare them on all.

    Repeating an interrupted demo continues it; adding seeds or --camvid to a finished one adds just these.
    """

    out: Path | None = None
    """Folder for data, runs and report; runs/demo if not given, runs/demo_quick with --quick."""
    quick: bool = False
    """Everything at toy size, in under two minutes: shows that it works, not how well."""
    seeds: tuple[int, ...] = (0,)
    """Trainings of each method; with several, the table shows mean and spread."""
    camvid: Path | None = None
    """Folder of CamVid (SegNet release): real photographs, only ever evaluated on."""
    steps: int | None = None
    """Training steps of each network; the first half of them at half size."""
    width: int | None = None
    """Width of the simulated images in pixels, and of the training crops."""
    height: int | None = None
    """Height of the simulated images in pixels, and of the training crops."""
    train_images: int | None = None
    """Simulated training images."""
    val_images: int | None = None
    """Simulated validation images of each domain; rain and fog show three variants of each."""


@dataclass(frozen=True)
class DemoSize:
    """What the options of the command resolve to. batch: crops per step."""

    width: int
    height: int
    train_images: int
    val_images: int
    steps: int
    batch: int


FULL = DemoSize(width=256, height=192, train_images=500, val_images=30, steps=800, batch=8)
QUICK = DemoSize(width=128, height=96, train_images=24, val_images=3, steps=30, batch=4)


def run(command: DemoCommand) -> int:
    if not command.seeds or len(set(command.seeds)) != len(command.seeds):
        raise UserError(f"--seeds {command.seeds}: wanted one or more different numbers")
    started = time.monotonic()
    names = [field.name for field in fields(DemoSize)]
    given = {name: value for name, value in vars(command).items() if name in names and value is not None}
    for name, value in given.items():
        if value < 1:
            raise UserError(f"--{name.replace('_', '-')} is {value}; wanted at least 1")
    size = replace(QUICK if command.quick else FULL, **given)
    out = command.out or Path("runs/demo_quick" if command.quick else "runs/demo")
    camvid = []
    if root := command.camvid:  # before minutes of work, not after: whichever of its splits are there
        splits = built_in()["camvid"].splits
        there = [name for name in splits if (root / name).is_dir() and (root / f"{name}annot").is_dir()]
        camvid = [DataArgument("camvid", root, "+".join(there) or None).open()]

    pixels = f"{size.width}x{size.height}"
    with _stage(1, f"simulate {len(EXPORTED_KEYS)} datasets of {pixels} images in {out / 'data'}"):
        for key in EXPORTED_KEYS:
            export_dataset(export_plan(key, out=out, size=size))
    runs = [(method, seed) for seed in command.seeds for method in METHODS]
    what = f"{' and '.join(METHODS)} on {SOURCE}: {size.steps} steps of {size.batch} crops each"
    with _stage(2, f"train {what}"):
        for method, seed in runs:
            train(train_config(method, seed=seed, out=out, size=size))
    datasets = [*(DataArgument(key, out / "data" / key, "val").open() for key in EXPORTED_KEYS), *camvid]
    folders = [run_folder(method, seed=seed, out=out) for method, seed in runs]
    with _stage(3, f"evaluate on {SOURCE} and on {len(datasets) - 1} domains that neither has seen"):
        for folder in folders:
            print(folder.name, flush=True)
            evaluate(folder, datasets, out=folder / "evaluation", progress=True)
    with _stage(4, f"report in {out / 'report'}"):
        report(ReportCommand(tuple(folders), out=out / "report"))
    print(f"\ndone in {(time.monotonic() - started) / 60:.1f} minutes; everything is in {out}")
    return 0


def export_plan(key: str, *, out: Path, size: DemoSize) -> ExportPlan:
    """Only the source domain has training images."""
    counts = {"train": size.train_images if key == SOURCE else 0, "val": size.val_images}
    return ExportPlan(key, out / "data" / key, counts, width=size.width, height=size.height)


def run_folder(method: str, *, seed: int, out: Path) -> Path:
    return out / f"{method}_seed{seed}"


def train_config(method: str, *, seed: int, out: Path, size: DemoSize) -> TrainConfig:
    """The preset `tiny` at this size; two methods with one seed differ in nothing but the method."""
    config = load_preset("tiny", out=run_folder(method, seed=seed, out=out), kinds={"method": method})
    root = out / "data" / SOURCE
    return replace(
        config,
        data=(f"{SOURCE}={root}:train",),
        validation=(f"{SOURCE}={root}:val",),
        seed=seed,
        augmentation=replace(config.augmentation, crop_height=size.height, crop_width=size.width),
        sampling=replace(config.sampling, cache=out / "cache"),
        optimisation=replace(config.optimisation, batch_size=size.batch),
        schedule=replace(
            config.schedule,
            steps=size.steps,
            coarse_steps=size.steps // 2,
            warmup_steps=min(config.schedule.warmup_steps, size.steps // 10),
            checkpoint_every=min(config.schedule.checkpoint_every, max(1, size.steps // 5)),
        ),
    )


@contextmanager
def _stage(number: int, text: str) -> Iterator[None]:
    """Say what begins, and at its end how long it took."""
    print(f"\n[{number}/4] {text}", flush=True)
    started = time.monotonic()
    yield
    print(f"      took {time.monotonic() - started:.0f} s", flush=True)
