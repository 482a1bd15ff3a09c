"""The plan of a benchmark, read from one TOML file: what is trained, with which seeds, measured where.

docs/benchmark.md shows the file. A method in it is a table of what differs from the preset, and may have a
title, test-time augmentation of its own (`tta`), or the `weights` of another method instead of a training.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.files import parse_toml, read_text
from spn.core.plugins import load_plugins
from spn.core.ranges import NotNegativeInt
from spn.core.records import flattened, from_plain, to_plain
from spn.data.mapping import ClassMapping, read_mapping
from spn.data.registry import KEYS, parse_data_argument
from spn.evaluation.results import RESULTS_NAME
from spn.inference.tta import TestTimeAugmentation
from spn.methods.options import METHODS
from spn.report.tables import Published
from spn.training.config import TrainConfig, resolved
from spn.training.presets import load_preset


@dataclass(frozen=True)
class PlanFile:
    """The fields of the file as they stand there."""

    baseline: str
    seeds: Annotated[tuple[NotNegativeInt, ...], Meta(min_length=1)]
    data: tuple[str, ...]
    domains: Annotated[tuple[str, ...], Meta(min_length=1)]
    methods: Mapping[str, Mapping[str, Any]]
    preset: str = "gtav_r50"
    plugins: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    published: Mapping[str, Published] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """What a method has. weights: the method whose runs it evaluates. settings: those of its training."""

    title: Annotated[str, Meta(min_length=1)] | None = None
    weights: str | None = None
    tta: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


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
    def results(self) -> Path:
        return self.folder / "evaluation" / RESULTS_NAME

    @property
    def trains(self) -> bool:
        """Whether the weights are its own."""
        return self.folder == self.config.out


@dataclass(frozen=True)
class BenchmarkPlan:
    """runs: seed by seed, the baseline first, those without a training of their own last.

    domains: KEY=PATH[:SPLIT] of what is evaluated on. mappings: between their classes and those trained.
    """

    runs: tuple[RunPlan, ...]
    domains: tuple[str, ...]
    mappings: tuple[ClassMapping, ...]
    published: Mapping[str, Published]

    def run(self, name: str) -> RunPlan:
        """The run called VARIANT:SEED. Raises UserError with the names there are."""
        runs = {run.name: run for run in self.runs}
        if name not in runs:
            raise UserError(f"there is no run {name!r}; wanted VARIANT:SEED, one of {', '.join(runs)}")
        return runs[name]


def read_plan(path: Path, *, out: Path) -> BenchmarkPlan:
    """The plan in the TOML file `path`, with its runs in `out`/runs. Loads its plugins. Raises UserError."""
    if not path.is_file():
        raise UserError(f"there is no benchmark file {path}; docs/benchmark.md shows one")
    where = str(path)
    plain = parse_toml(read_text(path), source=path)
    if any(re.match(r"(methods\.[^.]+\.)?(views(\.|$)|tta\.draws$)", name) for name in flattened(plain)):
        raise UserError(f"{where}: views is called tta now, and its draws are num_samples")
    file = from_plain(PlanFile, plain, where=where)
    beside = {name: path.parent / name for name in file.plugins}
    load_plugins([str(place) if place.is_file() else name for name, place in beside.items()])
    own_names = {field.name for field in fields(Variant)} - {"settings"}
    variants = {
        name: from_plain(
            Variant,
            {key: table[key] for key in own_names & table.keys()}
            | {"settings": {key: value for key, value in table.items() if key not in own_names}},
            where=f"{where}, methods.{name}",
        )
        for name, table in file.methods.items()
    }
    trained = [name for name, variant in variants.items() if variant.weights is None]
    _check(file, trained, where=where)
    runs = []
    for name in sorted(variants, key=lambda name: (name != file.baseline, name not in trained)):
        variant, place = variants[name], f"{where}, methods.{name}"
        own = variant.weights or name
        if own not in trained:
            raise UserError(f"{place}: weights is {own!r}; wanted one of {', '.join(trained)}")
        if own != name and variant.settings:
            raise UserError(
                f"{place}: {', '.join(sorted(variant.settings))} would change the training, but its weights "
                f"are those of {own}; wanted title and tta beside weights"
            )
        config = _config(file, own, variants[own].settings, out=out / "runs" / own, where=where)
        tta = from_plain(TestTimeAugmentation, to_plain(file.tta) | dict(variant.tta), where=f"{place}.tta")
        tta = tta.completed(config.tta)
        method = METHODS.entry_of(config.method)
        title = variant.title or (method.title if name == method.name else name)
        runs.append(RunPlan(name, title, config, out / "runs" / name, tta))
    if len(titles := [run.title for run in runs]) > len(set(titles)):
        raise UserError(f"{where}: methods share a title ({', '.join(titles)}); give each its own")
    seeded = []
    for seed, run in itertools.product(file.seeds, runs):
        config = replace(run.config, out=Path(f"{run.config.out}-{seed}"), seed=seed)
        seeded.append(replace(run, config=config, folder=Path(f"{run.folder}-{seed}")))
    mappings = tuple(read_mapping(path.parent / name) for name in file.mappings)
    return BenchmarkPlan(tuple(seeded), file.domains, mappings, file.published)


def _check(file: PlanFile, trained: Sequence[str], *, where: str) -> None:
    if file.baseline not in trained:
        raise UserError(
            f"{where}: baseline is {file.baseline!r}; wanted one of [methods] with a training of its own: "
            f"{', '.join(trained) or 'there are none'}"
        )
    if len(set(file.seeds)) != len(file.seeds):
        raise UserError(f"{where}: seeds is {list(file.seeds)}; wanted one or more different numbers")
    for text in (*file.data, *file.validation, *file.domains):
        parse_data_argument(text)
    if wrong := [name for name in file.methods if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name, re.ASCII)]:
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


def _config(file: PlanFile, name: str, settings: Mapping[str, Any], *, out: Path, where: str) -> TrainConfig:
    """What the method `name` trains with, before it has a seed."""
    place = f"{where}, methods.{name}"
    given = {"data": list(file.data), "validation": list(file.validation)}
    tables = [(where, given), (f"{where}, settings", file.settings), (place, settings)]
    for source, table in tables:
        if taken := [name for name in ("out", "seed") if name in table]:
            raise UserError(
                f"{source}: {', '.join(taken)} cannot be set here; seeds are the plan's `seeds`, "
                "folders follow from --out"
            )
    asked = load_preset(file.preset, out=out, tables=tables)
    config = resolved(asked, names=flattened(settings))
    config.check()
    if config.runtime.devices > 1:
        raise UserError(
            f"{place}: runtime.devices is {config.runtime.devices}; a benchmark trains each run on one "
            "device. Start several runs at once instead: spn benchmark … --list prints a command for each"
        )
    sampling = replace(config.sampling, cache=config.sampling.cache or out.parent.parent / "cache")
    return replace(config, runtime=replace(config.runtime, devices=1), sampling=sampling)
