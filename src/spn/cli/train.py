"""`spn train`: trains a method on synthetic data and leaves RUN/model.safetensors.

    spn train --preset tiny --method.kind spn --out RUN \\
        --data gtav=data/gtav:train --validation gtav=data/gtav:val

A preset sets the defaults of all other options; repeating the command continues an interrupted run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from spn.cli.options import (
    argument_value,
    given_options,
    list_options,
    print_help,
    refuse_unknown,
)
from spn.core.records import checked
from spn.training.config import TrainConfig, refuse_unused, resolved
from spn.training.presets import REGISTRIES, load_preset
from spn.training.v1 import RENAMED

DEFAULT_PRESET = "gtav_r50"
_ABOUT = """Train a method. Repeating the command continues an interrupted training.

Shown are the options of the chosen preset, method and parts, with their values: choose these first
(--preset tiny --method.kind isw --model.decoder.kind segformer --help)."""
_NEVER = ("model.num_classes",)
"""Follows from the data."""
_IN_FULL_HELP = (
    "augmentation.jitter.", "augmentation.blur.", "augmentation.perturbation.",
    "runtime.keep_checkpoints", "runtime.channels_last", "runtime.log_every",
    "sampling.positions", "sampling.minimum_pixels", "model.prompt.style_spread", "model.prompt.noise",
    "model.prompt.strides", "model.encoder.prompt.groups", "model.encoder.prompt.first_block",
    "model.decoder.skips.", "model.encoder.ibn", "model.encoder.whitening", "model.encoder.style_memory",
)  # fmt: skip


@dataclass(frozen=True)
class TrainCommand:
    """Train SPN or another method. Repeating the command continues an interrupted training."""

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    preset: str = DEFAULT_PRESET
    """Settings that the other options change: a name that `spn presets` lists, or a .toml file."""
    resume: bool = False
    """Insist on continuing: an error if the run folder holds no checkpoint."""


def parse(argv: Sequence[str]) -> TrainCommand:
    """Read the preset and the kinds of the parts first: they decide which options there are."""
    preset = argument_value(argv, "preset") or DEFAULT_PRESET
    named = {path: argument_value(argv, f"{path}.kind") for path in REGISTRIES}
    kinds = {path: REGISTRIES[path].entry(kind).name for path, kind in named.items() if kind is not None}
    config = load_preset(preset, out=Path(), kinds=kinds)
    command = TrainCommand(replace(config, out=tyro.MISSING), preset=preset)
    options = [option for option in list_options(config) if option.name not in _NEVER]
    own = [option for option in list_options(replace(command, config=None)) if option.name != "config"]  # type: ignore[arg-type]
    if any(argument in ("-h", "--help", "--help-all") for argument in argv):
        shown = [option for option in list_options(resolved(config)) if option.name not in _NEVER]
        print_help("spn train", _ABOUT, [*own, *shown], hidden=_IN_FULL_HELP, whole="--help-all" in argv)
        raise SystemExit(0)
    names = given_options(argv, [*own, *options])
    old = [key for key in RENAMED if key.partition(" ")[2] == argument_value(argv, key.partition(" ")[0])]
    refuse_unknown("spn train", [*names, *old], [*own, *options], registries=REGISTRIES, renamed=RENAMED)
    parsed = tyro.cli(TrainCommand, args=list(argv), default=command, prog="spn train")
    asked = checked(parsed.config, where="settings")
    settled = resolved(asked)
    refuse_unused(asked, settled, names)
    return replace(parsed, config=settled)


def run(command: TrainCommand) -> int:
    """Train, then say where the result is and what comes next."""
    from spn.api import train

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = train(command.config, resume=command.resume)
    if not result.is_writer:
        return 0
    score = f", source validation mIoU {100 * result.score:.1f}" if result.score is not None else ""
    done = "was already complete" if result.resumed_at == command.config.schedule.steps else "done"
    print(f"training {done}: {result.weights} (step {result.step}{score})")
    print(f"next: spn evaluate {command.config.out} --data KEY=PATH[:SPLIT]")
    return 0
