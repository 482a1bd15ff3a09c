"""The plan of a benchmark, read from one TOML file: what is trained, with which seeds, measured where.

docs/benchmark.md shows the file. A method in it is a table of what differs from the preset, and may have a
title, another method that it is `like`, test-time augmentation of its own (`tta`), or the `weights` of
another method instead of a training.

With `tuning` each method is first trained with every candidate, by seeds that are not reported; what the
finished trials choose is in `spn.benchmark.tuning`.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from spn.benchmark.planned import BenchmarkPlan, Candidate, PlannedMethod, Tuning
from spn.core.errors import UserError
from spn.core.files import parse_toml, read_text
from spn.core.plugins import load_plugins
from spn.core.ranges import NotNegativeInt
from spn.core.records import flattened, from_plain, nested, to_plain
from spn.data.mapping import read_mapping
from spn.data.registry import KEYS, parse_data_argument
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
    tuning: Tuning | None = None


@dataclass(frozen=True)
class Variant:
    """What a method has. like: the method whose settings it starts from. weights: the method whose runs it
    evaluates. settings: those of its training."""

    title: Annotated[str, Meta(min_length=1)] | None = None
    like: str | None = None
    weights: str | None = None
    tta: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


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
    variants = _variants(file, where=where)
    trained = [name for name, variant in variants.items() if variant.weights is None]
    _check(file, trained, where=where)
    methods = []
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
        tta.check_own()
        kind = METHODS.entry_of(config.method)
        title = variant.title or (kind.title if name == kind.name else name)
        method = PlannedMethod(name, title, out / "runs" / name, tta, own, (), Candidate({}, config))
        if file.tuning and own == name:
            method = _tuned(method, file, variant.settings, where=where)
        methods.append(method)
    if len(titles := [method.title for method in methods]) > len(set(titles)):
        raise UserError(f"{where}: methods share a title ({', '.join(titles)}); give each its own")
    mappings = tuple(read_mapping(path.parent / name) for name in file.mappings)
    return BenchmarkPlan(
        tuple(methods), file.seeds, file.domains, mappings, file.published, tuning=file.tuning
    )


def _variants(file: PlanFile, *, where: str) -> dict[str, Variant]:
    """The methods of the file, each with the settings of what it is like."""
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

    def settings(name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
        like, place = variants[name].like, f"{where}, methods.{name}"
        if name in above:
            raise UserError(f"{where}: methods are like each other: {' → '.join([*above, name])}")
        if like is not None and like not in variants:
            raise UserError(f"{place}: like is {like!r}; wanted one of {', '.join(variants)}")
        start = {} if like is None else settings(like, (*above, name))
        return start | flattened(variants[name].settings)

    return {name: replace(variant, settings=nested(settings(name))) for name, variant in variants.items()}


def _tuned(
    method: PlannedMethod, file: PlanFile, settings: Mapping[str, Any], *, where: str
) -> PlannedMethod:
    """`method` with a candidate for each point of the grid, none of them chosen."""
    tuning, place = file.tuning, f"{where}, tuning"
    assert tuning is not None
    grid = flattened(tuning.grid)
    if fixed := sorted(grid.keys() & flattened(settings).keys()):
        raise UserError(
            f"{where}, methods.{method.name} sets {fixed[0]}, which tuning.grid chooses; wanted one of both"
        )
    candidates = []
    for point in itertools.product(*grid.values()):
        values = dict(zip(grid, point, strict=True))
        extra = [(f"{place}.grid", nested(values))]
        config = _config(file, method.name, settings, out=method.folder, where=where, more=extra)
        candidate = Candidate(values, config)
        name = f"{method.name}@{candidate.label}"
        trial = replace(method, name=name, folder=method.folder.with_name(name), choice=candidate)
        trials = trial.runs(tuning.seeds, tuning.domains or file.domains, owner=trial)
        candidates.append(replace(candidate, trials=tuple(trials)))
    if len({candidate.label for candidate in candidates}) < len(candidates):
        raise UserError(f"{place}.grid: values look alike as names of folders; wanted numbers or short words")
    return replace(method, candidates=tuple(candidates), choice=None)


def _check(file: PlanFile, trained: Sequence[str], *, where: str) -> None:
    if file.baseline not in trained:
        raise UserError(
            f"{where}: baseline is {file.baseline!r}; wanted one of [methods] with a training of its own: "
            f"{', '.join(trained) or 'there are none'}"
        )
    _check_seeds(file.seeds, where=where)
    if file.tuning:
        _check_tuning(file.tuning, file.seeds, where=f"{where}, tuning")
    for text in (*file.data, *file.validation, *file.domains, *(file.tuning.domains if file.tuning else ())):
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


def _check_tuning(tuning: Tuning, reported: Sequence[int], *, where: str) -> None:
    if both := sorted(set(tuning.seeds) & set(reported)):
        raise UserError(
            f"{where}: seed {both[0]} would report what it has chosen; wanted seeds that are not among "
            f"the plan's, {list(reported)}"
        )
    _check_seeds(tuning.seeds, where=where)
    grid = flattened(tuning.grid)
    wrong = [name for name, values in grid.items() if not isinstance(values, list) or len(values) < 1]
    if wrong or not grid:
        raise UserError(
            f"{where}.grid: {wrong[0] + ' has no list of values' if wrong else 'it is empty'}; "
            "wanted settings with the values to try, as optimisation.learning_rate = [1e-3, 2e-3]"
        )


def _check_seeds(seeds: Sequence[int], *, where: str) -> None:
    if len(set(seeds)) != len(seeds):
        raise UserError(f"{where}: seeds is {list(seeds)}; wanted one or more different numbers")


def _config(
    file: PlanFile,
    name: str,
    settings: Mapping[str, Any],
    *,
    out: Path,
    where: str,
    more: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> TrainConfig:
    """What the method `name` trains with, before it has a seed. more: settings after its own."""
    place = f"{where}, methods.{name}"
    given = {"data": list(file.data), "validation": list(file.validation)}
    tables = [(where, given), (f"{where}, settings", file.settings), (place, settings), *more]
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
