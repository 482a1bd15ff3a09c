"""Turns the failures that a user can mend into one sentence; the rest keep their traceback."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from spn.core.errors import UserError

FAILED = 1
BAD_ARGUMENTS = 2
INTERRUPTED = 130

_OPERATING_SYSTEM = {
    errno.ENOSPC: "the disk is full{place}; free some space and repeat the command: finished work is kept",
    errno.EDQUOT: "the disk quota is used up{place}; free some space and repeat the command",
    errno.EROFS: "the file system is read-only{place}; choose a place that can be written, with --out",
    errno.EFBIG: "a file grew over the size that this system or user may write{place}; raise the limit "
    "(ulimit -f) and repeat the command: finished work is kept",
    errno.EIO: "the disk could not be read or written{place}; check it, and repeat the command",
    errno.EEXIST: "a folder is wanted where there is a file{place}; choose another place",
    errno.EISDIR: "a file is wanted where there is a folder{place}; choose another place",
    errno.ENOTDIR: "a folder is wanted where there is a file{place}; choose another place",
    errno.EACCES: "permission denied{place}; check who owns it, or choose another place",
    errno.EPERM: "the operation is not permitted{place}; check who owns it, or choose another place",
    errno.EMFILE: "too many open files{place}; raise the limit (ulimit -n 4096) or use fewer workers",
}
_OUT_OF_MEMORY = (
    "the {device} is out of memory; use a smaller batch, crop or image, or fewer workers and draws"
)
_WORKER_DIED = (
    "a process that loads data died (out of memory?); repeat the command to continue from the last "
    "checkpoint, with fewer workers (--runtime.workers) if it happens again"
)
_ERRNO_IN_TEXT = re.compile(r"\(os error (\d+)\)")  # safetensors reports the errno only in its text


def explain(error: BaseException) -> str | None:
    """The sentence to print for `error` or for what caused it; None for the unexpected, which is a bug."""
    for link in _causes(error):
        if isinstance(link, UserError):
            return str(link)
        if isinstance(link, OSError) and link.errno in _OPERATING_SYSTEM:
            place = f" at {link.filename}" if link.filename else ""
            return _OPERATING_SYSTEM[link.errno].format(place=place)
        if isinstance(link, MemoryError):
            return _OUT_OF_MEMORY.format(device="computer")
        if type(link).__name__ == "OutOfMemoryError":  # torch's, recognised without importing torch
            return _OUT_OF_MEMORY.format(device="accelerator")
        text = str(link)
        found = _ERRNO_IN_TEXT.search(text)
        if found and int(found[1]) in _OPERATING_SYSTEM:
            return _OPERATING_SYSTEM[int(found[1])].format(place="")
        if isinstance(link, RuntimeError) and text.startswith("DataLoader worker"):
            return _WORKER_DIED
        if isinstance(link, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in text:
            return _OUT_OF_MEMORY.format(device="computer")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, then what it was explicitly raised from, and so on."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__
