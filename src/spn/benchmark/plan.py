"""The plan of a benchmark, read from one TOML file: what is trained, with which seeds, measured where.

preset = "tiny"                            # or a .toml file
baseline = "baseline"                      # the method that all others are compared with
seeds = [0, 1, 2]
data = ["gtav=data/gtav:train"]            # KEY=PATH[:SPLIT], as on the command line
validation = ["gtav=data/gtav:val"]
domains = ["cityscapes=data/cityscapes", "foggy_cityscapes=data/fog:val@beta_0.02"]

[methods]                                  # name = differences from the preset, and a title if wanted
baseline = { method.kind = "baseline" }
spn = { method.kind = "spn" }
semantic = { title = "SPN, semantic prompt", method.kind = "spn", model.prompt.kind = "semantic" }
draws = { title = "SPN, 8 draws", weights = "spn", tta.num_samples = 8 }   # no training of its own

[settings]                                 # differences from the preset for all methods
schedule.steps = 500

[tta]                                      # how images are shown in evaluation
input_height = 512

[published.NAME]                           # a column of its own, never mixed with what was measured
source = "authors, venue, table"
miou = { cityscapes = 0.0 }                # in percent, by KEY or KEY:SPLIT
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from spn.core.errors import UserError
from spn.core.files import read_text
from spn.core.records import RecordError, from_plain
from spn.core.toml import parse_toml
from spn.data.registry import KEYS, parse_data_argument
from spn.inference.tta import TestTimeAugmentation
from spn.methods.options import METHODS
from spn.report.tables import Published
from spn.training.config import TrainConfig
from spn.training.presets import apply_table, load_preset
from spn.training.resolve import refuse_unused, resolved_by_options

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
TITLE_FIELD: Final = "title"
WEIGHTS_FIELD: Final = "weights"
TTA_FIELD: Final = "tta"
NOT_SETTINGS: Final = (TITLE_FIELD, WEIGHTS_FIELD, TTA_FIELD)
"""Fields of a method that are no settings of its training."""
RESERVED: Final = ("out", "seed")
"""Fields that the plan itself sets."""


@dataclass(frozen=True)
class PlanFile:
    """The fields of the file as they stand there."""

    baseline: str
    seeds: tuple[int, ...]
    data: tuple[str, ...]
    domains: tuple[str, ...]
    methods: Mapping[str, Mapping[str, Any]]
    preset: str = "gtav_r50"
    validation: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    published: Mapping[str, Published] = field(default_factory=dict)


@dataclass(frozen=True)
class RunPlan:
    """One training and its evaluation, or the evaluation of another run's weights.

    variant: name of the method in the plan; title: in tables. config: of the training, in whose folder the
    weights are. folder: where it is evaluated. tta: how images are shown in evaluation.
    """

    variant: str
    title: str
    config: TrainConfig
    folder: Path
    tta: TestTimeAugmentation

    @property
    def name(self) -> str:
        """VARIANT:SEED, as --only takes it."""
        return f"{self.variant}:{self.config.seed}"

    @property
    def trains(self) -> bool:
        """Whether the weights are its own."""
        return self.folder == self.config.out


@dataclass(frozen=True)
class BenchmarkPlan:
    """runs: seed by seed, the baseline first, those without a training of their own last.

    domains: KEY=PATH[:SPLIT] of what is evaluated on.
    """

    runs: tuple[RunPlan, ...]
    domains: tuple[str, ...]
    published: Mapping[str, Published]

    def run(self, name: str) -> RunPlan:
        """The run called VARIANT:SEED. Raises UserError with the names there are."""
        found = next((run for run in self.runs if run.name == name), None)
        if found is None:
            known = ", ".join(run.name for run in self.runs)
            raise UserError(f"the benchmark has no run {name!r}; wanted VARIANT:SEED, one of {known}")
        return found


def read_plan(path: Path, *, out: Path) -> BenchmarkPlan:
    """The plan in the TOML file `path`, with its runs in `out`/runs. Raises UserError for what is wrong."""
    if not path.is_file():
        raise UserError(f"there is no benchmark file {path}; docs/benchmark.md shows one")
    table = parse_toml(read_text(path), source=path)
    methods = table.get("methods")
    tables = [table, *(methods.values() if isinstance(methods, Mapping) else ())]
    if any(isinstance(one, Mapping) and "views" in one for one in tables):
        raise UserError(f"{path}: views is called {TTA_FIELD} now, and its draws are num_samples")
    file = from_plain(PlanFile, table, where=str(path))
    _check(file, where=str(path))
    names = sorted(
        file.methods, key=lambda name: (name != file.baseline, WEIGHTS_FIELD in file.methods[name])
    )
    runs = tuple(_run(file, name, seed, out=out, where=str(path)) for seed in file.seeds for name in names)
    titles = {run.variant: run.title for run in runs}
    if len(set(titles.values())) < len(titles):
        raise UserError(f"{path}: methods share a title ({', '.join(titles.values())}); give each its own")
    return BenchmarkPlan(runs, file.domains, file.published)


def _check(file: PlanFile, *, where: str) -> None:
    if file.baseline not in file.methods:
        raise UserError(
            f"{where}: baseline is {file.baseline!r}; wanted one of [methods]: "
            f"{', '.join(file.methods) or 'there are none'}"
        )
    if not file.seeds or len(set(file.seeds)) != len(file.seeds):
        raise UserError(f"{where}: seeds is {list(file.seeds)}; wanted one or more different numbers")
    if not file.domains:
        raise UserError(f"{where}: domains is empty; wanted KEY=PATH[:SPLIT] of what to evaluate on")
    for text in (*file.data, *file.validation, *file.domains):
        parse_data_argument(text)
    for name in file.methods:
        if not NAME.fullmatch(name):
            raise UserError(
                f"{where}: a method is called {name!r}; wanted letters, digits and _ . + - (it names a "
                f"folder); what tables show is its {TITLE_FIELD}"
            )
        _check_weights(file, name, where=f"{where}, methods.{name}")
    for name, paper in file.published.items():
        if unknown := sorted(key for key in paper.miou if key.partition(":")[0] not in KEYS):
            raise RecordError(
                f"{where}: published.{name} has figures for {', '.join(unknown)}; wanted KEY or KEY:SPLIT, "
                f"with KEY one of {', '.join(KEYS)}"
            )


def _check_weights(file: PlanFile, name: str, *, where: str) -> None:
    """A method that takes another's weights has nothing else of its own but test-time augmentation."""
    fields = file.methods[name]
    if WEIGHTS_FIELD not in fields:
        return
    trained = [other for other, theirs in file.methods.items() if WEIGHTS_FIELD not in theirs]
    if fields[WEIGHTS_FIELD] not in trained:
        raise UserError(f"{where}: weights is {fields[WEIGHTS_FIELD]!r}; wanted one of {', '.join(trained)}")
    if others := sorted(set(fields) - set(NOT_SETTINGS)):
        raise UserError(
            f"{where}: {', '.join(others)} would change the training, but its weights are those of "
            f"{fields[WEIGHTS_FIELD]}; wanted {TITLE_FIELD} and {TTA_FIELD} beside {WEIGHTS_FIELD}"
        )
    if name == file.baseline:
        raise UserError(f"{where}: the baseline needs a training of its own, not {WEIGHTS_FIELD}")


