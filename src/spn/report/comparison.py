"""Runs side by side, read from results on disk: methods over seeds, domains in groups.

Runs that were measured differently are refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spn.core.errors import UserError
from spn.core.records import flattened
from spn.evaluation.counts import Counts, read_counts
from spn.evaluation.grid import one_line
from spn.evaluation.results import DomainResult, RunResults, read_results
from spn.report.weather import severity_text

GROUPS: Final = ("Source domain", "Routine domains", "Rain and fog", "Real photographs")
"""The groups that come first, in this order; datasets may name others."""
OTHER: Final = "Other domains"
MEANS: Final = {
    "Routine mean": ("cityscapes", "bdd100k", "synthia", "mapillary"),
    "Rain and fog mean": ("rain_cityscapes", "foggy_cityscapes"),
}
"""Means that the paper reports, of which datasets; their rows are there where all of these were measured."""
TARGETS: Final = tuple(chain(*MEANS.values()))
_MUST_AGREE: Final = {
    "protocol_name": "protocols",
    "fingerprint": "data (fingerprints)",
    "images": "numbers of images",
    "label_space": "label spaces",
    "class_names": "classes",
    "mapping": "mappings between classes",
    "layout": "layouts",
}


@dataclass(frozen=True)
class Domain:
    """One row: a dataset, split and map. title, group: of the dataset in tables."""

    key: str
    split: str
    map_name: str
    title: str
    group: str = OTHER

    @property
    def place(self) -> tuple[str, str, str]:
        """Where `RunResults.at` finds its results."""
        return self.key, self.split, self.map_name


def shares(domains: Sequence[Domain]) -> NDArray[np.float64]:
    """What each counts for in a mean: datasets count alike, and share it among their splits and maps."""
    count = Counter(domain.key for domain in domains)
    return np.array([1 / (len(count) * count[domain.key]) for domain in domains])


@dataclass(frozen=True)
class MethodRuns:
    """The runs of one method, one per seed."""

    title: str
    runs: tuple[RunResults, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs)

    def of_seeds(self, seeds: Sequence[int]) -> MethodRuns:
        """Its runs with these seeds, in their order."""
        return MethodRuns(self.title, tuple(self.runs[self.seeds.index(seed)] for seed in seeds))

    def results(self, domain: Domain) -> list[DomainResult]:
        """Of the runs that were evaluated on `domain`."""
        return [result for run in self.runs if (result := run.at(domain.place))]

    def counts(self, kind: type[Counts], domain: Domain) -> list[Counts]:
        """Those beside the results of all runs; none if one of them lacks its own."""
        found = [read_counts(kind, run.folder, r) for run in self.runs if (r := run.at(domain.place))]
        there = [counts for counts in found if counts is not None]
        return there if len(there) == len(self.runs) else []

    def mious(self, domains: Sequence[Domain]) -> NDArray[np.float64]:
        """Per run, the mean over `domains` of the mIoU in percent, by `shares`; NaN where one is missing."""
        found = [[run.at(domain.place) for domain in domains] for run in self.runs]
        return np.array([[100 * r.miou if r else math.nan for r in row] for row in found]) @ shares(domains)

    def class_ious(self, domain: Domain) -> NDArray[np.float64] | None:
        """[runs, C] in percent; None if a run lacks the domain."""
        results = self.results(domain)
        return np.stack([100 * r.class_iou for r in results]) if len(results) == len(self.runs) else None


@dataclass(frozen=True)
class Comparison:
    """What every table and chart is made of.

    methods: the first is the reference of all differences. domains: in the order of tables, group by group.
    warnings: printed under every table.
    """

    methods: tuple[MethodRuns, ...]
    domains: tuple[Domain, ...]
    warnings: tuple[str, ...] = ()

    def title(self, domain: Domain) -> str:
        """The dataset's title, with how heavy its rain or fog is; with its split or map where the dataset
        stands here more than once and only these tell which it is."""
        others = [other for other in self.domains if other.key == domain.key]
        weather = severity_text(domain.key, domain.split)
        found = [severity_text(other.key, other.split) for other in others]
        details = [] if len(others) == 1 or (weather and found.count(weather) == 1) else [domain.split]
        if len({other.map_name for other in others}) > 1:
            details.append(f"map {domain.map_name}")
        if weather and domain.split not in details:
            details.append(weather)
        if not details:
            return domain.title
        text = ", ".join(details)
        return f"{domain.title[:-1]}; {text})" if domain.title.endswith(")") else f"{domain.title} ({text})"

    def groups(self) -> Iterator[tuple[str, tuple[Domain, ...]]]:
        """The groups by title, with their domains."""
        for group in dict.fromkeys(domain.group for domain in self.domains):
            yield group, tuple(domain for domain in self.domains if domain.group == group)

    @property
    def has_seeds(self) -> bool:
        """Whether a method was trained more than once."""
        return any(len(method.runs) > 1 for method in self.methods)

    def result(self, domain: Domain) -> DomainResult:
        """Any run's result of `domain`: for what all share (protocol, classes, images)."""
        return next(result for method in self.methods for result in method.results(domain))


