"""From results on disk to a comparison, and whether these runs may be compared at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from spn.core.errors import UserError
from spn.evaluation.results import DomainResult, find_results, read_results
from spn.report.comparison import GROUPS, OTHER, TARGETS, Comparison, Domain, MethodRuns, Run

_MUST_AGREE: Final = {
    "protocol_name": "protocols",
    "fingerprint": "data (fingerprints)",
    "images": "numbers of images",
    "label_space": "label spaces",
    "class_names": "classes",
    "layout": "layouts",
}


class ComparisonError(UserError):
    """Runs whose figures must not stand in one table."""


def load_comparison(
    paths: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    allow_mismatch: bool = False,
    wanted: Callable[[Path, DomainResult], bool] | None = None,
    own_protocols: bool = False,
) -> Comparison:
    """Read the results of all runs; the method of the first is the reference.

    Args:
        names: what to call each run's method, one per path; runs of one name are seeds of one method.
        wanted: which results of which path to take; all by default.
        own_protocols: methods may see the images in different ways, which the notes then tell.

    Raises:
        ComparisonError: where protocol, split, map or data differ, unless `allow_mismatch`.
    """
    if not paths:
        raise ComparisonError("no runs given; wanted one or more run folders")
    if names and len(names) != len(paths):
        raise ComparisonError(f"{len(names)} names for {len(paths)} runs; wanted one name per run")
    files = [find_results(path) for path in paths]
    found = [read_results(file) for file in files]
    if wanted:
        found = [
            replace(results, domains=tuple(r for r in results.domains if wanted(path, r)))
            for path, results in zip(paths, found, strict=True)
        ]
    # Results of earlier versions lack titles: those of newer ones also name their methods and datasets.
    titles = {r.method: r.method_title for r in found if r.method_title}
    names = names or [titles.get(results.method, results.method) for results in found]
    runs = [Run(f.parent, name, results) for f, name, results in zip(files, names, found, strict=True)]
    methods = tuple(
        MethodRuns(title, tuple(run for run in runs if run.method == title)) for title in dict.fromkeys(names)
    )
    for method in methods:
        _check_seeds(method)
    domains = _ordered(result for results in found for result in results.domains)
    if not domains:
        raise ComparisonError("the results hold no domains; run spn evaluate first")
    problems = tuple(_mismatches(runs, domains, own_protocols=own_protocols))
    if problems and not allow_mismatch:
        raise ComparisonError(
            "these runs were not measured in the same way:\n  "
            + "\n  ".join(problems)
            + "\nEvaluate them again alike, or use --allow-mismatch to print the table with this warning"
        )
    return Comparison(methods, domains, problems)


def _ordered(results: Iterator[DomainResult]) -> tuple[Domain, ...]:
    """Every place once: by group, there in the paper's order, then as they come."""
    found = list(results)
    titles = {result.key: result.title for result in found if result.title}
    groups = {result.key: result.group for result in found if result.group}
    places = dict.fromkeys(result.place for result in found)
    domains = [Domain(*p, title=titles.get(p[0], p[0]), group=groups.get(p[0], OTHER)) for p in places]
    order = dict.fromkeys([*GROUPS, *(domain.group for domain in domains if domain.group != OTHER), OTHER])
    paper = [domain for key in TARGETS.keys for domain in domains if domain.key == key]
    in_order = [*paper, *(domain for domain in domains if domain not in paper)]
    return tuple(domain for group in order for domain in in_order if domain.group == group)


def _check_seeds(method: MethodRuns) -> None:
    for seed in set(method.seeds):
        same = [run for run in method.runs if run.results.seed == seed]
        if len(same) > 1:
            raise ComparisonError(
                f"{len(same)} runs of {method.title} with seed {seed}: "
                f"{', '.join(str(run.folder) for run in same)}. Leave one out, or name them with --names"
            )


def _mismatches(runs: Sequence[Run], domains: Sequence[Domain], *, own_protocols: bool) -> Iterator[str]:
    """One line per way in which two runs differ on a dataset that both have."""
    for key in dict.fromkeys(domain.key for domain in domains):
        holders = {run: {d for d in domains if d.key == key and run.result(d)} for run in runs}
        holders = {run: mine for run, mine in holders.items() if mine}
        shared = set.intersection(*holders.values())
        if any(mine != shared for mine in holders.values()):
            places = {r: sorted(f"split {d.split} map {d.map_name}" for d in holders[r]) for r in holders}
            yield f"{key}: different splits or maps " + _listed({r: ", ".join(p) for r, p in places.items()})
        for domain in (domain for domain in domains if domain in shared):
            for name, what in _MUST_AGREE.items():
                values = {run: getattr(run.result(domain), name) for run in holders}
                if len(set(values.values())) > 1 and not (name == "protocol_name" and own_protocols):
                    yield f"{key}:{domain.split}: different {what} " + _listed(values)


def _listed(values: dict[Run, object]) -> str:
    shown = (f"{run.method} seed {run.results.seed}: {value}" for run, value in values.items())
    return f"({'; '.join(shown)})"
