"""Names of rain and fog: what they say of how heavy it is, and where a reader sees it."""

from __future__ import annotations

import pytest

from spn.report.comparison import Comparison, Domain
from spn.report.weather import severity, severity_text


@pytest.mark.parametrize(
    ("dataset", "name", "value"),
    [
        ("foggy_cityscapes", "val@beta_0.02", 0.02),
        ("foggy_cityscapes", "val/lindau/lindau_000000_000019_leftImg8bit_foggy_beta_0.005", 0.005),
        ("rain_cityscapes", "val/a/a_leftImg8bit_rain_alpha_0.03_beta_0.015_dropsize_0.002_pattern_7", 0.03),
        ("rain_cityscapes", "val@alpha_0.01", 0.01),
        ("rain_cityscapes", "val@beta_0.01", None),
        ("foggy_cityscapes", "val", None),
        ("foggy_cityscapes", "val@beta_0.02+val@beta_0.01", None),
        ("foggy_cityscapes", "alphabeta_0.02", None),
        ("cityscapes", "val@beta_0.02", None),
    ],
)
def test_severity(dataset: str, name: str, value: float | None) -> None:
    assert severity(dataset, name) == value
    assert bool(severity_text(dataset, name)) == (value is not None)


@pytest.mark.parametrize(
    ("splits", "titles"),
    [
        (["val"], ["Fog (simulated)"]),
        (["val@beta_0.02"], ["Fog (simulated; β = 0.02)"]),
        (["val@beta_0.02", "val@beta_0.01"], ["Fog (simulated; β = 0.02)", "Fog (simulated; β = 0.01)"]),
        (["val", "val@beta_0.01"], ["Fog (simulated; val)", "Fog (simulated; β = 0.01)"]),
        (
            ["train@beta_0.01", "val@beta_0.01"],
            ["Fog (simulated; train@beta_0.01)", "Fog (simulated; val@beta_0.01)"],
        ),
    ],
)
def test_titles_name_it_and_stay_apart(splits: list[str], titles: list[str]) -> None:
    domains = tuple(Domain("foggy_cityscapes", split, "A", title="Fog (simulated)") for split in splits)
    assert [Comparison((), domains).title(domain) for domain in domains] == titles
