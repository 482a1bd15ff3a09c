"""A change of what is drawn comes with a raised version, so that old and new frames never mix."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simulator.rendering import FILE, FRAMES, look
from streets import RENDERING

RECORDED = json.loads(FILE.read_text())


def test_the_recorded_look_is_of_this_version() -> None:
    assert RECORDED["rendering"] == RENDERING, (
        "record it anew: PYTHONPATH=tests python -m simulator.rendering"
    )


@pytest.mark.parametrize("style", FRAMES)
def test_frames_look_as_they_did(style: str) -> None:
    for name, values in look(style, FRAMES[style]).items():
        np.testing.assert_allclose(
            values, RECORDED["frames"][style][name], atol=0.05,
            err_msg=f"{name} of a {style} frame has changed: raise streets.RENDERING and record it anew",
        )  # fmt: skip
