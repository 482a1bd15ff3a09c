"""Resampling keeps means when shrinking and pixel centres when enlarging."""

from __future__ import annotations

import pytest
import torch

from spn.models.resampling import resample, resize


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 1), (4, 12)])
def test_shrinking_averages(size: tuple[int, int]) -> None:
    features = torch.rand(1, 2, 8, 12, generator=torch.Generator().manual_seed(0))
    shrunk = resample(features, size)
    assert shrunk.shape[-2:] == size
    expected = torch.nn.functional.interpolate(features, size=size, mode="area")
    torch.testing.assert_close(shrunk, expected)


def test_enlarging_is_bilinear_and_the_same_size_costs_nothing() -> None:
    features = torch.tensor([[[[0.0, 1.0]]]])
    assert resample(features, (1, 4)).flatten().tolist() == [0, 0.25, 0.75, 1]
    assert resize(features, (1, 2)) is features
