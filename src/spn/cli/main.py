"""The command `spn`: finds the command asked for, imports only its module, and reports how it went.

The module of `spn train` is spn/cli/train.py. It has a frozen dataclass `TrainCommand` (its arguments, read
by tyro) and `run(command) -> int`; it may have `parse(argv) -> command` where the arguments need a first look
(a preset, for example). `spn data check` is `check` of spn/cli/data.py, with `DataCheckCommand`.
Exit status: 0 done, 1 a failure the message explains, 2 bad arguments, 130 interrupted.
"""

import difflib
import errno
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from spn.core.errors import UserError
from spn.core.plugins import load_plugins
from spn.core.version import __version__

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "the whole story in minutes: simulate, train both networks, compare them",
    "simulate": "render miniature datasets in the layouts of the real ones",
    "train": "train SPN or its baseline on a synthetic dataset",
    "presets": "list the settings that come with it, and what each costs",
    "data check": "read every file of datasets, name what is wrong",
    "data stats": "class frequencies, and samples under their labels",
    "data pack": "a split in one file that training reads faster",
    "evaluate": "measure IoU on datasets the network never saw",
    "report": "tables and figures that compare evaluated runs",
    "benchmark": "methods × seeds × domains from one file, in one table",
    "release": "one small weights file from a run, in half precision",
    "export": "ONNX or a PyTorch program, compared with the network",
    "predict": "label your own photographs and videos, with uncertainty",
    "web": "a page in the browser that labels what is dropped on it",
}
"""What `spn --help` says of each."""
_HELP: Final = ("-h", "--help")
_RENAMED: Final = {
    "--draws": "is called --num-samples now",
    "evaluate --samples": "is called --pictures now",
    "evaluate --channels-last": "is no option any more: it is always so",
    "evaluate --note-every": "is no option any more: finished domains are kept, others begin again",
}
"""What became of options that there were, of all commands or of one."""
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
    errno.ENOENT: "there is no such file or folder{place}; was it moved or deleted meanwhile?",
    errno.EEXIST: _A_FILE,
    errno.ENOTDIR: _A_FILE,
    errno.EISDIR: "a file is wanted where there is a folder{place}; choose another place",
    errno.EACCES: "permission denied{place}; check who owns it, or choose another place",
    errno.EPERM: "the operation is not permitted{place}; check who owns it, or choose another place",
    errno.ENAMETOOLONG: "a name is too long for this file system{place}; choose a shorter one",
    errno.EMFILE: "too many open files{place}; raise the limit (ulimit -n 4096) or use fewer workers",
}
_OUT_OF_MEMORY: Final = (
    "the {device} is out of memory; use a smaller batch, crop or image, or fewer workers and draws"
)
_WORKER_DIED: Final = (
    "a process that loads data died (out of memory?); repeat the command to continue from the last "
    "checkpoint, with fewer workers (--runtime.workers) if it happens again"
)
_PEER_DIED: Final = (
    "another process of this command ended early (killed, or out of memory?); repeat the command to continue "
    "from the last checkpoint"
)
_IN_TEXT: Final = {
    "DefaultCPUAllocator: can't allocate memory": _OUT_OF_MEMORY.format(device="computer"),
    "DataLoader timed out": "no image came from the processes that load data for half an hour; look at the "
    "disk, and repeat the command to continue from the last checkpoint, with --runtime.workers 0 if it "
    "happens again",
    "DataLoader worker": _WORKER_DIED,
    "Pin memory thread": _WORKER_DIED,
    "shared memory": "the shared memory (/dev/shm) is full; load data without further processes "
    "(--runtime.workers 0), or give the container more (docker run --shm-size 8g)",
    "Expected more than 1 value per channel": "a BatchNorm gets a single value to train with, so small are "
    "crop and batch; use a larger --optimisation.batch-size (or --runtime.device-batch), or a larger crop",
    "embedded null": "the name of a file or folder holds a null character; remove it",
    "gloo/transport": _PEER_DIED,
    "NCCL": _PEER_DIED,
}
"""Sentences for what libraries raise as RuntimeError or ValueError, by a part of their text."""


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):  # names that are no UTF-8, terminals that know ASCII only
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Threads that spin long while they wait stand still where something else runs, too (docs/performance.md).
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    status = FAILED
    try:
        try:
            status = dispatch(sys.argv[1:])
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # a full disk, or a reader that left, would show when nobody can tell it
    except OSError as error:
        status = FAILED
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # spn … | head: nothing to say, and nobody to say it to
            print(f"spn: {explain(error)}", file=sys.stderr)
    sys.exit(status)


