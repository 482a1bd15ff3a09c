import threading
import time
from collections.abc import Iterator

import pytest

from spn.core.threads import mapped


def test_results_keep_the_order_of_their_items() -> None:
    def slow_if_early(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(mapped(slow_if_early, range(20), threads=4)) == [item * item for item in range(20)]


def test_items_run_side_by_side_each_thread_having_begun() -> None:
    together, begun = threading.Barrier(2, timeout=20), []
    results = mapped(
        lambda _: together.wait(), range(4), threads=2, name="pair", begin=lambda: begun.append(1)
    )
    assert sorted(results) == [0, 0, 1, 1]
    assert len(begun) == 2


def test_no_more_is_fetched_than_is_worked_on() -> None:
    fetched: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            fetched.append(item)
            yield item

    results = mapped(lambda item: item, items(), threads=3)
    for taken in range(10):
        assert next(results) == taken
        assert len(fetched) <= taken + 1 + 3
    results.close()


def test_a_failure_comes_in_its_turn() -> None:
    def picky(item: int) -> int:
        if item == 2:
            raise ValueError("not 2")
        return item

    results = mapped(picky, range(9), threads=3)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="not 2"):
        next(results)


def test_items_that_end_badly_give_what_there_was_first() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise OSError("torn")

    results = mapped(lambda item: item, items(), threads=8)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(OSError, match="torn"):
        next(results)


def test_closing_ends_what_was_begun_and_begins_nothing_more() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.01)
        done.append(item)
        return item

    results = mapped(work, range(100), threads=2)
    next(results)
    results.close()
    count = len(done)
    assert count <= 3
    time.sleep(0.05)
    assert len(done) == count
