"""Colours and markers of methods."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from spn.report.style import METHOD_MARKERS, legend_columns, method_colours, styled, write_figure


def test_nothing_of_the_user_s_settings_shows(tmp_path: Path) -> None:
    files = []
    for number, settings in enumerate(({}, {"text.usetex": True, "figure.facecolor": "red"})):
        with mpl.rc_context(settings):
            figure = styled(Figure)(figsize=(2, 1))
            styled(lambda figure: figure.add_subplot().set_title("mIoU"))(figure)
            write_figure(figure, tmp_path / f"{number}.png")
        files.append((tmp_path / f"{number}.png").read_bytes())
    assert files[0] == files[1]


def test_many_methods_can_be_told_apart_by_colour_and_marker() -> None:
    assert len(set(method_colours(16))) == 16
    assert len(set(zip(method_colours(60), cycle(METHOD_MARKERS), strict=False))) == 60


def test_a_legend_has_as_many_columns_as_its_names_leave_room_for() -> None:
    assert legend_columns(["Baseline", "SPN"], width=8, size=10) == 2
    long = ["SPN, prompts at stride 16 alone"] * 9
    assert 1 <= legend_columns(long, width=8.4, size=8) <= 3
    assert legend_columns(long, width=0.5, size=8) == 1
