"""Runs cover the values exactly, and neighbouring runs differ."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spn.core.runs import find_runs


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_runs_are_maximal_and_give_the_values_back(values: list[int]) -> None:
    flat = np.array(values, np.uint8)
    runs = find_runs(flat)
    np.testing.assert_array_equal(np.repeat(runs.values, runs.lengths), flat)
    np.testing.assert_array_equal(runs.starts, np.cumsum(runs.lengths) - runs.lengths)
    assert (runs.values[1:] != runs.values[:-1]).all()
