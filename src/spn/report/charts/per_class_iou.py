"""Per-class IoU as heat maps that share the axis of classes: the reference, then each method's difference."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spn.report.comparison import Comparison, Domain, MethodRuns
from spn.report.style import heat_map

TITLE: Final = "IoU per class"
CELL_WIDTH, CELL_HEIGHT, LABELS, HEADING = 0.52, 0.29, 2.3, 0.35
"""Inches: of a field, of the names at the left, and of a panel's title."""
CLASS_NAMES = 0.85
"""Inches above the first panel of a label space."""
LEAST_SCALE = 10.0
"""Points at which a difference has full colour, unless many are larger."""


def draw(comparison: Comparison) -> Figure:
    """Means over seeds in percent, of differences in points; a block per label space."""
    blocks: dict[tuple[str, ...], list[Domain]] = {}
    for domain in comparison.domains:
        blocks.setdefault(comparison.result(domain).class_names, []).append(domain)
    base, *others = comparison.methods
    rows = [len(domains) for domains in blocks.values() for _ in comparison.methods]
    widest = max(map(len, blocks)) + 1
    height = CELL_HEIGHT * sum(rows) + HEADING * len(rows) + CLASS_NAMES * len(blocks) + 0.3
    figure = Figure(figsize=(LABELS + CELL_WIDTH * widest, height), layout="constrained")
    panels = iter(figure.subplots(len(rows), 1, squeeze=False, height_ratios=rows).flatten())
    for names, domains in blocks.items():
        reference = mean_ious(base, domains, len(names))
        changes = [mean_ious(method, domains, len(names)) - reference for method in others]
        sizes = np.abs(np.ravel(changes))
        scale = float(np.quantile([LEAST_SCALE, *sizes[sizes > LEAST_SCALE]], 0.9))
        panel = next(panels)
        heat_map(panel, reference, _texts(reference, "{:.1f}"), colours="Greys", low=0, high=120)
        panel.set_xticks(
            range(len(names) + 1), [*names, "mean"], rotation=40, ha="left", rotation_mode="anchor"
        )
        panel.xaxis.tick_top()
        panel.set_title(f"{base.title}: IoU (%)")
        below = [panel]
        for method, change in zip(others, changes, strict=True):
            panel = next(panels)
            heat_map(panel, change, _texts(change, "{:+z.1f}"), colours="RdBu", low=-scale, high=scale)
            panel.set_xticks([])
            panel.set_title(f"{method.title} − {base.title}: points of IoU")
            below.append(panel)
        for panel in below:
            _label(panel, [comparison.title(domain) for domain in domains], widest, len(names))
    seeds = "mean over seeds · " if comparison.has_seeds else ""
    note = f"{seeds}–: no ground truth of this class, or not measured · 0: a true zero"
    figure.supxlabel(note, fontsize=8, x=0.01, ha="left")
    return figure


def mean_ious(method: MethodRuns, domains: Sequence[Domain], classes: int) -> NDArray[np.float64]:
    """[domains, classes and their mean]; NaN for what a domain has no ground truth of, or a run lacks."""
    found = [method.class_ious(domain) for domain in domains]
    ious = [np.full(classes, np.nan) if seeds is None else seeds.mean(axis=0) for seeds in found]
    return np.stack(
        [[*iou, method.mious((domain,)).mean()] for iou, domain in zip(ious, domains, strict=True)]
    )


def _texts(values: NDArray[np.float64], form: str) -> list[list[str]]:
    def text(value: float) -> str:
        return "–" if np.isnan(value) else "0" if value == 0 else form.format(value).replace("-", "−")

    return [[text(value) for value in row] for row in values.tolist()]


def _label(panel: Axes, titles: Sequence[str], widest: int, classes: int) -> None:
    """Names at the left; the mean stands apart from the classes, and panels of few classes are not wider."""
    panel.set_yticks(range(len(titles)), titles)
    panel.tick_params(axis="y", labelcolor="black")
    panel.axvline(classes - 0.5, color="white", linewidth=5)
    panel.set_xlim(-0.5, widest - 0.5)
