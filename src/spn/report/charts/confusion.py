"""Which classes are taken for which: confusion matrices whose rows are shares of each class's pixels."""

import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spn.report.comparison import GROUPS, Comparison, Domain, MethodRuns
from spn.report.style import heat_map

TITLE: Final = "Confusion of classes"
CELL_WIDTH, CELL_HEIGHT, NAMES, HEADING = 0.34, 0.27, 1.3, 1.5
"""Inches: of a field, of the names of the classes beside and above, title included."""
MOST: Final = 4
"""Methods that are drawn; of more, the reference and the one with the highest mIoU."""
MOST_CLASSES: Final = 40
"""Classes that are drawn; of more, those of whose pixels most are taken for others."""
LETTERS = 14
"""Of the text below, in an inch."""
LEAST_TOLD = 0.995
"""Percent from which on a field has its number."""


def draw(comparison: Comparison) -> Figure | None:
    """Of the domains that all were measured on, without what they were trained on, if there are any others;
    those of the most common label space. None if they share no domain."""
    shared = [
        domain
        for domain in comparison.domains
        if not any(np.isnan(method.mious((domain,))).any() for method in comparison.methods)
    ]
    spaces: dict[tuple[str, ...], list[Domain]] = {}
    for domain in [domain for domain in shared if domain.group != GROUPS[0]] or shared:
        spaces.setdefault(comparison.result(domain).class_names, []).append(domain)
    if not spaces:
        return None
    names, domains = max(spaces.items(), key=lambda item: len(item[1]))
    methods, of_many = comparison.methods, ""
    if len(methods) > MOST:
        of_many = f"the reference and the best of {len(methods)} methods; "
        methods = methods[0], max(methods[1:], key=lambda method: method.mious(domains).mean())
    shares = [mean_shares(method, domains) for method in methods]
    chosen = np.arange(len(names))
    if len(names) > MOST_CLASSES:
        right = np.mean([np.diag(of_one) for of_one in shares], axis=0)
        chosen = np.sort(np.argsort(np.where(np.isnan(right), 100, right), kind="stable")[:MOST_CLASSES])
        of_many += f"the {MOST_CLASSES} of {len(names)} classes that are confused most; "
    names = tuple(names[index] for index in chosen)
    columns = min(2, len(methods))
    rows = -(-len(methods) // columns)
    width, height = NAMES + CELL_WIDTH * len(names), HEADING + CELL_HEIGHT * len(names)
    figure = Figure(figsize=(columns * width, rows * height + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, method, of_all in zip(panels, methods, shares, strict=False):
        shown = of_all[np.ix_(chosen, chosen)]
        texts = [[f"{value:.0f}" if value >= LEAST_TOLD else "" for value in row] for row in shown]
        for row in np.flatnonzero(np.isnan(shown[:, 0])):
            texts[row] = ["–"] * len(names)
        heat_map(panel, shown, texts, colours="Greys", low=0, high=110)
        panel.set_xticks(range(len(names)), names, rotation=45, ha="left", rotation_mode="anchor")
        panel.xaxis.tick_top()
        panel.set_yticks(range(len(names)), names)
        panel.tick_params(axis="y", labelcolor="black")
        panel.set_title(method.title)
    for panel in panels[len(methods) :]:
        panel.set_axis_off()
    note = f"{of_many}rows: ground truth; columns: prediction; percent of the pixels of a class"
    where = ", ".join(comparison.title(domain) for domain in domains)
    over = f"mean over {'seeds and over ' if comparison.has_seeds else ''}{where}"
    lines = [line for text in (note, over) for line in textwrap.wrap(text, int(LETTERS * columns * width))]
    figure.supxlabel("\n".join(lines), fontsize=8, x=0.01, ha="left")
    return figure


def mean_shares(method: MethodRuns, domains: Sequence[Domain]) -> NDArray[np.float64]:
    """[C, C] in percent: the mean over seeds and domains, in which every matrix counts alike.

    A row is that over those with ground truth of its class, NaN if none has."""
    counts = np.stack([r.confusion for domain in domains for r in method.results(domain)]).astype(np.float64)
    truth = counts.sum(axis=2, keepdims=True)
    shares = 100 * counts / np.where(truth > 0, truth, 1)
    known = (truth > 0).sum(axis=0)
    return np.where(known > 0, shares.sum(axis=0) / np.maximum(known, 1), np.nan)