def _run(file: PlanFile, name: str, seed: int, *, out: Path, where: str) -> RunPlan:
    own = file.methods[name]
    trained = own.get(WEIGHTS_FIELD, name)
    differences = {
        field: value for field, value in file.methods[trained].items() if field not in NOT_SETTINGS
    }
    place = f"{where}, methods.{name}"
    tables: list[tuple[str, Mapping[str, Any]]] = [
        (where, {"data": list(file.data), "validation": list(file.validation)})
    ]
    tables += list(_tables(differences, file, place=f"{where}, methods.{trained}", where=where))
    asked = load_preset(file.preset, out=out, tables=tables)
    config = resolved_by_options(asked)
    refuse_unused(asked, config, list(_dotted(differences)))
    config = _on_one_device(config, where=place)
    if config.sampling.cache is None:
        config = replace(config, sampling=replace(config.sampling, cache=out / "cache"))
    config = replace(config, out=out / "runs" / f"{trained}-{seed}", seed=seed)
    config.check()
    known = METHODS.entry_of(config.method).title if name == config.method.kind else name
    title = own.get(TITLE_FIELD, known)
    if not isinstance(title, str) or not title.strip():
        raise UserError(f"{place}: {TITLE_FIELD} is {title!r}; wanted a text")
    tta = apply_table(file.tta, own.get(TTA_FIELD, {}), source=f"{place}.{TTA_FIELD}")
    return RunPlan(name, title, config, out / "runs" / f"{name}-{seed}", tta)


def _tables(
    differences: Mapping[str, Any], file: PlanFile, *, place: str, where: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The settings of all methods, then those of one."""
    for source, table in ((f"{where}, settings", file.settings), (place, differences)):
        if taken := [name for name in RESERVED if name in table]:
            raise UserError(
                f"{source}: {', '.join(taken)} cannot be set here; seeds are the plan's `seeds`, "
                "folders follow from --out"
            )
        yield source, table


def _dotted(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _on_one_device(config: TrainConfig, *, where: str) -> TrainConfig:
    """A run takes one device; several runs at once are what a job array is for."""
    if config.runtime.devices > 1:
        raise UserError(
            f"{where}: runtime.devices is {config.runtime.devices}; a benchmark trains each run on one "
            "device. Start several runs at once instead: spn benchmark … --list prints a command for each"
        )
    return replace(config, runtime=replace(config.runtime, devices=1))
