"""What a benchmark is made of: methods, each with candidates and the one chosen, and their runs."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.ranges import NotNegativeInt
from spn.data.mapping import ClassMapping
from spn.evaluation.results import RESULTS_NAME
from spn.inference.tta import TestTimeAugmentation
from spn.report.tables import Published
from spn.training.config import TrainConfig


@dataclass(frozen=True)
class Tuning:
    """grid: of each setting the values to try. seeds: of the trials. domains: whose mean decides; none given:
    those of the plan."""

    grid: Mapping[str, Any]
    seeds: Annotated[tuple[NotNegativeInt, ...], Meta(min_length=1)]
    domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """One training and its evaluation, or the evaluation of another run's weights.

    variant: name of the method in the plan; title: in tables. config: of the training, in whose folder the
    weights are. folder: where it is evaluated. tta: how images are shown in evaluation. domains:
    KEY=PATH[:SPLIT] of what it is evaluated on.
    """

    variant: str
    title: str
    config: TrainConfig
    folder: Path
    tta: TestTimeAugmentation
    domains: tuple[str, ...]

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
class Candidate:
    """values: by the dotted names of settings. config: with them, before it has a folder and a seed. trials:
    its trainings to choose by, one per seed."""

    values: Mapping[str, Any]
    config: TrainConfig
    trials: tuple[RunPlan, ...] = ()

    @property
    def label(self) -> str:
        """The values, in names of folders and in tables."""
        return ",".join(re.sub(r"[^\w.+-]+", "_", str(value)) for value in self.values.values())


@dataclass(frozen=True)
class PlannedMethod:
    """One method of the file.

    folder: where its runs are, without the seed. owner: the method whose weights it evaluates, mostly itself,
    and which has the candidates. choice: what the runs train with; None before the trials have decided.
    """

    name: str
    title: str
    folder: Path
    tta: TestTimeAugmentation
    owner: str
    candidates: tuple[Candidate, ...]
    choice: Candidate | None

    @property
    def trials(self) -> tuple[RunPlan, ...]:
        """Those of all candidates, seed by seed."""
        return _seed_by_seed(candidate.trials for candidate in self.candidates)

    def runs(self, seeds: Sequence[int], domains: tuple[str, ...], owner: PlannedMethod) -> list[RunPlan]:
        """One per seed; none as long as nothing is chosen."""
        if owner.choice is None:
            return []
        configs = [
            replace(owner.choice.config, out=Path(f"{owner.folder}-{seed}"), seed=seed) for seed in seeds
        ]
        folders = [Path(f"{self.folder}-{seed}") for seed in seeds]
        return [
            RunPlan(self.name, self.title, config, folder, self.tta, domains)
            for config, folder in zip(configs, folders, strict=True)
        ]


@dataclass(frozen=True)
class BenchmarkPlan:
    """methods: the baseline first, those without a training of their own last. seeds, domains: of what is
    reported. mappings: between the classes of domains and those trained. tuning: what trials choose, and by
    what."""

    methods: tuple[PlannedMethod, ...]
    seeds: tuple[int, ...]
    domains: tuple[str, ...]
    mappings: tuple[ClassMapping, ...]
    published: Mapping[str, Published]
    tuning: Tuning | None = None

    @functools.cached_property
    def trials(self) -> tuple[RunPlan, ...]:
        """The trainings to choose by, seed by seed."""
        return _seed_by_seed(candidate.trials for method in self.methods for candidate in method.candidates)

    @functools.cached_property
    def runs(self) -> tuple[RunPlan, ...]:
        """What is reported, seed by seed in the order of the methods, as far as it is chosen."""
        owners = {method.name: method for method in self.methods}
        return _seed_by_seed(
            method.runs(self.seeds, self.domains, owners[method.owner]) for method in self.methods
        )

    @property
    def decided(self) -> bool:
        """Whether the runs of all methods are known."""
        return all(method.choice is not None for method in self.methods if method.owner == method.name)

    def run(self, name: str) -> RunPlan:
        """The run or trial called VARIANT:SEED. Raises UserError with the names there are."""
        runs = {run.name: run for run in (*self.trials, *self.runs)}
        if name not in runs:
            later = "" if self.decided else "; those of other methods once their trials are finished"
            raise UserError(f"there is no run {name!r}; wanted VARIANT:SEED, one of {', '.join(runs)}{later}")
        return runs[name]


def _seed_by_seed(each: Iterable[Sequence[RunPlan]]) -> tuple[RunPlan, ...]:
    """The first of each, then the second of each, and so on; of those that have any."""
    return tuple(itertools.chain(*zip(*filter(None, each), strict=True)))
