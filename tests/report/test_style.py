"""Colours and markers of methods."""

from __future__ import annotations

from spn.methods.catalogue import METHODS
from spn.report.style import METHOD_MARKERS, legend_columns, method_colours


def test_every_method_has_a_colour_and_a_marker_of_its_own() -> None:
    colours = method_colours(len(METHODS))
    assert len(set(colours)) == len(METHODS)
    assert len(set(METHOD_MARKERS)) == len(METHOD_MARKERS) >= len(METHODS)


def test_a_legend_has_as_many_columns_as_its_names_leave_room_for() -> None:
    assert legend_columns(["Baseline", "SPN"], width=8, size=10) == 2
    long = ["SPN, prompts at stride 16 alone"] * 9
    assert 1 <= legend_columns(long, width=8.4, size=8) <= 3
    assert legend_columns(long, width=0.5, size=8) == 1
