"""What this process asks of the system: to keep freed memory, and to end cleanly when it is told to."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20  # what glibc allows on 64 bits


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks instead of returning them to the system; elsewhere nothing happens.

    Every step frees and asks for the same activations, and fresh pages cost more than many of the kernels
    that fill them: 14 to 29 % of the processor time of one training step of the preset `tiny`.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def under_torchrun() -> bool:
    """Whether torchrun started this process; half of its variables may be left over from something else."""
    names = ("TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    return all(name in os.environ for name in names)


@contextlib.contextmanager
def leave_on_sigterm() -> Iterator[None]:
    """SIGTERM, from `kill` and schedulers, raises SystemExit(143), so that what was started ends with it.

    Outside the main thread Python allows no handler: no change.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # as a shell reports it
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
