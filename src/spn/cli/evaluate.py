"""`spn evaluate`: per-class IoU and mIoU of one checkpoint on any number of datasets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from spn.core.errors import UserError
from spn.core.progress import progress_bar
from spn.datasets.catalogue import parse_data_argument
from spn.evaluation.options import EvaluationOptions
from spn.evaluation.protocol import Protocol
from spn.evaluation.results import RESULTS_NAME, RunResults
from spn.inference.devices import DeviceName, choose_device
from spn.inference.views import Views


@dataclass(frozen=True)
class EvaluateCommand:
    """Measure IoU on datasets the network never saw. Repeating the command continues it.

    Example: spn evaluate runs/spn --data cityscapes=PATH:val --data camvid=PATH:train+val
    """

    checkpoint: tyro.conf.Positional[Path]
    """A run folder, a checkpoint folder, or a .safetensors file."""
    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """A dataset as KEY=PATH[:SPLIT]; repeat the option for more. Several splits are joined by +."""
    out: Path | None = None
    """Folder for results.json and samples; by default `evaluation` beside the weights."""
    views: tyro.conf.OmitArgPrefixes[Views] = field(default_factory=Views)
    options: tyro.conf.OmitArgPrefixes[EvaluationOptions] = field(default_factory=EvaluationOptions)
    device: DeviceName = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    channels_last: bool = False
    """Memory layout of the weights; faster for wide encoders on most processors."""
    quiet: bool = False
    """No progress display."""


def run(command: EvaluateCommand) -> int:
    import torch  # seconds: not for --help

    from spn.evaluation.run import evaluate_run
    from spn.inference.weights import find_weights, load_network

    if not command.data:
        raise UserError("no dataset given; wanted --data KEY=PATH[:SPLIT], as --data cityscapes=PATH:val")
    arguments = [parse_data_argument(text) for text in command.data]
    file = find_weights(command.checkpoint)
    folder = command.out or file.parent / "evaluation"
    datasets = [argument.open() for argument in arguments]
    loaded = load_network(file)
    loaded.network.to(choose_device(command.device))
    if command.channels_last:
        loaded.network.to(memory_format=torch.channels_last)
    protocol = Protocol(command.views)
    with progress_bar(disable=command.quiet) as progress:
        results = evaluate_run(
            loaded,
            datasets,
            folder=folder,
            protocol=protocol,
            options=command.options,
            progress=progress,
        )
    Console().print(results_table(results))
    print(f"protocol: {protocol.description}\nwritten: {folder / RESULTS_NAME}")
    return 0


def results_table(results: RunResults) -> Table:
    """One row per domain."""
    table = Table(title=f"{results.method}, seed {results.seed}", title_justify="left")
    for heading in ("domain", "split", "map"):
        table.add_column(heading)
    for heading in ("images", "classes", "mIoU"):
        table.add_column(heading, justify="right")
    for domain in results.domains:
        miou = "–" if math.isnan(domain.miou) else f"{100 * domain.miou:.2f}"
        classes = f"{len(domain.classes_evaluated)}/{len(domain.class_names)}"
        table.add_row(domain.key, domain.split, domain.map_name, str(domain.images), classes, miou)
    return table
