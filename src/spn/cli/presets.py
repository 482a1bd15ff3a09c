"""`spn presets`: the settings that come with the package, and what a network of each costs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tyro

from spn.core.errors import UserError
from spn.core.files import to_toml
from spn.core.progress import count_task, progress_bar
from spn.core.records import to_plain
from spn.evaluation.grid import Grid
from spn.training.config import TrainConfig, resolved
from spn.training.presets import changed_fields, load_preset, preset_lineage, preset_names

MEASURED: Final = ("baseline", "spn")
"""The other methods train the network of the baseline, or one of the same size."""
_MORE: Final = "One in full: spn presets NAME. Parameters and FLOPs of all: spn presets --costs."
_COSTS: Final = (
    "params: with the auxiliary head. GFLOPs: one pass over one crop; a multiply-add counts as two.\n"
    "GPU memory of a training step: spn presets NAME --memory, where there is a GPU."
)


@dataclass(frozen=True)
class PresetsCommand:
    """List the presets, or show everything that one of them sets, as TOML.

    This can be saved, changed, and given to `spn train --preset FILE.toml`.
    """

    name: tyro.conf.Positional[str | None] = None
    """A preset, or the path of a .toml file: print its settings instead of the list."""
    method: str | None = None
    """With a name: as this method trains it; by default the preset's own."""
    costs: bool = False
    """Without a name: measure each network's parameters and FLOPs instead, which takes seconds each."""
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
            memory = measure_memory(config) / 1e9
            print(f"{command.name}, {config.method.kind}: {memory:.1f} GB in a training step")
        else:
            print(_details(command.name, config, as_json=command.json))
        return 0
    if command.method is not None or command.memory:
        raise UserError("--method and --memory need a preset's name, as spn presets gtav_r50 --method isw")
    names = preset_names()
    summaries = []
    with progress_bar(disable=not command.costs) as bar:
        advance = count_task(bar, "measure", total=len(names))
        for name in names:
            summaries.append(summarise(name, costs=command.costs))
            advance()
    if command.json:
        print(json.dumps(summaries, indent=2))
    elif command.costs:
        print(f"{costs_table(summaries).text()}\n{_COSTS}")
    else:
        print(f"{presets_table(summaries).text()}\n{_MORE}")
    return 0


def method_config(name: str, method: str | None) -> TrainConfig:
    """What `method` trains with the preset `name`; None: the preset's own method."""
    return resolved(load_preset(name, out=Path(), kinds={"method": method} if method else {}))


def summarise(name: str, *, costs: bool) -> dict[str, Any]:
    """What a preset is for, and its network; costs: networks are built without weights, and measured."""
    config, preset = method_config(name, None), preset_lineage(name)[0]
    summary: dict[str, Any] = {
        "name": name,
        "base": preset.base,
        "description": preset.description,
        "encoder": config.model.encoder.name,
        "output_stride": config.model.encoder.output_stride,
        "crop": [config.augmentation.crop_height, config.augmentation.crop_width],
        "batch_size": config.optimisation.batch_size,
    }
    if costs:
        from spn.training.cost import measure_cost  # loads torch, which takes seconds

        measured = {method: measure_cost(method_config(name, method)) for method in MEASURED}
        summary["methods"] = {
            method: {"parameters": cost.parameters, "trainable": cost.trainable, "gflops": cost.flops / 1e9}
            for method, cost in measured.items()
        }
    return summary


def presets_table(summaries: Sequence[Mapping[str, Any]]) -> Grid:
    """One row per preset."""
    rows = [(*_heads(summary), _first_sentence(summary["description"])) for summary in summaries]
    return Grid(("preset", "encoder, stride", "batch", "what it is"), rows, left=4)


def costs_table(summaries: Sequence[Mapping[str, Any]]) -> Grid:
    """One row per preset and method."""
    rows = []
    for summary in summaries:
        heads = _heads(summary)
        for method, cost in summary["methods"].items():
            millions = (f"{cost[name] / 1e6:.1f} M" for name in ("parameters", "trainable"))
            rows.append((*heads, method, *millions, f"{cost['gflops']:.1f}"))
            heads = ("", "", "")
    headings = ("preset", "encoder, stride", "batch", "method", "params", "trainable", "GFLOPs")
    return Grid(headings, rows, left=4)


def _heads(summary: Mapping[str, Any]) -> tuple[str, str, str]:
    height, width = summary["crop"]
    encoder = f"{summary['encoder']}, {summary['output_stride']}"
    return summary["name"], encoder, f"{summary['batch_size']} x {width}x{height}"


def _first_sentence(text: str) -> str:
    """Without what stands in brackets."""
    plain = re.sub(r" \([^)]*\)", "", " ".join(text.split()))
    return re.split(r"(?<=\w)[.](?= |$)", plain)[0]


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