def dispatch(argv: Sequence[str], *, commands: Mapping[str, str] = COMMANDS) -> int:
    """Run the command that `argv` names and return the exit status of the process."""
    plugins: list[str] = []
    while len(argv) > 1 and argv[0] == "--plugin":
        plugins, argv = [*plugins, argv[1]], argv[2:]
    if not argv or argv[0] in (*_HELP, "help"):
        print(overview(commands))
        return 0 if argv else BAD_ARGUMENTS
    if argv[0] in ("-V", "--version"):
        print(f"spn {__version__}")
        return 0
    group = {name: text for name, text in commands.items() if name.startswith(f"{argv[0]} ")}
    words = 2 if group and len(argv) > 1 and not argv[1].startswith("-") else 1
    name, rest = " ".join(argv[:words]), list(argv[words:])
    if name in commands:
        return _guarded(name, rest, plugins)
    if group and words == 1:
        print(overview(group))
        return 0 if rest and rest[0] in _HELP else BAD_ARGUMENTS
    near = difflib.get_close_matches(name, commands, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(commands)}"
    print(f"spn: unknown command {name!r}; {hint} (spn --help lists them)", file=sys.stderr)
    return BAD_ARGUMENTS


def overview(commands: Mapping[str, str] = COMMANDS) -> str:
    """The text of `spn --help`."""
    width = max(len(name) for name in ("-h, --help", *commands)) + 1
    lines = "\n".join(f"  {name:<{width}} {text}" for name, text in commands.items())
    return (
        "usage: spn COMMAND [options]\n\n"
        "Stochastic Prompt Network: learn street scenes from synthetic images, recognise real ones.\n\n"
        f"commands:\n{lines}\n\n"
        "options:\n"
        f"  {'-h, --help':<{width}} this text; spn COMMAND --help explains a command\n"
        f"  {'--plugin':<{width}} FILE.py or MODULE before COMMAND: methods and parts of your own\n"
        f"  {'--version':<{width}} print the version\n"
    )


def _guarded(name: str, argv: Sequence[str], plugins: Sequence[str]) -> int:
    """Run one command; failures that a user can mend become one sentence, the rest keep their traceback."""
    try:
        load_plugins(plugins)
        room, _, action = name.partition(" ")
        module = importlib.import_module(f"spn.cli.{room}")
        return int(getattr(module, action or "run")(_parse(module, name, argv)))
    except KeyboardInterrupt:
        print("\nspn: interrupted; repeat the command to continue", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        print(f"spn {name}: {message}", file=sys.stderr)
    return FAILED


def _parse(module: Any, name: str, argv: Sequence[str]) -> object:
    """The module's own `parse` if it has one, else tyro on its dataclass. Exits with 2 on bad arguments."""
    if hasattr(module, "parse"):
        return module.parse(list(argv))
    import tyro  # here, because `spn --help` should not wait for it

    for option in (argument.partition("=")[0] for argument in argv):
        if now := _RENAMED.get(f"{name} {option}") or _RENAMED.get(option):
            print(f"spn {name}: {option} {now}", file=sys.stderr)
            raise SystemExit(BAD_ARGUMENTS)
    command = getattr(module, f"{name.title().replace(' ', '')}Command")
    return tyro.cli(command, args=list(argv), prog=f"spn {name}")


def explain(error: BaseException | None) -> str | None:
    """The sentence to print for `error` or for what caused it; None for the unexpected, which is a bug."""
    while error is not None:
        text = str(error)
        if isinstance(error, UserError):
            return text
        if isinstance(error, OSError) and error.errno:
            place = error.filename2 or error.filename
            sentence = _OPERATING_SYSTEM.get(error.errno, f"{error.strerror}{{place}}")
            return sentence.format(place=f" at {place}" if place else "")
        if isinstance(error, MemoryError):
            return _OUT_OF_MEMORY.format(device="computer")
        if type(error).__name__ == "OutOfMemoryError":  # torch's, recognised without importing torch
            return _OUT_OF_MEMORY.format(device="accelerator")
        if isinstance(error, RuntimeError | ValueError):
            for part, sentence in _IN_TEXT.items():
                if part in text:
                    return sentence
        error = error.__cause__
    return None


if __name__ == "__main__":
    main()
