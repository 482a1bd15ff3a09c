"""Intervals against printed tables and hand-computed cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spn.evaluation.counts import ImageCounts
from spn.evaluation.results import class_iou
from spn.report import tables
from spn.report.charts import per_class_iou
from spn.report.statistics import (
    Interval,
    SeedMean,
    bootstrap_differences,
    percentile_interval,
    student_interval,
)


@pytest.mark.parametrize(
    ("n", "quantile"), [(2, 12.706), (3, 4.303), (4, 3.182), (5, 2.776), (10, 2.262), (31, 2.042)]
)
def test_intervals_are_those_of_printed_tables(n: int, quantile: float) -> None:
    """n values of ±1 around 0, whose deviation is known: t is half the width over s / √n."""
    values = np.resize([1.0, -1.0], n)
    interval = student_interval(values.tolist())
    assert interval is not None
    half = (interval.high - interval.low) / 2
    assert half / (values.std(ddof=1) / math.sqrt(n)) == pytest.approx(quantile, abs=6e-4)


def test_interval_over_seeds_by_hand() -> None:
    """Mean 2, s = 1, n = 3: 2 ± 4.3027 / √3. One seed says nothing."""
    interval = student_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-5)
    assert interval.n == 3
    assert student_interval([1.0]) is None


def test_zero_has_no_minus() -> None:
    assert SeedMean(-0.001, 0.1).text(signed=True) == "+0.00 ± 0.10"
    assert SeedMean(-0.006).text(signed=True) == "-0.01"
    assert tables._interval(Interval(-0.004, -0.006, 3)) == "+0.00 to -0.01"
    assert per_class_iou._texts(np.array([[-0.01, -0.06]]), "{:+z.1f}") == [["+0.0", "−0.1"]]


def counts(
    right: list[list[int]], *, truth: list[list[int]] | None = None, frames: tuple[str, ...] | None = None
) -> ImageCounts:
    """Two classes of 10 pixels each per image; a wrong pixel is taken for the other class."""
    hits = np.array(right, np.int64)
    pixels = np.array(truth, np.int64) if truth else np.full_like(hits, 10)
    keys = np.array([f"image_{index}" for index in range(len(hits))])
    return ImageCounts(keys, np.array(frames or keys), hits, pixels, hits + (pixels - hits)[:, ::-1])


def test_two_images_have_three_resamples() -> None:
    """Drawing 2 of 2 images gives twice the first, both, or twice the second: 1/4, 1/2, 1/4."""
    base, mine = counts([[5, 5], [5, 5]]), counts([[8, 8], [10, 10]])

    def miou(*images: int) -> float:
        def of(runs: ImageCounts) -> float:
            hits, wrong = (
                values[list(images)].sum(axis=0)
                for values in (runs.intersection, runs.truth - runs.intersection)
            )
            return float(np.nanmean(class_iou(np.array([[hits[0], wrong[0]], [wrong[1], hits[1]]]))))

        return of(mine) - of(base)

    values = bootstrap_differences([base], [mine], resamples=4000)
    cases = {miou(0, 0): 0.25, miou(0, 1): 0.5, miou(1, 1): 0.25}
    assert set(np.round(values, 9)) == set(np.round(list(cases), 9))
    for value, share in cases.items():
        assert np.isclose(values, value).mean() == pytest.approx(share, abs=0.03)
    interval = percentile_interval(values, n=2)
    assert (interval.low, interval.high) == pytest.approx((miou(0, 0), miou(1, 1)))


def test_scores_are_averaged_over_seeds_and_pairs_cancel() -> None:
    """Methods that differ by nothing differ by nothing on every resample, however much images differ."""
    generator = np.random.default_rng(0)
    first, second = (counts(generator.integers(0, 11, (20, 2)).tolist()) for _ in range(2))
    assert not bootstrap_differences([first, second], [second, first], resamples=50).any()
    one_way = bootstrap_differences([first], [second], resamples=50)
    assert one_way.std() > 0
    half = bootstrap_differences([first, first], [first, second], resamples=50)
    np.testing.assert_allclose(half, one_way / 2, atol=1e-12)


def test_variants_of_a_frame_are_drawn_together() -> None:
    base, mine = ([[5, 5], [5, 5], [5, 5]], [[8, 8], [2, 2], [5, 5]])
    frames = ("a", "a", "b")
    values = bootstrap_differences(
        [counts(base, frames=frames)], [counts(mine, frames=frames)], resamples=200
    )
    np.testing.assert_allclose(values, 0, atol=1e-12)
    assert bootstrap_differences([counts(base)], [counts(mine)], resamples=200).std() > 0.05


def test_domains_of_the_same_frames_are_redrawn_alike() -> None:
    base, mine = counts([[5, 5]] * 6), counts([[n, n] for n in range(4, 10)])
    again = bootstrap_differences([base], [mine], resamples=300)
    np.testing.assert_array_equal(again, bootstrap_differences([base], [mine], resamples=300))
    assert not np.array_equal(again, bootstrap_differences([base], [mine], resamples=300, seed=1))


def test_a_class_that_a_resample_lacks_is_left_out() -> None:
    truth = [[10, 0], [10, 10]]
    base, mine = counts([[5, 0], [5, 5]], truth=truth), counts([[10, 0], [10, 10]], truth=truth)
    values = bootstrap_differences([base], [mine], resamples=400)
    twice_first, both, twice_second = 1 - 10 / 20, 1 - (10 / 25 + 5 / 20) / 2, 1 - 5 / 15
    assert sorted(set(np.round(values, 9))) == pytest.approx([twice_first, twice_second, both])


def test_other_images_do_not_pair() -> None:
    with pytest.raises(ValueError, match="different images"):
        bootstrap_differences([counts([[5, 5]])], [counts([[5, 5], [5, 5]])])
