"""Turns the failures that a user can mend into one sentence; the rest keep their traceback."""

from __future__ import annotations

import errno
import re
from typing import Final

from spn.core.errors import UserError

FAILED: Final = 1
BAD_ARGUMENTS: Final = 2
INTERRUPTED: Final = 130

_A_FILE: Final = "a folder is wanted where there is a file{place}; choose another place"
_OPERATING_SYSTEM: Final = {
    errno.ENOSPC: "the disk is full{place}; free some space and repeat the command: finished work is kept",
    errno.EDQUOT: "the disk quota is used up{place}; free some space and repeat the command",
    errno.EROFS: "the file system is read-only{place}; choose a place that can be written, with --out",
    errno.EFBIG: "a file grew over the size that this system or user may write{place}; raise the limit "
    "(ulimit -f) and repeat the command: finished work is kept",
    errno.EIO: "the disk could not be read or written{place}; check it, and repeat the command",
    errno.EEXIST: _A_FILE,
    errno.ENOTDIR: _A_FILE,
    errno.EISDIR: "a file is wanted where there is a folder{place}; choose another place",
    errno.EACCES: "permission denied{place}; check who owns it, or choose another place",
    errno.EPERM: "the operation is not permitted{place}; check who owns it, or choose another place",
    errno.EMFILE: "too many open files{place}; raise the limit (ulimit -n 4096) or use fewer workers",
}
_OUT_OF_MEMORY: Final = (
    "the {device} is out of memory; use a smaller batch, crop or image, or fewer workers and draws"
)
_WORKER_DIED: Final = (
    "a process that loads data died (out of memory?); repeat the command to continue from the last "
    "checkpoint, with fewer workers (--runtime.workers) if it happens again"
)
_ERRNO_IN_TEXT: Final = re.compile(r"\(os error (\d+)\)")  # safetensors reports the errno only in its text


def explain(error: BaseException | None) -> str | None:
    """The sentence to print for `error` or for what caused it; None for the unexpected, which is a bug."""
    while error is not None:
        text = str(error)
        if isinstance(error, UserError):
            return text
        in_text = _ERRNO_IN_TEXT.search(text)
        number = getattr(error, "errno", None) or (int(in_text[1]) if in_text else None)
        if number in _OPERATING_SYSTEM:
            place = getattr(error, "filename", None)
            return _OPERATING_SYSTEM[number].format(place=f" at {place}" if place else "")
        if isinstance(error, MemoryError) or "DefaultCPUAllocator: can't allocate memory" in text:
            return _OUT_OF_MEMORY.format(device="computer")
        if type(error).__name__ == "OutOfMemoryError":  # torch's, recognised without importing torch
            return _OUT_OF_MEMORY.format(device="accelerator")
        if isinstance(error, RuntimeError) and text.startswith("DataLoader worker"):
            return _WORKER_DIED
        error = error.__cause__
    return None
