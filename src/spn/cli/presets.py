"""`spn presets`: the settings that come with the package, and what a network of each costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tyro
from rich.console import Console
from rich.progress import track

from spn.core.errors import UserError
from spn.core.files import to_toml
from spn.core.records import to_plain
from spn.evaluation.grid import Grid
from spn.training.config import TrainConfig, resolved
from spn.training.presets import changed_fields, load_preset, preset_lineage, preset_names

MEASURED: Final = ("baseline", "spn")
"""The other methods train the network of the baseline, or one of the same size."""
_NOTE: Final = (
    "params: with the auxiliary head. GFLOPs: one pass over one crop; a multiply-add counts as two.\n"
    "GPU memory of a training step: spn presets NAME --memory, where there is a GPU."
)


@dataclass(frozen=True)
class PresetsCommand:
    """List the presets and what they cost, or show everything that one of them sets, as TOML.

    This can be saved, changed, and given to `spn train --preset FILE.toml`.
    """

    name: tyro.conf.Positional[str | None] = None
    """A preset, or the path of a .toml file: print its settings instead of the list."""
    method: str | None = None
    """With a name: as this method trains it; by default the preset's own."""
    memory: bool = False
    """With a name, on a GPU: measure the memory of a training step instead."""
    json: bool = False
    """Print JSON."""


def run(command: PresetsCommand) -> int:
    if command.name is not None:
        config = method_config(command.name, command.method)
        if command.memory:
            import torch  # seconds: not for `spn presets --help`

            from spn.training.cost import measure_memory

            if not torch.cuda.is_available():
                raise UserError("--memory measures a training step on a GPU, and torch sees none here")
            memory = measure_memory(config, device=torch.device("cuda")) / 1e9
            print(f"{command.name}, {config.method.kind}: {memory:.1f} GB in a training step")
        else:
            print(_details(command.name, config, as_json=command.json))
        return 0
    if command.method is not None or command.memory:
        raise UserError("--method and --memory need a preset's name, as spn presets gtav_r50 --method isw")
    names = track(preset_names(), "measure", console=Console(stderr=True), transient=True)  # seconds each
    summaries = [summarise(name) for name in names]
    text = json.dumps(summaries, indent=2) if command.json else f"{presets_table(summaries).text()}\n{_NOTE}"
    print(text)
    return 0


def method_config(name: str, method: str | None) -> TrainConfig:
    """What `method` trains with the preset `name`; None: the preset's own method."""
    return resolved(load_preset(name, out=Path(), kinds={"method": method} if method else {}))


def summarise(name: str) -> dict[str, Any]:
    """What a preset costs: networks are built without weights, and measured."""
    from spn.training.cost import measure_cost  # loads torch: not for `spn presets --help`

    config = method_config(name, None)
    costs = {method: measure_cost(method_config(name, method)) for method in MEASURED}
    return {
        "name": name,
        "base": preset_lineage(name)[0].base,
        "encoder": config.model.encoder.name,
        "output_stride": config.model.encoder.output_stride,
        "crop": [config.augmentation.crop_height, config.augmentation.crop_width],
        "batch_size": config.optimisation.batch_size,
        "methods": {
            method: {"parameters": cost.parameters, "trainable": cost.trainable, "gflops": cost.flops / 1e9}
            for method, cost in costs.items()
        },
    }


def presets_table(summaries: Sequence[Mapping[str, Any]]) -> Grid:
    """One row per preset and method."""
    headings = ("preset", "encoder, stride", "batch", "method", "params", "trainable", "GFLOPs")
    rows = []
    for summary in summaries:
        height, width = summary["crop"]
        encoder = f"{summary['encoder']}, {summary['output_stride']}"
        heads = (summary["name"], encoder, f"{summary['batch_size']} x {width}x{height}")
        for method, cost in summary["methods"].items():
            millions = (f"{cost[name] / 1e6:.1f} M" for name in ("parameters", "trainable"))
            rows.append((*heads, method, *millions, f"{cost['gflops']:.1f}"))
            heads = ("", "", "")
    return Grid(headings, rows, left=4)


def _details(name: str, config: TrainConfig, *, as_json: bool) -> str:
    """All settings of a preset; in TOML, a comment gives the default of each that differs from it."""
    preset, differs = preset_lineage(name)[0], changed_fields(config)
    plain = {field: value for field, value in to_plain(config).items() if field != "out"}
    if as_json:
        details = {"name": name, "base": preset.base, "description": preset.description, "config": plain}
        return json.dumps({**details, "differs": differs}, indent=2)
    comments = {
        field: f"default: {'not set' if change['default'] is None else json.dumps(change['default'])}"
        for field, change in differs.items()
    }
    title = f"{name}, method {config.method.kind}: {len(comments)} fields differ from the defaults"
    lines = (f"# {line}".rstrip() for line in (title, *preset.description.splitlines()))
    return "\n".join([*lines, "", to_toml(plain, comments=comments)])
