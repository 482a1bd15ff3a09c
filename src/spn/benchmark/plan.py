"""The plan of a benchmark, read from one TOML file: what is trained, with which seeds, measured where.

preset = "tiny"                            # or a .toml file
plugins = ["own_method.py"]                # files or modules with methods or datasets of one's own
baseline = "baseline"                      # the method that all others are compared with
seeds = [0, 1, 2]
data = ["gtav=data/gtav:train"]            # KEY=PATH[:SPLIT], as on the command line
validation = ["gtav=data/gtav:val"]
domains = ["cityscapes=data/cityscapes", "foggy_cityscapes=data/fog:val@beta_0.02"]

[methods]                                  # name = differences from the preset, and a title if wanted
baseline = { method.kind = "baseline" }
spn = { method.kind = "spn" }
semantic = { title = "SPN, semantic prompt", method.kind = "spn", model.prompt.kind = "semantic" }
samples = { title = "SPN, 8 samples", weights = "spn", tta.num_samples = 8 }   # no training of its own

[settings]                                 # differences from the preset for all methods
schedule.steps = 500

[tta]                                      # test-time augmentation of all methods
input_height = 512

[published.NAME]                           # a column of its own, never mixed with what was measured
source = "authors, venue, table"
miou = { cityscapes = 0.0 }                # in percent, by KEY or KEY:SPLIT
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.files import read_text
from spn.core.plugins import load_plugins
from spn.core.records import flattened, from_plain
from spn.core.toml import parse_toml
from spn.data.registry import KEYS, parse_data_argument
from spn.inference.tta import TestTimeAugmentation
from spn.methods.options import METHODS
from spn.report.tables import Published
from spn.training.config import TrainConfig
from spn.training.presets import apply_table, load_preset
from spn.training.resolve import refuse_unused, resolved_by_options

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
RESERVED: Final = ("out", "seed")
"""Fields that the plan itself sets."""


@dataclass(frozen=True)
class PlanFile:
    """The fields of the file as they stand there."""

    baseline: str
    seeds: Annotated[tuple[int, ...], Meta(min_length=1)]
    data: tuple[str, ...]
    domains: Annotated[tuple[str, ...], Meta(min_length=1)]
    methods: Mapping[str, Mapping[str, Any]]
    preset: str = "gtav_r50"
    plugins: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    published: Mapping[str, Published] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """What a method has beside the settings of its training. weights: the method whose runs it evaluates."""

    title: Annotated[str, Meta(min_length=1)] | None = None
    weights: str | None = None
    tta: Mapping[str, Any] = field(default_factory=dict)


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

    def seeded(self, seed: int, weights: str | None) -> RunPlan:
        """The run of one seed. weights: the variant that is trained, if it is another."""
        folders = self.folder.parent
        config = replace(self.config, out=folders / f"{weights or self.variant}-{seed}", seed=seed)
        return replace(self, config=config, folder=folders / f"{self.variant}-{seed}")

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
    """The plan in the TOML file `path`, with its runs in `out`/runs. Its plugins are imported.

    Raises:
        UserError: for what is wrong in it.
    """
    if not path.is_file():
        raise UserError(f"there is no benchmark file {path}; docs/benchmark.md shows one")
    where = str(path)
    plain = parse_toml(read_text(path), source=path)
    methods = plain.get("methods")
    for table in (plain, *(methods.values() if isinstance(methods, Mapping) else ())):
        if isinstance(table, Mapping) and "views" in table:
            raise UserError(f"{where}: views is called tta now, and its draws are num_samples")
    file = from_plain(PlanFile, plain, where=where)
    beside = {name: path.parent / name for name in file.plugins}
    load_plugins([str(place) if place.is_file() else name for name, place in beside.items()])
    _check(file, where=where)
    names = [variant.name for variant in fields(Variant)]
    variants, settings = {}, {}
    for name, table in file.methods.items():
        own = {key: value for key, value in table.items() if key in names}
        variants[name] = from_plain(Variant, own, where=f"{where}, methods.{name}")
        settings[name] = {key: value for key, value in table.items() if key not in names}
    configs = {
        name: _config(file, settings[name], out=out, where=where, place=f"{where}, methods.{name}")
        for name, variant in variants.items()
        if variant.weights is None
    }
    found = {}
    for name in sorted(variants, key=lambda name: (name != file.baseline, name not in configs)):
        place = f"{where}, methods.{name}"
        if name not in configs:
            _check_weights(variants[name], settings[name], configs, place=place)
        trained = variants[name].weights or name
        tta = apply_table(file.tta, variants[name].tta, source=f"{place}.tta")
        title = variants[name].title or _usual_title(name, configs[trained])
        found[name] = RunPlan(name, title, configs[trained], out / "runs" / name, tta)
    titles = [run.title for run in found.values()]
    if len(set(titles)) < len(titles):
        raise UserError(f"{where}: methods share a title ({', '.join(titles)}); give each its own")
    runs = [run.seeded(seed, variants[name].weights) for seed in file.seeds for name, run in found.items()]
    return BenchmarkPlan(tuple(runs), file.domains, file.published)


def _check(file: PlanFile, *, where: str) -> None:
    if file.baseline not in file.methods or "weights" in file.methods[file.baseline]:
        trained = [name for name, table in file.methods.items() if "weights" not in table]
        raise UserError(
            f"{where}: baseline is {file.baseline!r}; wanted one of [methods] with a training of its own: "
            f"{', '.join(trained) or 'there are none'}"
        )
    if len(set(file.seeds)) != len(file.seeds):
        raise UserError(f"{where}: seeds is {list(file.seeds)}; wanted one or more different numbers")
    for text in (*file.data, *file.validation, *file.domains):
        parse_data_argument(text)
    if wrong := [name for name in file.methods if not NAME.fullmatch(name)]:
        raise UserError(
            f"{where}: a method is called {wrong[0]!r}; wanted letters, digits and _ . + - (it names a "
            "folder); what tables show is its title"
        )
    for name, paper in file.published.items():
        if unknown := sorted(key for key in paper.miou if key.partition(":")[0] not in KEYS):
            raise UserError(
                f"{where}: published.{name} has figures for {', '.join(unknown)}; wanted KEY or KEY:SPLIT, "
                f"with KEY one of {', '.join(KEYS)}"
            )


def _check_weights(
    variant: Variant, settings: Mapping[str, Any], trained: Mapping[str, TrainConfig], *, place: str
) -> None:
    """A method that takes another's weights has nothing else of its own but test-time augmentation."""
    if variant.weights not in trained:
        raise UserError(f"{place}: weights is {variant.weights!r}; wanted one of {', '.join(trained)}")
    if settings:
        raise UserError(
            f"{place}: {', '.join(sorted(settings))} would change the training, but its weights are those of "
            f"{variant.weights}; wanted title and tta beside weights"
        )


