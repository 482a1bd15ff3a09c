"""Arrays on disk: what is read is what was written, and any damage is one kind of error."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spn.core.files import read_arrays

STREAM = io.BytesIO()
np.savez_compressed(STREAM, counts=np.arange(400).reshape(20, 20), keys=np.array(["a", "bc"]))
WRITTEN = STREAM.getvalue()
FLIPS = st.lists(st.tuples(st.integers(0, len(WRITTEN) - 1), st.integers(0, 255)), min_size=1, max_size=4)


def test_arrays_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(WRITTEN)
    arrays = read_arrays(tmp_path / "a.npz")
    assert arrays["counts"].tolist() == np.arange(400).reshape(20, 20).tolist()
    assert arrays["keys"].tolist() == ["a", "bc"]
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "b.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@example(flips=[], cut=0)
@example(flips=[(100, 7)], cut=len(WRITTEN))  # deflated data
@given(flips=FLIPS, cut=st.just(len(WRITTEN)) | st.integers(0, len(WRITTEN)))
def test_damage_is_a_value_error(tmp_path: Path, flips: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(WRITTEN)
    for place, value in flips:
        data[place] = value
    path = tmp_path / "a.npz"
    path.write_bytes(data[:cut])
    try:
        read_arrays(path)
    except ValueError as error:
        assert str(error)  # noqa: PT017
