"""Runs a function in a forked process that is killed on the way, or whose failure is looked at."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

RENAMES = (os.replace, os.fsync)


def forked(function: Callable[[], int | None], *, stderr: Path, kill_at: int | None = None) -> int:
    """The status of a child that runs `function`: its result, 1 after an exception, -N after signal N.

    kill_at: the child kills itself (SIGKILL) at its `kill_at`-th (from 1) rename or flush of a file; before
    it where that number is odd, else after it.
    """
    child = os.fork()
    if child == 0:
        status = 1
        with open(stderr, "w", encoding="utf-8", buffering=1) as sys.stderr:
            try:
                if kill_at is not None:
                    _kill_at(kill_at)
                status = function() or 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def repeat_until_done(
    function: Callable[[], int | None], *, stderr: Path, moments: Sequence[int]
) -> list[int]:
    """Kill `function` at each of the moments in turn, then let it finish; the statuses of all starts."""
    return [forked(function, stderr=stderr, kill_at=moment) for moment in [*moments, None]]


def _kill_at(wanted: int) -> None:
    calls = 0

    def watched(original: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **options: object) -> None:
            nonlocal calls
            calls += 1
            if calls == wanted and wanted % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            original(*arguments, **options)
            if calls == wanted:
                os.kill(os.getpid(), signal.SIGKILL)

        return call

    os.replace, os.fsync = (watched(original) for original in RENAMES)
