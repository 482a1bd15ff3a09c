"""`spn simulate`: miniature datasets in the layouts of the real ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from spn.core.errors import UserError
from streets.export import ExportPlan, export_dataset

Key = Literal["gtav", "cityscapes", "bdd100k", "synthia", "mapillary", "rain_cityscapes", "foggy_cityscapes"]
ALL_KEYS: tuple[Key, ...] = get_args(Key)


@dataclass(frozen=True)
class SimulateCommand:
    """Render miniature datasets: procedural streets in the real layouts, names and label encodings.

    Each dataset gets a folder of its own under --out. An interrupted command continues when repeated; folders
    that hold another simulation are refused.
    """

    out: Path
    """Folder that receives one folder per dataset."""
    keys: tuple[Key, ...] = ALL_KEYS
    """Datasets to simulate."""
    train: int = 200
    """Training images, for the datasets named by --train-keys."""
    val: int = 40
    """Validation images of every dataset. Rain and fog write three variants of each."""
    train_keys: tuple[Key, ...] = ("gtav",)
    """Datasets that get training images; the others are only evaluated on."""
    width: int = 256
    """Pixels."""
    height: int = 192
    """Pixels."""
    style: str | None = None
    """A style of the simulator ("world" mixes all places, days, cameras) instead of each dataset's own."""
    seed: int = 0
    """Same seed, same images, whatever the number of workers."""
    workers: int | None = None
    """Processes; all cores if not given."""


def run(command: SimulateCommand) -> int:
    if command.workers is not None and command.workers < 1:
        raise UserError(f"--workers {command.workers}: wanted at least 1")
    if len(set(command.keys)) != len(command.keys):
        raise UserError(f"--keys {' '.join(command.keys)}: a dataset is named twice")
    plans = [
        ExportPlan(
            key,
            command.out / key,
            {"train": command.train if key in command.train_keys else 0, "val": command.val},
            width=command.width,
            height=command.height,
            seed=command.seed,
            style=command.style,
        )
        for key in command.keys
    ]
    for plan in plans:
        report = export_dataset(plan, workers=command.workers)
        kept = f", {report.kept} were there" if report.kept else ""
        print(f"{plan.key:<17} {report.written} frames in {report.seconds:.1f} s{kept}  {plan.root}")
    print(f"\nThe datasets are in {command.out}. Next:")
    if data := next((f"{plan.key}={plan.root}" for plan in plans if plan.counts["train"]), None):
        validation = f" --validation {data}:val" if command.val else ""
        print(f"  spn train --preset tiny --method.kind spn --out runs/spn --data {data}:train{validation}")
    if command.val:
        print("  spn evaluate runs/spn", *(f"--data {plan.key}={plan.root}:val" for plan in plans))
    return 0
