"""Work on many things by threads, a few at a time and in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def mapped(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int,
    name: str = "",
    begin: Callable[[], object] | None = None,
) -> Generator[Result]:
    """`function` of each of `items`, in their order, by so many threads; `begin` is called first in each.

    An item is fetched by the caller's thread, and only when no more than that many are being worked on or
    wait to be taken: however long `items` is, memory does not grow. What fails, `items` or `function`, is
    raised in its turn, Ctrl-C while an item is waited for, too. When the iterator is closed, what was begun
    ends first.
    """
    fetched = iter(items)
    problem: BaseException | None = None
    with ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=begin) as pool:
        begun: deque[Future[Result]] = deque()
        try:
            while True:
                while begun and (len(begun) > threads or begun[0].done()):
                    yield begun.popleft().result()
                try:
                    begun.append(pool.submit(function, next(fetched)))
                except StopIteration:
                    break
                except BaseException as error:  # behind what can be had
                    problem = error
                    break
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
    if problem:
        raise problem
