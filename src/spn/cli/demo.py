"""`spn demo`: the whole story on one machine in minutes, through the same functions as the other commands.

Simulates the seven miniature datasets, trains the baseline and SPN on the first with equal budgets, evaluates
both on its validation images and on the six domains they never saw, and reports the comparison. Every stage
keeps what it has finished, so repeating an interrupted demo continues it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tyro

from spn.api import configure, evaluate, train
from spn.cli.report import ReportCommand
from spn.cli.report import run as report
from spn.core.errors import UserError
from spn.data.registry import DataArgument, built_in
from spn.training.config import TrainConfig
from streets.export import EXPORTED_KEYS, ExportPlan, export_dataset

SOURCE: Final = "gtav"
METHODS: Final = ("baseline", "spn")


@dataclass(frozen=True)
class DemoCommand:
    """Simulate seven miniature datasets, train SPN and its baseline on one, compare them on all.

    Repeating an interrupted demo continues it; adding seeds or --camvid to a finished one adds just these.
    """

    out: Path = Path("runs/demo")
    """Folder for data, runs and report."""
    quick: bool = False
    """Everything at toy size, in under two minutes: shows that it works, not how well."""
    seeds: tuple[int, ...] = (0,)
    """Trainings of each method; with several, the table shows mean and spread."""
    camvid: Path | None = None
    """Folder of CamVid (SegNet release): real photographs, only ever evaluated on."""
    steps: int = 800
    """Training steps of each network; the first half of them at half size."""
    width: int = 256
    """Width of the simulated images in pixels, and of the training crops."""
    height: int = 192
    """Height of the simulated images in pixels, and of the training crops."""
    train_images: int = 500
    """Simulated training images."""
    val_images: int = 30
    """Simulated validation images of each domain; rain and fog show three variants of each."""
    threads: int = 0
    """Torch's CPU threads; 0: its own choice. Fewer than the cores where other programs run, too."""


QUICK: Final = DemoCommand(
    Path("runs/demo_quick"), quick=True, steps=30, width=128, height=96, train_images=24, val_images=3
)


def parse(argv: Sequence[str]) -> DemoCommand:
    """--quick changes what the other options are by default."""
    default = QUICK if "--quick" in argv else DemoCommand()
    return tyro.cli(DemoCommand, args=list(argv), default=default, prog="spn demo")


def run(command: DemoCommand) -> int:
    if not command.seeds or len(set(command.seeds)) != len(command.seeds):
        raise UserError(f"--seeds {command.seeds}: wanted one or more different numbers")
    for name in ("steps", "width", "height", "train_images", "val_images"):
        if (value := getattr(command, name)) < 1:
            raise UserError(f"--{name.replace('_', '-')} is {value}; wanted at least 1")
    started, out = time.monotonic(), command.out
    camvid = []
    if root := command.camvid:  # before minutes of work, not after: whichever of its splits are there
        splits = built_in()["camvid"].splits
        there = [name for name in splits if (root / name).is_dir() and (root / f"{name}annot").is_dir()]
        camvid = [DataArgument("camvid", root, "+".join(there) or None).open()]

    width, height = command.width, command.height
    with _stage(1, f"simulate {len(EXPORTED_KEYS)} datasets of {width}x{height} images in {out / 'data'}"):
        for key in EXPORTED_KEYS:
            counts = {"train": command.train_images if key == SOURCE else 0, "val": command.val_images}
            export_dataset(ExportPlan(key, out / "data" / key, counts, width=width, height=height))
    runs = [train_config(command, method, seed=seed) for seed in command.seeds for method in METHODS]
    budget = f"{command.steps} steps of {runs[0].optimisation.batch_size} crops each"
    with _stage(2, f"train {' and '.join(METHODS)} on {SOURCE}: {budget}"):
        for config in runs:
            train(config)
    datasets = [*(DataArgument(key, out / "data" / key, "val").open() for key in EXPORTED_KEYS), *camvid]
    with _stage(3, f"evaluate on {SOURCE} and on {len(datasets) - 1} domains that neither has seen"):
        for config in runs:
            print(config.out.name, flush=True)
            evaluate(config.out, datasets, out=config.out / "evaluation", progress=True)
    with _stage(4, f"report in {out / 'report'}"):
        report(ReportCommand(tuple(config.out for config in runs), out=out / "report"))
    if command.quick:
        print(
            f"\n{command.steps} steps show that everything runs, and nothing of how good a method is: at that"
        )
        print("length any of them may come out ahead. Without --quick the comparison means something.")
    print(f"\ndone in {(time.monotonic() - started) / 60:.1f} minutes; everything is in {out}")
    return 0


def train_config(command: DemoCommand, method: str, *, seed: int) -> TrainConfig:
    """The preset `tiny` at this size; two methods with one seed differ in nothing but the method."""
    data = f"{SOURCE}={command.out / 'data' / SOURCE}"
    settings = {
        "seed": seed,
        "augmentation": {"crop_height": command.height, "crop_width": command.width},
        "sampling.cache": str(command.out / "cache"),
        "runtime.threads": command.threads,
        "optimisation.batch_size": 4 if command.quick else 8,
        "schedule": {
            "steps": command.steps,
            "coarse_steps": command.steps // 2,
            "warmup_steps": min(50, command.steps // 10),
            "checkpoint_every": min(100, max(1, command.steps // 5)),
        },
    }
    return configure(
        "tiny", method=method, data=[f"{data}:train"], validation=[f"{data}:val"],
        out=command.out / f"{method}_seed{seed}", settings=settings,
    )  # fmt: skip


@contextmanager
def _stage(number: int, text: str) -> Iterator[None]:
    """Say what begins, and at its end how long it took."""
    print(f"\n[{number}/4] {text}", flush=True)
    started = time.monotonic()
    yield
    print(f"      took {time.monotonic() - started:.0f} s", flush=True)
