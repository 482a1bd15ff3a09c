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
from spn.data.registry import parse_data_argument
from spn.evaluation.options import EvaluationOptions
from spn.evaluation.protocol import Protocol
from spn.evaluation.results import RESULTS_NAME, RunResults
from spn.inference.devices import DeviceName, choose_device
from spn.inference.precision import Precision, check_precision
from spn.inference.shipped import released_views
from spn.inference.views import Views


@dataclass(frozen=True)
class EvaluateCommand:
    """Measure IoU on datasets the network never saw. Repeating the command continues it.

    Example: spn evaluate runs/spn --data cityscapes=PATH:val --data camvid=PATH:train+val
    Several processes share the images under torchrun: torchrun --nproc-per-node 4 -m spn.cli.main evaluate …
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
    precision: Precision = "32"
    """The network's arithmetic; part of the protocol. 16 needs a GPU."""
    channels_last: bool = False
    """Memory layout of the weights; faster for wide encoders on most processors."""
    quiet: bool = False
    """No progress display."""


def run(command: EvaluateCommand) -> int:
    import torch  # seconds: not for --help

    from spn.evaluation.ranks import joined_ranks
    from spn.evaluation.run import evaluate_run
    from spn.inference.weights import find_weights, load_network

    if not command.data:
        raise UserError("no dataset given; wanted --data KEY=PATH[:SPLIT], as --data cityscapes=PATH:val")
    arguments = [parse_data_argument(text) for text in command.data]
    file = find_weights(command.checkpoint)
    folder = command.out or file.parent / "evaluation"
    datasets = [argument.open() for argument in arguments]
    loaded = load_network(file)
    device = choose_device(command.device)
    check_precision(command.precision, device)
    loaded.network.to(device)
    if command.channels_last:
        loaded.network.to(memory_format=torch.channels_last)
    protocol = Protocol(released_views(command.views, loaded.info), command.precision)
    with (
        joined_ranks() as ranks,
        progress_bar(disable=command.quiet or not ranks.first) as progress,
    ):
        results = evaluate_run(
            loaded,
            datasets,
            folder=folder,
            protocol=protocol,
            options=command.options,
            progress=progress,
            ranks=ranks,
        )
    if not ranks.first:
        return 0
    Console().print(results_table(results))
    for name, description in {d.protocol_name: d.protocol["description"] for d in results.domains}.items():
        print(f"protocol {name}: {description}")
    print(f"written: {folder / RESULTS_NAME}")
    return 0


def results_table(results: RunResults) -> Table:
    """One row per domain."""
    table = Table(title=f"{results.method}, seed {results.seed}", title_justify="left")
    for heading in ("domain", "split", "map", "protocol"):
        table.add_column(heading)
    for heading in ("images", "classes", "mIoU"):
        table.add_column(heading, justify="right")
    for domain in results.domains:
        miou = "–" if math.isnan(domain.miou) else f"{100 * domain.miou:.2f}"
        classes = f"{len(domain.classes_evaluated)}/{len(domain.class_names)}"
        place = (domain.key, domain.split, domain.map_name, domain.protocol_name)
        table.add_row(*place, str(domain.images), classes, miou)
    return table