def _config(file: PlanFile, settings: Mapping[str, Any], *, out: Path, where: str, place: str) -> TrainConfig:
    """What one method trains with; folder and seed come later."""
    for source, table in ((f"{where}, settings", file.settings), (place, settings)):
        if taken := [name for name in RESERVED if name in table]:
            raise UserError(
                f"{source}: {', '.join(taken)} cannot be set here; seeds are the plan's `seeds`, "
                "folders follow from --out"
            )
    given = {"data": list(file.data), "validation": list(file.validation)}
    tables = [(where, given), (f"{where}, settings", file.settings), (place, settings)]
    asked = load_preset(file.preset, out=out, tables=tables)
    config = resolved_by_options(asked)
    refuse_unused(asked, config, list(flattened(settings)))
    if config.runtime.devices > 1:
        raise UserError(
            f"{place}: runtime.devices is {config.runtime.devices}; a benchmark trains each run on one "
            "device. Start several runs at once instead: spn benchmark … --list prints a command for each"
        )
    config.check()
    sampling = replace(config.sampling, cache=config.sampling.cache or out / "cache")
    return replace(config, runtime=replace(config.runtime, devices=1), sampling=sampling)


def _usual_title(name: str, config: TrainConfig) -> str:
    """The method's own title where the plan calls it by its name."""
    return METHODS.entry_of(config.method).title if name == config.method.kind else name
