"""Runs side by side: methods over seeds, domains in groups, and whether they may be compared at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spn.core.errors import UserError
from spn.evaluation.results import SAMPLES_FOLDER, DomainResult, RunResults, find_results, read_results

TITLES: Final[Mapping[str, str]] = {
    "gtav": "GTAV",
    "cityscapes": "Cityscapes",
    "bdd100k": "BDD-100K",
    "synthia": "SYNTHIA",
    "mapillary": "Mapillary",
    "rain_cityscapes": "Rain Cityscapes",
    "foggy_cityscapes": "Foggy Cityscapes",
    "camvid": "CamVid",
}
METHOD_TITLES: Final[Mapping[str, str]] = {
    "baseline": "Baseline",
    "spn": "SPN",
    "ibn": "IBN-Net",
    "mixstyle": "MixStyle",
    "dsu": "DSU",
    "randconv": "RandConv",
    "pasta": "PASTA",
    "isw": "ISW",
    "shade": "SHADE",
}


class ComparisonError(UserError):
    """Runs whose figures must not stand in one table."""


@dataclass(frozen=True)
class DomainGroup:
    """Domains that belong together; `average` names the row of their mean, None for no such row."""

    title: str
    keys: tuple[str, ...]
    average: str | None = None


ROUTINE: Final = DomainGroup(
    "Routine domains", ("cityscapes", "bdd100k", "synthia", "mapillary"), "Routine mean"
)
WEATHER: Final = DomainGroup("Rain and fog", ("rain_cityscapes", "foggy_cityscapes"), "Rain and fog mean")
GROUPS: Final[tuple[DomainGroup, ...]] = (
    DomainGroup("Source domain", ("gtav",)),
    ROUTINE,
    WEATHER,
    DomainGroup("Real photographs", ("camvid",)),
)
TARGETS: Final = DomainGroup("All targets", ROUTINE.keys + WEATHER.keys, "Mean of the six targets")
"""What the paper's table averages over; its domains are in groups of their own."""
OTHER: Final = DomainGroup("Other domains", ())


@dataclass(frozen=True)
class Domain:
    """One row: a dataset, split and map."""

    key: str
    split: str
    map_name: str

    @property
    def place(self) -> tuple[str, str, str]:
        return self.key, self.split, self.map_name

    @property
    def title(self) -> str:
        return TITLES.get(self.key, self.key)


def shares(domains: Sequence[Domain]) -> NDArray[np.float64]:
    """What each counts for in a mean: datasets count alike, and share it among their splits and maps."""
    count = Counter(domain.key for domain in domains)
    return np.array([1 / (len(count) * count[domain.key]) for domain in domains])


@dataclass(frozen=True, eq=False)
class Run:
    """One evaluated run. folder: its evaluation folder. method: the name it is shown under."""

    folder: Path
    method: str
    results: RunResults

    def result(self, domain: Domain) -> DomainResult | None:
        return next((d for d in self.results.domains if d.place == domain.place), None)

    def miou(self, domain: Domain) -> float:
        """In percent; NaN where it was not evaluated."""
        result = self.result(domain)
        return math.nan if result is None else 100 * result.miou

    def sample_folder(self, result: DomainResult) -> Path:
        return self.folder / SAMPLES_FOLDER / result.folder_name


@dataclass(frozen=True)
class Method:
    """The runs of one method, one per seed."""

    title: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.results.seed for run in self.runs)

    def mious(self, domains: Sequence[Domain]) -> NDArray[np.float64]:
        """Per run, the mean over `domains` of the mIoU in percent, by `shares`; NaN where one is missing."""
        return np.array([[run.miou(domain) for domain in domains] for run in self.runs]) @ shares(domains)

    def class_ious(self, domain: Domain) -> NDArray[np.float64] | None:
        """[runs, C] in percent; None if a run lacks the domain."""
        results = [run.result(domain) for run in self.runs]
        if any(result is None for result in results):
            return None
        return np.stack([100 * result.class_iou for result in results if result is not None])


