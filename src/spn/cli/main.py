"""The command `spn`: finds the command asked for, imports only its module, and reports how it went.

A command module defines a frozen dataclass (its arguments, read by tyro) and `run(command) -> int`; it may
define `parse(argv) -> command` where the arguments need a first look (a preset, for example), and `RENAMED`,
what became of options that there were.
Exit status: 0 done, 1 a failure the message explains, 2 bad arguments, 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spn.cli.failures import BAD_ARGUMENTS, FAILED, INTERRUPTED, explain
from spn.core.plugins import load_plugins
from spn.core.version import __version__


class CommandEntry(NamedTuple):
    """Where a command lives (`module`, `class_name`) and its line in the overview."""

    module: str
    class_name: str
    summary: str


COMMANDS: Mapping[str, CommandEntry] = {
    "demo": CommandEntry(
        "spn.cli.demo",
        "DemoCommand",
        "the whole story in minutes: simulate, train both networks, compare them",
    ),
    "simulate": CommandEntry(
        "spn.cli.simulate", "SimulateCommand", "render miniature datasets in the layouts of the real ones"
    ),
    "train": CommandEntry(
        "spn.cli.train", "TrainCommand", "train SPN or its baseline on a synthetic dataset"
    ),
    "presets": CommandEntry(
        "spn.cli.presets", "PresetsCommand", "list the settings that come with it, and what each costs"
    ),
    "data check": CommandEntry(
        "spn.cli.data_check", "DataCheckCommand", "read every file of datasets, name what is wrong"
    ),
    "data stats": CommandEntry(
        "spn.cli.data_stats", "DataStatsCommand", "class frequencies, and samples under their labels"
    ),
    "data pack": CommandEntry(
        "spn.cli.data_pack", "DataPackCommand", "a split in one file that training reads faster"
    ),
    "evaluate": CommandEntry(
        "spn.cli.evaluate", "EvaluateCommand", "measure IoU on datasets the network never saw"
    ),
    "report": CommandEntry(
        "spn.cli.report", "ReportCommand", "tables and figures that compare evaluated runs"
    ),
    "benchmark": CommandEntry(
        "spn.cli.benchmark", "BenchmarkCommand", "methods × seeds × domains from one file, in one table"
    ),
    "release": CommandEntry(
        "spn.cli.release", "ReleaseCommand", "one small weights file from a run, in half precision"
    ),
    "predict": CommandEntry(
        "spn.cli.predict", "PredictCommand", "label your own photographs, with uncertainty"
    ),
}


def main() -> None:
    """Entry point of the console script."""
    sys.exit(dispatch(sys.argv[1:]))


def dispatch(argv: Sequence[str], *, commands: Mapping[str, CommandEntry] = COMMANDS) -> int:
    """Run the command that `argv` names and return the exit status of the process."""
    plugins: list[str] = []
    while len(argv) > 1 and argv[0] == "--plugin":
        plugins, argv = [*plugins, argv[1]], argv[2:]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview(commands))
        return 0 if argv else BAD_ARGUMENTS
    if argv[0] in ("-V", "--version"):
        print(f"spn {__version__}")
        return 0
    name, rest = _split_name(argv, commands)
    if name not in commands and any(other.startswith(f"{name} ") for other in commands):
        print(overview({n: entry for n, entry in commands.items() if n.startswith(f"{name} ")}))
        return 0 if rest and rest[0] in ("-h", "--help") else BAD_ARGUMENTS
    if name not in commands:
        print(_unknown(name, commands), file=sys.stderr)
        return BAD_ARGUMENTS
    return _guarded(name, commands[name], rest, plugins)


def _split_name(argv: Sequence[str], commands: Mapping[str, CommandEntry]) -> tuple[str, list[str]]:
    """The command's name, of one word or of two (`data check`), and its arguments.

    Two words are also taken for a name if only the first is known, so that the second can be corrected.
    """
    two = " ".join(argv[:2])
    grouped = any(name.startswith(f"{argv[0]} ") for name in commands)
    if grouped and len(argv) > 1 and not argv[1].startswith("-"):
        return two, list(argv[2:])
    return argv[0], list(argv[1:])


def overview(commands: Mapping[str, CommandEntry] = COMMANDS) -> str:
    """The text of `spn --help`."""
    width = max(len(name) for name in ("-h, --help", *commands)) + 1
    lines = "\n".join(f"  {name:<{width}} {entry.summary}" for name, entry in commands.items())
    return (
        "usage: spn COMMAND [options]\n\n"
        "Stochastic Prompt Network: learn street scenes from synthetic images, recognise real ones.\n\n"
        f"commands:\n{lines}\n\n"
        "options:\n"
        f"  {'-h, --help':<{width}} this text; spn COMMAND --help explains a command\n"
        f"  {'--plugin':<{width}} FILE.py or MODULE before COMMAND: methods and parts of your own\n"
        f"  {'--version':<{width}} print the version\n"
    )


def _guarded(name: str, entry: CommandEntry, argv: Sequence[str], plugins: Sequence[str]) -> int:
    try:
        load_plugins(plugins)
        module = importlib.import_module(entry.module)
        return int(module.run(_parse(module, name, entry.class_name, argv)))
    except KeyboardInterrupt:
        print("\nspn: interrupted; repeat the command to continue", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader left (spn … | head): nothing to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        print(f"spn {name}: {message}", file=sys.stderr)
        return FAILED


def _parse(module: Any, name: str, class_name: str, argv: Sequence[str]) -> object:
    """The module's own `parse` if it has one, else tyro on its dataclass. Exits with 2 on bad arguments."""
    if hasattr(module, "parse"):
        return module.parse(list(argv))
    import tyro  # here, because `spn --help` should not wait for it

    for option in (argument.partition("=")[0] for argument in argv):
        if option in (renamed := getattr(module, "RENAMED", {})):
            print(f"spn {name}: {option} {renamed[option]}", file=sys.stderr)
            raise SystemExit(BAD_ARGUMENTS)
    return tyro.cli(getattr(module, class_name), args=list(argv), prog=f"spn {name}")


def _unknown(name: str, commands: Mapping[str, CommandEntry]) -> str:
    near = difflib.get_close_matches(name, commands, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(commands)}"
    return f"spn: unknown command {name!r}; {hint} (spn --help lists them)"


if __name__ == "__main__":
    main()
