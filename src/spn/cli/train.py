"""`spn train`: trains a method on synthetic data and leaves RUN/model.safetensors.

    spn train --preset tiny --method.name spn --out RUN \\
        --data gtav=data/gtav:train --validation gtav=data/gtav:val

A preset sets the defaults of all other options; repeating the command continues an interrupted run.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from spn.training.config import TrainConfig
from spn.training.presets import load_preset

DEFAULT_PRESET = "r50"


@dataclass(frozen=True)
class TrainCommand:
    """Train SPN or its baseline. Repeating the command continues an interrupted training."""

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    preset: str = DEFAULT_PRESET
    """Settings that the other options change: a name that `spn presets` lists, or a .toml file."""
    resume: bool = False
    """Insist on continuing: an error if the run folder holds no checkpoint."""


def parse(argv: Sequence[str]) -> TrainCommand:
    """Read --preset first, because it sets the defaults of everything else."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", default=DEFAULT_PRESET)
    name = first.parse_known_args(argv)[0].preset
    config = replace(load_preset(name, out=Path()), out=tyro.MISSING)
    return tyro.cli(
        TrainCommand, args=list(argv), default=TrainCommand(config, preset=name), prog="spn train"
    )


def run(command: TrainCommand) -> int:
    """Train, then say where the result is and what comes next."""
    from spn.training.ingredients import gather_ingredients  # loads torch: not for `spn train --help`
    from spn.training.session import run_training

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = run_training(command.config, gather=gather_ingredients, resume=command.resume)
    if not result.is_writer:
        return 0
    score = f", source validation mIoU {100 * result.score:.1f}" if result.score is not None else ""
    done = "was already complete" if result.resumed_at == command.config.schedule.steps else "done"
    print(f"training {done}: {result.weights} (step {result.step}{score})")
    print(f"next: spn evaluate {command.config.out} --data KEY=PATH[:SPLIT]")
    return 0
