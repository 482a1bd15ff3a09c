"""`spn presets`: the settings that come with the package, and what a network of each costs.

    spn presets                list them: encoder, parameters, FLOPs, estimated training memory
    spn presets gtav_r50       the resolved settings as TOML, with what differs from the defaults

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

from spn.core.progress import progress_bar
from spn.core.records import to_plain
from spn.core.toml import to_toml
from spn.training.config import TrainConfig
from spn.training.presets import FieldChange, changed_fields, load_preset, preset_lineage, preset_names

if TYPE_CHECKING:
    from spn.training.cost import Cost

MEASURED = ("baseline", "spn")
"""The other methods train the network of the baseline, or one of the same size."""
_NARROWEST = 120
"""Columns of the table where the output is no terminal."""
_NOTE = (
    "params: with the auxiliary head. GFLOPs: one pass over one crop; a multiply-add counts as two.\n"
    "* an estimate, not a measurement: training on one GPU in bf16 at this batch (weights, gradients,\n"
    "  optimiser, activations, loss; without the CUDA context and workspaces, about 1 GB)."
)


@dataclass(frozen=True)
class PresetsCommand:
    """List the presets and what they cost, or show everything that one of them sets."""

    name: tyro.conf.Positional[str | None] = None
    """A preset, or the path of a .toml file: print its settings instead of the list."""
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
        print(json.dumps(_details(command.name), indent=2) if command.json else details_toml(command.name))
        return 0
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


def summarise(name: str) -> PresetSummary:
    """Build the networks of a preset without weights, and measure them."""
    from spn.training.cost import measure_cost, with_method  # loads torch: not for `spn presets --help`

    config = load_preset(name, out=Path())
    costs = {method: measure_cost(with_method(config, method)) for method in MEASURED}
    return PresetSummary(name, preset_lineage(name)[0].base, config, costs)


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


def presets_table(summaries: list[PresetSummary]) -> Table:
    """One row per preset and method."""
    table = Table(title="presets", title_justify="left")
    for heading in ("preset", "encoder, stride", "batch", "method"):
        table.add_column(heading)
    for heading in ("params", "trainable", "GFLOPs", "GPU memory*"):
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
                f"{cost.memory.total / 1e9:.1f} GB",
                end_section=row == len(summary.costs) - 1,
            )
    return table


def details_toml(name: str) -> str:
    """All settings of a preset; a comment gives the default of each that differs from it."""
    config, changes = _resolve(name)
    comments = {field: f"default: {_short(change.default)}" for field, change in changes.items()}
    heading = [f"{name}: {len(changes)} fields differ from the defaults", *_description(name)]
    return (
        "".join(f"# {line}".rstrip() + "\n" for line in heading) + "\n" + to_toml(config, comments=comments)
    )


def _details(name: str) -> dict[str, Any]:
    config, changes = _resolve(name)
    return {
        "name": name,
        "base": preset_lineage(name)[0].base,
        "description": "\n".join(_description(name)),
        "config": config,
        "differs": {field: asdict(change) for field, change in changes.items()},
    }


def _resolve(name: str) -> tuple[dict[str, Any], dict[str, FieldChange]]:
    """The settings without the run folder, and what differs from the defaults."""
    config = load_preset(name, out=Path())
    plain = to_plain(config)
    return {field: value for field, value in plain.items() if field != "out"}, changed_fields(config)


def _description(name: str) -> list[str]:
    return preset_lineage(name)[0].description.splitlines()


def _short(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


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
                "crops_per_device": cost.crops,
                "memory_estimate_bytes": {**asdict(cost.memory), "total": cost.memory.total},
            }
            for method, cost in summary.costs.items()
        },
    }
