"""What a reader must know to trust a table, a sentence each: how, on what and after how much training."""

from __future__ import annotations

import numpy as np

from spn.report.comparison import Comparison, Domain


def comparison_notes(comparison: Comparison) -> list[str]:
    """The notes of a table; the protocol comes first."""
    measured = (
        f"{d.title} {d.split}, {comparison.result(d).images} images, map {d.map_name}"
        for d in comparison.domains
    )
    notes = [*_protocols(comparison), f"Measured on: {'; '.join(measured)}."]
    notes += [note for domain in comparison.domains if (note := _absent_classes(comparison, domain))]
    notes.append(_seeds(comparison))
    if budgets := _budgets(comparison):
        notes.append(f"Trained: {'; '.join(f'{title} {budget}' for title, budget in budgets.items())}.")
        if len(set(budgets.values())) > 1:
            notes.append("WARNING: the methods were not trained for equally many steps.")
    return notes + [f"WARNING: {warning}" for warning in comparison.warnings]


def _protocols(comparison: Comparison) -> list[str]:
    """A note for each way of seeing the images, and whose it is where there are several."""
    methods: dict[str, dict[str, None]] = {}
    for method in comparison.methods:
        for result in (result for run in method.runs for result in run.results.domains):
            text = f"{result.protocol_name} ({result.protocol['description']})"
            methods.setdefault(text, {})[method.title] = None
    if len(methods) == 1:
        return [f"Protocol: {next(iter(methods))}."]
    return [f"Protocol ({', '.join(titles)}): {text}." for text, titles in methods.items()]


def _budgets(comparison: Comparison) -> dict[str, str]:
    """Training steps per method, as the weights record them; empty if any does not."""
    budgets = {}
    for method in comparison.methods:
        if not all("step" in run.results.info for run in method.runs):
            return {}
        steps = sorted({int(run.results.info["step"]) for run in method.runs})
        budgets[method.title] = f"{', '.join(map(str, steps))} steps"
    return budgets


def _seeds(comparison: Comparison) -> str:
    seeds = "; ".join(f"{m.title} {', '.join(map(str, m.seeds))}" for m in comparison.methods)
    if all(len(method.runs) == 1 for method in comparison.methods):
        return f"Seeds: {seeds}. One run each: a small difference may be chance."
    paired = " (in Δ columns: of the differences of equal seeds)" if len(comparison.methods) > 1 else ""
    return f"Seeds: {seeds}. ± is the standard deviation over seeds{paired}."


def _absent_classes(comparison: Comparison, domain: Domain) -> str | None:
    result = comparison.result(domain)
    absent = [name for name in result.class_names if name not in result.classes_evaluated]
    if not absent:
        return None
    zeros = (
        f"{method.title} {np.mean(figures):.2f}"
        for method in comparison.methods
        if (figures := [100 * r.miou_all_classes for run in method.runs if (r := run.result(domain))])
    )
    present, total = len(result.classes_evaluated), len(result.class_names)
    return (
        f"{comparison.title(domain)}: mIoU over the {present} classes with ground truth "
        f"(absent: {', '.join(absent)}); counting absent ones as 0 over all {total}: {', '.join(zeros)}."
    )