def load_comparison(
    paths: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    allow_mismatch: bool = False,
    wanted: Callable[[Path, DomainResult], bool] = lambda path, result: True,
    own_protocols: bool = False,
) -> Comparison:
    """Read the results of all runs; the method of the first is the reference.

    Args:
        paths: run folders or results files.
        names: what to call each run's method, one per path; runs of one name are seeds of one method.
        allow_mismatch: whether what was measured differently becomes a warning.
        wanted: which results of which path to take.
        own_protocols: methods may see the images in different ways, which the notes then tell.

    Raises:
        UserError: where protocol, split, map or data differ, unless `allow_mismatch`.
    """
    if not paths:
        raise UserError("no runs given; wanted one or more run folders")
    if names and len(names) != len(paths):
        runs_given = ", ".join(map(str, paths))
        raise UserError(f"{len(names)} names for {len(paths)} runs ({runs_given}); wanted one name per run")
    found = []
    for path in paths:
        results = read_results(path)
        found.append(replace(results, domains=tuple(r for r in results.domains if wanted(path, r))))
    # Results of earlier versions lack titles: those of newer ones also name their methods and datasets.
    titles = {r.method: r.method_title for r in found if r.method_title}
    names = [one_line(n) for n in names or [titles.get(results.method, results.method) for results in found]]
    if not all(names):
        raise UserError("the name of a method is empty; wanted a word or more (--names)")
    runs = list(zip(names, found, strict=True))
    methods = [MethodRuns(n, tuple(run for name, run in runs if name == n)) for n in dict.fromkeys(names)]
    for method in methods:
        seed, count = Counter(method.seeds).most_common(1)[0]
        if count > 1:
            same = ", ".join(str(run.folder) for run in method.runs if run.seed == seed)
            problem = f"{count} runs of {method.title} with seed {seed}: {same}"
            raise UserError(f"{problem}. Leave one out, or name them with --names")
        if differs := "\n  ".join(_different_options(method.runs)):
            problem = f"these runs of {method.title} are not seeds of one network:\n  {differs}"
            raise UserError(f"{problem}\nName them apart with --names")
    domains = _ordered([result for results in found for result in results.domains])
    if not domains:
        raise UserError("the results hold no domains; run spn evaluate first")
    problems = tuple(_mismatches(methods, domains, own_protocols=own_protocols))
    if problems and not allow_mismatch:
        remedy = "Evaluate them again alike, or use --allow-mismatch to print the table with this warning"
        raise UserError(
            "\n  ".join(["these runs were not measured in the same way:", *problems]) + f"\n{remedy}"
        )
    return Comparison(tuple(methods), domains, problems)


def _different_options(runs: Sequence[RunResults]) -> list[str]:
    """The options of network and method in which `runs` differ, with their values."""
    options = {
        run.folder: flattened({"model": run.network, "method": run.info.get("method_options", {})})
        for run in runs
        if run.network
    }
    first, *others = options.values() or [{}]
    shared = {name: value for name, value in first.items() if all(name in other for other in others)}
    return [
        f"{name} ({'; '.join(f'{folder}: {theirs[name]}' for folder, theirs in options.items())})"
        for name, value in shared.items()
        if any(other[name] != value for other in others)
    ]


def _ordered(found: Sequence[DomainResult]) -> tuple[Domain, ...]:
    """Every place once: by group, there in the paper's order, then as they come."""
    titles = {result.key: title for result in found if (title := one_line(result.title or ""))}
    groups = {result.key: group for result in found if (group := one_line(result.group or ""))}
    places = dict.fromkeys(result.place for result in found)
    domains = [Domain(*p, title=titles.get(p[0], p[0]), group=groups.get(p[0], OTHER)) for p in places]
    order = [*GROUPS, *(domain.group for domain in domains if domain.group != OTHER), OTHER]
    return tuple(sorted(domains, key=lambda d: (order.index(d.group), [*TARGETS, d.key].index(d.key))))


def _mismatches(
    methods: Sequence[MethodRuns], domains: Sequence[Domain], *, own_protocols: bool
) -> Iterator[str]:
    """One line per way in which two runs differ on a dataset that both have."""
    runs = {f"{method.title} seed {run.seed}": run for method in methods for run in method.runs}
    agree = {name: what for name, what in _MUST_AGREE.items() if name != "protocol_name" or not own_protocols}
    for key in dict.fromkeys(domain.key for domain in domains):
        found = {name: [d for d in domains if d.key == key and run.at(d.place)] for name, run in runs.items()}
        held = {name: mine for name, mine in found.items() if mine}
        texts = {
            name: sorted(f"split {d.split} map {d.map_name}" for d in mine) for name, mine in held.items()
        }
        places: dict[str, object] = {name: ", ".join(mine) for name, mine in texts.items()}
        ways = [(f"{key}: different splits or maps", places)]
        for domain in (d for d in domains if all(d in mine for mine in held.values())):
            for fact, what in agree.items():
                every = {name: getattr(runs[name].at(domain.place), fact) for name in held}
                values = {name: value for name, value in every.items() if value != ""}  # "": no mapping
                ways.append((f"{key}:{domain.split}: different {what}", values))
        for way, values in ways:
            if len(set(values.values())) > 1:
                yield f"{way} ({'; '.join(f'{name}: {value}' for name, value in values.items())})"
