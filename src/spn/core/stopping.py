"""SIGTERM, which `kill` and schedulers send, as an exception, so that what a program started ends with it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leave_on_sigterm() -> Iterator[None]:
    """Within, SIGTERM raises SystemExit(143); outside the main thread Python allows no handler: no change."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)  # as a shell reports it
