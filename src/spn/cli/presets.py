"""`spn presets`: the settings that come with the package, and what a network of each costs.

    spn presets                            list them: encoder, parameters, FLOPs
    spn presets gtav_r50 --method isw      the resolved settings as TOML, with what differs from the defaults

The TOML can be saved, changed, and given to `spn train --preset FILE.toml`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.console import Console
from rich.table import Table

from spn.core.errors import UserError
from spn.core.progress import progress_bar
from spn.core.records import to_plain
from spn.core.toml import to_toml
from spn.training.config import TrainConfig
from spn.training.presets import changed_fields, load_preset, preset_lineage, preset_names
from spn.training.resolve import resolved

if TYPE_CHECKING:
    from spn.training.cost import Cost

MEASURED = ("baseline", "spn")
"""The other methods train the network of the baseline, or one of the same size."""
_NARROWEST = 120
"""Columns of the table where the output is no terminal."""
_NOTE = (
    "params: with the auxiliary head. GFLOPs: one pass over one crop; a multiply-add counts as two.\n"
    "GPU memory of a training step: spn presets NAME --memory, where there is a GPU."
)


@dataclass(frozen=True)
class PresetsCommand:
    """List the presets and what they cost, or show everything that one of them sets."""

    name: tyro.conf.Positional[str | None] = None
    """A preset, or the path of a .toml file: print its settings instead of the list."""
    method: str | None = None
    """With a name: as this method trains it; by default the preset's own."""
    memory: bool = False
    """With a name, on a GPU: measure the memory of a training step instead."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class PresetSummary:
    """One preset and the cost of each method's network in it."""

    name: str
    base: str | None
    config: TrainConfig
    costs: dict[str, Cost]


def run(command: PresetsCommand) -> int:
    if command.name is not None:
        config = method_config(command.name, command.method)
        if command.memory:
            print(f"{command.name}, {config.method.kind}: {_memory(config) / 1e9:.1f} GB in a training step")
        else:
            details = _details(command.name, config)
            print(json.dumps(details, indent=2) if command.json else details_toml(details))
        return 0
    if command.method is not None or command.memory:
        raise UserError("--method and --memory need a preset's name, as spn presets gtav_r50 --method isw")
    summaries = _summarise_all(preset_names())
    if command.json:
        print(json.dumps([_plain_summary(summary) for summary in summaries], indent=2))
        return 0
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _NARROWEST))
    console.print(presets_table(summaries))
    console.print(_NOTE, highlight=False)
    return 0


def method_config(name: str, method: str | None) -> TrainConfig:
    """What `method` trains with the preset `name`; None: the preset's own method."""
    kinds = {} if method is None else {"method": method}
    return resolved(load_preset(name, out=Path(), kinds=kinds))


def summarise(name: str) -> PresetSummary:
    """Build the networks of a preset without weights, and measure them."""
    from spn.training.cost import measure_cost  # loads torch: not for `spn presets --help`

    costs = {method: measure_cost(method_config(name, method)) for method in MEASURED}
    return PresetSummary(name, preset_lineage(name)[0].base, method_config(name, None), costs)


def presets_table(summaries: list[PresetSummary]) -> Table:
    """One row per preset and method."""
    table = Table(title="presets", title_justify="left")
    for heading in ("preset", "encoder, stride", "batch", "method"):
        table.add_column(heading)
    for heading in ("params", "trainable", "GFLOPs"):
        table.add_column(heading, justify="right")
    for summary in summaries:
        crop = summary.config.augmentation
        encoder = summary.config.model.encoder
        heads = (
            summary.name,
            f"{encoder.name}, {encoder.output_stride}",
            f"{summary.config.optimisation.batch_size} x {crop.crop_width}x{crop.crop_height}",
        )
        for row, (method, cost) in enumerate(summary.costs.items()):
            table.add_row(
                *(heads if row == 0 else [""] * len(heads)),
                method,
                f"{cost.parameters / 1e6:.1f} M",
                f"{cost.trainable / 1e6:.1f} M",
                f"{cost.flops / 1e9:.1f}",
                end_section=row == len(summary.costs) - 1,
            )
    return table


def details_toml(details: dict[str, Any]) -> str:
    """All settings of a preset; a comment gives the default of each that differs from it."""
    comments = {
        field: f"default: {'not set' if change['default'] is None else json.dumps(change['default'])}"
        for field, change in details["differs"].items()
    }
    heading = [
        f"{details['name']}, method {details['config']['method']['kind']}: "
        f"{len(comments)} fields differ from the defaults",
        *details["description"].splitlines(),
    ]
    text = to_toml(details["config"], comments=comments)
    return "".join(f"# {line}".rstrip() + "\n" for line in heading) + "\n" + text


def _details(name: str, config: TrainConfig) -> dict[str, Any]:
    preset = preset_lineage(name)[0]
    return {
        "name": name,
        "base": preset.base,
        "description": preset.description,
        "config": {field: value for field, value in to_plain(config).items() if field != "out"},
        "differs": {field: asdict(change) for field, change in changed_fields(config).items()},
    }


def _memory(config: TrainConfig) -> int:
    import torch

    from spn.training.cost import measure_memory

    if not torch.cuda.is_available():
        raise UserError("--memory measures a training step on a GPU, and torch sees none here")
    return measure_memory(config, device=torch.device("cuda"))


def _summarise_all(names: tuple[str, ...]) -> list[PresetSummary]:
    """Seconds each, most for a vision transformer: the progress is shown on standard error."""
    summaries = []
    with progress_bar() as progress:
        task = progress.add_task("measure", total=len(names), status="")
        for name in names:
            progress.update(task, status=name)
            summaries.append(summarise(name))
            progress.advance(task)
        progress.update(task, visible=False)
    return summaries


def _plain_summary(summary: PresetSummary) -> dict[str, Any]:
    config = summary.config
    return {
        "name": summary.name,
        "base": summary.base,
        "encoder": config.model.encoder.name,
        "output_stride": config.model.encoder.output_stride,
        "crop": [config.augmentation.crop_height, config.augmentation.crop_width],
        "batch_size": config.optimisation.batch_size,
        "methods": {
            method: {
                "parameters": cost.parameters,
                "trainable": cost.trainable,
                "gflops": cost.flops / 1e9,
            }
            for method, cost in summary.costs.items()
        },
    }
