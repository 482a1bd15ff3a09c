"""What a reader must know to trust a table, a sentence each: how, on what and after how much training."""

from __future__ import annotations

import numpy as np

from spn.report.comparison import Comparison

CALIBRATION_NOTE = (
    "ECE: expected calibration error of the largest probability, 15 bins. AURC: area under the risk-coverage "
    "curve, the error rate among the most confident pixels averaged over all shares of them; a confidence "
    "that says nothing gives the share of wrong pixels. Lower is better."
)


def comparison_notes(comparison: Comparison) -> list[str]:
    """The notes of a table; the protocol comes first."""
    measured = (
        f"{d.title} {d.split}, {comparison.result(d).images} images, map {d.map_name}"
        for d in comparison.domains
    )
    notes = [*_protocols(comparison), f"Measured on: {'; '.join(measured)}.", *_absent_classes(comparison)]
    seeds = "; ".join(f"{m.title} {', '.join(map(str, m.seeds))}" for m in comparison.methods)
    if all(len(method.runs) == 1 for method in comparison.methods):
        notes.append(f"Seeds: {seeds}. One run each: a small difference may be chance.")
    else:
        paired = " (in Δ columns: of the differences of equal seeds)" if len(comparison.methods) > 1 else ""
        notes.append(f"Seeds: {seeds}. ± is the standard deviation over seeds{paired}.")
    infos = {method.title: [run.results.info for run in method.runs] for method in comparison.methods}
    if all("step" in info for mine in infos.values() for info in mine):
        steps = {title: sorted({int(info["step"]) for info in mine}) for title, mine in infos.items()}
        texts = (f"{title} {', '.join(map(str, numbers))} steps" for title, numbers in steps.items())
        notes.append(f"Trained: {'; '.join(texts)}.")
        if len(set(map(tuple, steps.values()))) > 1:
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


def _absent_classes(comparison: Comparison) -> list[str]:
    """A note for each domain without ground truth of some class."""
    notes = []
    for domain in comparison.domains:
        result = comparison.result(domain)
        absent = [name for name in result.class_names if name not in result.classes_evaluated]
        figures = {m.title: [100 * r.miou_all_classes for r in m.results(domain)] for m in comparison.methods}
        zeros = (f"{title} {np.mean(found):.2f}" for title, found in figures.items() if found)
        if absent:
            notes.append(
                f"{comparison.title(domain)}: mIoU over the {len(result.classes_evaluated)} classes with "
                f"ground truth (absent: {', '.join(absent)}); counting absent ones as 0 over all "
                f"{len(result.class_names)}: {', '.join(zeros)}."
            )
    return notes
