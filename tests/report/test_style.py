"""Colours and markers of methods."""

from __future__ import annotations

from itertools import cycle

from spn.report.style import METHOD_MARKERS, legend_columns, method_colours


def test_many_methods_can_be_told_apart_by_colour_and_marker() -> None:
    assert len(set(method_colours(16))) == 16
    assert len(set(zip(method_colours(60), cycle(METHOD_MARKERS), strict=False))) == 60


def test_a_legend_has_as_many_columns_as_its_names_leave_room_for() -> None:
    assert legend_columns(["Baseline", "SPN"], width=8, size=10) == 2
    long = ["SPN, prompts at stride 16 alone"] * 9
    assert 1 <= legend_columns(long, width=8.4, size=8) <= 3
    assert legend_columns(long, width=0.5, size=8) == 1
