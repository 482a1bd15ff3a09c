"""Colours and markers of methods."""

from __future__ import annotations

from spn.methods.catalogue import METHODS
from spn.report.style import METHOD_MARKERS, method_colours


def test_every_method_has_a_colour_and_a_marker_of_its_own() -> None:
    colours = method_colours(len(METHODS))
    assert len(set(colours)) == len(METHODS)
    assert len(set(METHOD_MARKERS)) == len(METHOD_MARKERS) >= len(METHODS)
