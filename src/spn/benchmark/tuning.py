"""What trials choose: for each method the candidate with the best mean over the domains to choose by.

At one learning rate for all, the method that it suits best wins: a comparison is fair where each has its own,
from one grid, chosen by seeds that are not reported.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spn.benchmark.planned import BenchmarkPlan, PlannedMethod
from spn.benchmark.results import compared, missing
from spn.evaluation.grid import Bold, Grid
from spn.report.comparison import Comparison
from spn.report.section import Section
from spn.report.statistics import SeedMean


def chosen(plan: BenchmarkPlan) -> BenchmarkPlan:
    """`plan` with the choice of each method whose trials are all finished; the first of equal candidates."""
    return replace(plan, methods=tuple(map(_chosen, plan.methods)))


def _chosen(method: PlannedMethod) -> PlannedMethod:
    if not _finished(method):
        return method
    means = [score.mean for score in _scores(_trials(method))]
    return replace(method, choice=method.candidates[int(np.argmax(means))])


def tuning_sections(plan: BenchmarkPlan) -> list[Section]:
    """A table of the means of all candidates, what was chosen in bold; none of a plan without trials."""
    methods = [method for method in plan.methods if _finished(method)]
    if plan.tuning is None or not methods:
        return []
    rows, domains = [], list[str]()
    for method in methods:
        trials = _trials(method)
        domains = [trials.title(domain) for domain in trials.domains]
        cells = [score.text() for score in _scores(trials)]
        picked = [candidate is method.choice for candidate in method.candidates]
        rows.append((method.title, *(Bold(c) if p else c for c, p in zip(cells, picked, strict=True))))
    labels = [
        ", ".join(f"{name} = {value}" for name, value in candidate.values.items())
        for candidate in methods[0].candidates
    ]
    seeds = ", ".join(map(str, plan.tuning.seeds))
    note = (
        f"Mean mIoU over {', '.join(domains)}, ± standard deviation over seeds {seeds}, which stand nowhere "
        "else. The best of each method, in bold, is what its runs were trained with."
    )
    return [Section("Tuning", (Grid(("method", *labels), rows),), notes=(note,))]


def _finished(method: PlannedMethod) -> bool:
    """Whether it has trials, and all of them are measured."""
    return bool(method.candidates) and not any(missing(run) for run in method.trials)


def _trials(method: PlannedMethod) -> Comparison:
    """Of its candidates, each a method of its own."""
    labels = [candidate.label for candidate in method.candidates for _ in candidate.trials]
    return compared([run for c in method.candidates for run in c.trials], names=labels)


def _scores(trials: Comparison) -> Sequence[SeedMean]:
    return [SeedMean.of(candidate.mious(trials.domains)) for candidate in trials.methods]
