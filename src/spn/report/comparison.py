"""Runs side by side: methods over seeds, domains in groups. `loading.py` makes one from results on disk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spn.evaluation.results import SAMPLES_FOLDER, DomainResult, RunResults

GROUPS: Final = ("Source domain", "Routine domains", "Rain and fog", "Real photographs")
"""The groups that come first, in this order; datasets may name others."""
OTHER: Final = "Other domains"


@dataclass(frozen=True)
class PaperMean:
    """A mean that the paper reports; its row is there where all of these datasets were measured."""

    title: str
    keys: tuple[str, ...]

    def members(self, domains: Sequence[Domain]) -> tuple[Domain, ...]:
        """What it is over among `domains`; empty if a dataset is missing."""
        found = tuple(domain for domain in domains if domain.key in self.keys)
        return found if {domain.key for domain in found} == set(self.keys) else ()


ROUTINE: Final = PaperMean("Routine mean", ("cityscapes", "bdd100k", "synthia", "mapillary"))
WEATHER: Final = PaperMean("Rain and fog mean", ("rain_cityscapes", "foggy_cityscapes"))
TARGETS: Final = PaperMean("Mean of the six targets", ROUTINE.keys + WEATHER.keys)


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
        return self.key, self.split, self.map_name


def shares(domains: Sequence[Domain]) -> NDArray[np.float64]:
    """What each counts for in a mean: datasets count alike, and share it among their splits and maps."""
    count = Counter(domain.key for domain in domains)
    return np.array([1 / (len(count) * count[domain.key]) for domain in domains])


@dataclass(frozen=True, eq=False)
class Run:
    """One evaluated run. folder: its evaluation folder. method: the title it is shown under."""

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
class MethodRuns:
    """The runs of one method, one per seed."""

    title: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.results.seed for run in self.runs)

    def of_seeds(self, seeds: Sequence[int]) -> MethodRuns:
        """Its runs with these seeds, in their order."""
        return MethodRuns(self.title, tuple(self.runs[self.seeds.index(seed)] for seed in seeds))

    def mious(self, domains: Sequence[Domain]) -> NDArray[np.float64]:
        """Per run, the mean over `domains` of the mIoU in percent, by `shares`; NaN where one is missing."""
        return np.array([[run.miou(domain) for domain in domains] for run in self.runs]) @ shares(domains)

    def class_ious(self, domain: Domain) -> NDArray[np.float64] | None:
        """[runs, C] in percent; None if a run lacks the domain."""
        results = [result for run in self.runs if (result := run.result(domain))]
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
        """The dataset's title; with its split or map where the dataset stands here more than once."""
        twins = [other for other in self.domains if other.key == domain.key]
        if len(twins) == 1:
            return domain.title
        maps = {other.map_name for other in twins}
        return f"{domain.title} ({domain.split}{f', map {domain.map_name}' if len(maps) > 1 else ''})"

    def groups(self) -> Iterator[tuple[str, tuple[Domain, ...]]]:
        """The groups by title, with their domains."""
        for group in dict.fromkeys(domain.group for domain in self.domains):
            yield group, tuple(domain for domain in self.domains if domain.group == group)

    def result(self, domain: Domain) -> DomainResult:
        """Any run's result of `domain`: for what all share (protocol, classes, images)."""
        found = (run.result(domain) for method in self.methods for run in method.runs)
        return next(result for result in found if result is not None)
