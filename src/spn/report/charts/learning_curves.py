"""What each training logged: its loss, and the mIoU on validation images of its source, step by step."""

from itertools import chain, cycle
from typing import Final, NamedTuple

from matplotlib.figure import Figure

from spn.core.run_log import LOG_NAME, read_log
from spn.evaluation.results import RunResults
from spn.report.comparison import Comparison
from spn.report.style import METHOD_MARKERS, method_colours, method_legend

TITLE: Final = "Learning curves"
PANEL_WIDTH, HEIGHT = 5.4, 2.8
"""Inches."""
FEW = 30
"""Points of a curve that are marked."""


class _Told(NamedTuple):
    """A panel: the figure of which event, by which factor, and its title."""

    event: str
    figure: str
    factor: float
    title: str

    def points(self, run: RunResults) -> list[tuple[int, float]]:
        """Steps and values, without those that were not finite; none without its log."""
        folder = run.folder.parent
        log = read_log(folder) if (folder / LOG_NAME).is_file() else []
        found = [(event["step"], event.get(self.figure)) for event in log if event["event"] == self.event]
        return [(step, self.factor * value) for step, value in found if isinstance(value, int | float)]


TOLD: Final = (
    _Told("train", "cross_entropy", 1, "training loss: cross-entropy, without what a method adds"),
    _Told("validate", "miou", 100, "source validation: mIoU (%)"),
)


def draw(comparison: Comparison) -> Figure | None:
    """A line per training in its method's colour. None where no run has its log."""
    methods = comparison.methods
    curves = {told: [[told.points(run) for run in method.runs] for method in methods] for told in TOLD}
    shown = {told: found for told, found in curves.items() if any(chain(*found))}
    if not shown:
        return None
    figure = Figure(figsize=(PANEL_WIDTH * len(shown), HEIGHT), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    colours = method_colours(len(methods))
    for panel, (told, found) in zip(panels, shown.items(), strict=True):
        for runs, colour, marker in zip(found, colours, cycle(METHOD_MARKERS), strict=False):
            for points in filter(None, runs):
                steps, values = zip(*points, strict=True)
                style = f"{marker if len(steps) <= FEW else ''}-"
                panel.plot(steps, values, style, ms=3.5, lw=1.2, color=colour, alpha=0.85)
        panel.set_ylim(bottom=0)
        panel.set_xlim(left=0)
        panel.set_xlabel("training step")
        panel.set_title(told.title, fontsize=9)
    title = "a line per seed" if comparison.has_seeds else ""
    method_legend(figure, [method.title for method in methods], title=title, markers=True)
    return figure