@dataclass(frozen=True)
class Comparison:
    """methods: the first is the reference of all differences. warnings: printed under every table."""

    methods: tuple[Method, ...]
    domains: tuple[Domain, ...]
    warnings: tuple[str, ...] = ()

    def title(self, domain: Domain) -> str:
        """The dataset's title; with its split or map where the dataset stands here more than once."""
        twins = [other for other in self.domains if other.key == domain.key]
        if len(twins) == 1:
            return domain.title
        maps = {other.map_name for other in twins}
        return f"{domain.title} ({domain.split}{f', map {domain.map_name}' if len(maps) > 1 else ''})"

    def groups(self) -> Iterator[tuple[DomainGroup, tuple[Domain, ...]]]:
        """The groups that have domains, with these in the group's order."""
        for group in GROUPS:
            members = tuple(d for key in group.keys for d in self.domains if d.key == key)
            if members:
                yield group, members
        grouped = {key for group in GROUPS for key in group.keys}
        if others := tuple(d for d in self.domains if d.key not in grouped):
            yield OTHER, others

    def result(self, domain: Domain) -> DomainResult:
        """Any run's result of `domain`: for what all share (protocol, classes, images)."""
        found = (run.result(domain) for method in self.methods for run in method.runs)
        return next(result for result in found if result is not None)

    def notes(self, *, differences: bool = True) -> list[str]:
        """What a reader must know to trust the table, one sentence each; the protocol comes first.

        differences: whether the table shows them with their deviation.
        """
        notes = self._protocols()
        measured = (
            f"{d.title} {d.split}, {self.result(d).images} images, map {d.map_name}" for d in self.domains
        )
        notes.append(f"Measured on: {'; '.join(measured)}.")
        notes += [note for domain in self.domains if (note := self._absent_classes(domain))]
        notes.append(self._seed_note(differences=differences))
        if budgets := self._budgets():
            notes.append(f"Trained: {'; '.join(f'{title} {budget}' for title, budget in budgets.items())}.")
            if len(set(budgets.values())) > 1:
                notes.append("WARNING: the methods were not trained for equally many steps.")
        return notes + [f"WARNING: {warning}" for warning in self.warnings]

    def _protocols(self) -> list[str]:
        """A note for each way of seeing the images: of which methods or, where these agree, which domains."""
        of_methods: dict[str, dict[str, None]] = {}
        of_domains: dict[str, dict[str, None]] = {}
        for method in self.methods:
            for domain in self.domains:
                for result in (run.result(domain) for run in method.runs):
                    if result is not None:
                        text = f"{result.protocol_name} ({result.protocol['description']})"
                        of_methods.setdefault(text, {})[method.title] = None
                        of_domains.setdefault(text, {})[domain.title] = None
        if len(of_methods) == 1:
            return [f"Protocol: {next(iter(of_methods))}."]
        alike = all(len(titles) == len(self.methods) for titles in of_methods.values())
        return [
            f"Protocol ({', '.join(titles)}): {text}."
            for text, titles in (of_domains if alike else of_methods).items()
        ]

    def _budgets(self) -> dict[str, str]:
        """Training steps per method, as the weights record them; empty if any does not."""
        budgets = {}
        for method in self.methods:
            if not all("step" in run.results.info for run in method.runs):
                return {}
            steps = sorted({int(run.results.info["step"]) for run in method.runs})
            budgets[method.title] = f"{', '.join(map(str, steps))} steps"
        return budgets

    def _seed_note(self, *, differences: bool) -> str:
        seeds = "; ".join(f"{m.title} {', '.join(map(str, m.seeds))}" for m in self.methods)
        if all(len(method.runs) == 1 for method in self.methods):
            return f"Seeds: {seeds}. One run each: a small difference may be chance."
        paired = (
            " (in Δ columns: of the differences of equal seeds)"
            if differences and len(self.methods) > 1
            else ""
        )
        return f"Seeds: {seeds}. ± is the standard deviation over seeds{paired}."

    def _absent_classes(self, domain: Domain) -> str | None:
        result = self.result(domain)
        absent = [name for name in result.class_names if name not in result.classes_evaluated]
        if not absent:
            return None
        old = []
        for method in self.methods:
            figures = [100 * r.miou_all_classes for run in method.runs if (r := run.result(domain))]
            if figures:
                old.append(f"{method.title} {np.mean(figures):.2f}")
        present, total = len(result.classes_evaluated), len(result.class_names)
        return (
            f"{self.title(domain)}: mIoU over the {present} classes with ground truth "
            f"(absent: {', '.join(absent)}); "
            f"counting absent ones as 0 over all {total}: {', '.join(old)}."
        )


def load_comparison(
    paths: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    allow_mismatch: bool = False,
    wanted: Callable[[Path, DomainResult], bool] | None = None,
    own_protocols: bool = False,
) -> Comparison:
    """Read the results of all runs; the method of the first is the reference.

    names: what to call each run's method, one per path; runs of one name are seeds of one method.
    wanted: which results of which path to take; all by default. own_protocols: methods may see the images in
    different ways, which the notes then tell.
    Raises ComparisonError where protocol, split, map or data differ, unless `allow_mismatch`.
    """
    if not paths:
        raise ComparisonError("no runs given; wanted one or more run folders")
    if names and len(names) != len(paths):
        raise ComparisonError(f"{len(names)} names for {len(paths)} runs; wanted one name per run")
    runs = []
    for index, path in enumerate(paths):
        file = find_results(path)
        results = read_results(file)
        if wanted:
            kept = tuple(result for result in results.domains if wanted(path, result))
            results = replace(results, domains=kept)
        title = names[index] if names else METHOD_TITLES.get(results.method, results.method)
        runs.append(Run(file.parent, title, results))
    methods = tuple(
        Method(title, tuple(run for run in runs if run.method == title))
        for title in dict.fromkeys(run.method for run in runs)
    )
    for method in methods:
        _check_seeds(method)
    problems = list(_mismatches(runs, own_protocols=own_protocols))
    if problems and not allow_mismatch:
        raise ComparisonError(
            "these runs were not measured in the same way:\n  "
            + "\n  ".join(problems)
            + "\nEvaluate them again alike, or use --allow-mismatch to print the table with this warning"
        )
    places = dict.fromkeys(Domain(*d.place) for run in runs for d in run.results.domains)
    if not places:
        raise ComparisonError("the results hold no domains; run spn evaluate first")
    comparison = Comparison(methods, tuple(places), tuple(problems))
    ordered = tuple(domain for _, members in comparison.groups() for domain in members)
    return Comparison(methods, ordered, tuple(problems))


def _check_seeds(method: Method) -> None:
    for seed in set(method.seeds):
        same = [run for run in method.runs if run.results.seed == seed]
        if len(same) > 1:
            raise ComparisonError(
                f"{len(same)} runs of {method.title} with seed {seed}: "
                f"{', '.join(str(run.folder) for run in same)}. Leave one out, or name them with --names"
            )


def _mismatches(runs: Sequence[Run], *, own_protocols: bool) -> Iterator[str]:
    """One line per way in which two runs differ on a dataset that both have."""
    keys = dict.fromkeys(domain.key for run in runs for domain in run.results.domains)
    for key in keys:
        holders = [run for run in runs if run.results.domain(key)]
        places = {run: {d.place for d in run.results.domains if d.key == key} for run in holders}
        shared = set.intersection(*places.values())
        if any(mine != shared for mine in places.values()):
            shown = "; ".join(
                f"{_who(run)} {', '.join(f'split {split} map {name}' for _, split, name in sorted(mine))}"
                for run, mine in places.items()
            )
            yield f"{key}: different splits or maps ({shown})"
        for place in sorted(shared):
            results = {run: run.result(Domain(*place)) for run in holders}
            for what in _WHAT:
                if what == "protocol_name" and own_protocols:
                    continue
                values = {run: getattr(result, what) for run, result in results.items()}
                if len(set(values.values())) > 1:
                    shown = "; ".join(f"{_who(run)} {value}" for run, value in values.items())
                    yield f"{key}:{place[1]}: different {_WHAT[what]} ({shown})"


_WHAT: Final = {
    "protocol_name": "protocols",
    "fingerprint": "data (fingerprints)",
    "images": "numbers of images",
    "label_space": "label spaces",
    "class_names": "classes",
    "layout": "layouts",
}


def _who(run: Run) -> str:
    return f"{run.method} seed {run.results.seed}:"
