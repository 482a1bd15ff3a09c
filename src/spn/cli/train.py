"""`spn train`: trains a method on synthetic data and leaves RUN/model.safetensors.

A preset sets the defaults of all other options; tyro reads the values. Ours is what it lacks here: a short
help of the options that the chosen parts have, and messages that say who has an option that they have not.
"""

import contextlib
import dataclasses
import difflib
import inspect
import itertools
import logging
import re
import shutil
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spn.cli.main import BAD_ARGUMENTS
from spn.core.records import checked
from spn.core.registry import Options
from spn.training.config import RENAMED, TRAINED_CLASSES, TrainConfig, resolved
from spn.training.presets import REGISTRIES, load_preset

DEFAULT_PRESET: Final = "gtav_r50"
_ABOUT: Final = """usage: spn train [options]

Train a method. Repeating the command continues an interrupted training.

Shown are the options of the chosen preset, method and parts, with their values: choose these first
(--preset tiny --method.kind isw --model.decoder.kind segformer --help).
"""
_NEVER: Final = "model.num_classes"
"""Every training has the same."""
_IN_FULL_HELP: Final = (
    "augmentation.jitter.", "augmentation.blur.", "augmentation.perturbation.",
    "runtime.keep_checkpoints", "runtime.channels_last", "runtime.log_every",
    "sampling.positions", "sampling.minimum_pixels", "model.prompt.style_spread", "model.prompt.noise",
    "model.prompt.strides", "model.encoder.prompt.groups", "model.encoder.prompt.first_block",
    "model.encoder.tokens.tokens", "model.encoder.tokens.rank", "model.encoder.tokens.width",
    "model.encoder.tokens.first_block", "model.encoder.tokens.drop", "model.encoder.tokens.after",
    "model.decoder.skips.", "model.encoder.ibn", "model.encoder.whitening", "model.encoder.style_memory",
)  # fmt: skip
"""Beginnings of names that the short help leaves out."""
_WIDEST: Final = 110


@dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """Train SPN or another method. Repeating the command continues an interrupted training."""

    preset: str = DEFAULT_PRESET
    """Settings that the other options change: a name that `spn presets` lists, or a .toml file."""
    resume: bool = False
    """Insist on continuing: an error if the run folder holds no checkpoint."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")]


class Option(NamedTuple):
    """One option. name: dotted, with underscores. value: the default. owner: the class it is a field of."""

    name: str
    value: Any
    owner: type[Any]
    text: str
    choices: tuple[str, ...]


def parse(argv: Sequence[str]) -> TrainCommand:
    """Read the preset and the kinds of the parts first: they decide which options there are."""
    words = [word for one in argv for word in (one.split("=", 1) if one.startswith("--") else [one])]
    pairs = itertools.pairwise([*words, ""])
    given = {word[2:].replace("-", "_"): value for word, value in pairs if word.startswith("--")}
    named = {path: given[f"{path}.kind"] for path in REGISTRIES if f"{path}.kind" in given}
    kinds = {path: REGISTRIES[path].entry(kind).name for path, kind in named.items()}
    preset = given.get("preset") or DEFAULT_PRESET
    config = load_preset(preset, out=Path(), kinds=kinds)
    if {"-h", "--help", "--help-all"} & set(argv):
        _print_help(
            list(_options(TrainCommand(preset=preset, config=resolved(config)))), whole="--help-all" in argv
        )
        raise SystemExit(0)
    options = {option.name: option for option in _options(TrainCommand(preset=preset, config=config))}
    names = [name if name in options else re.sub(r"\bno_([^.]+)$", r"\1", name) for name in given]
    _refuse_unknown([*names, *(old for old in map(" ".join, given.items()) if old in RENAMED)], options)
    default = TrainCommand(preset=preset, config=replace(config, out=tyro.MISSING))
    parsed = tyro.cli(TrainCommand, args=list(argv), default=default, prog="spn train")
    return replace(parsed, config=resolved(checked(parsed.config, where="settings"), names=names))


def run(command: TrainCommand) -> int:
    """Train, then say where the result is and what comes next."""
    from spn.api import train

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = train(command.config, resume=command.resume)
    if not result.is_writer:
        return 0
    score = f", source validation mIoU {100 * result.score:.1f}" if result.score is not None else ""
    done = "was already complete" if result.resumed_at == command.config.schedule.steps else "done"
    print(f"training {done}: {result.weights} (step {result.step}{score})")
    print(f"next: spn evaluate {command.config.out} --data KEY=PATH[:SPLIT]")
    return 0


def _options(config: Any, prefix: str = "") -> Iterator[Option]:
    """Every option of a dataclass instance, in order, those of nested ones by dotted names."""
    owner = type(config)
    hints, texts = typing.get_type_hints(owner, include_extras=True), _texts(owner)
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _options(value, f"{name}." if name != "config" else "")
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for index, item in enumerate(value):
                yield from _options(item, f"{name}.{index}.")
        elif name != _NEVER:
            literal = typing.get_origin(hints[field.name]) is Literal
            choices = tuple(map(str, typing.get_args(hints[field.name]))) if literal else ()
            if field.name == "kind" and isinstance(config, Options):
                choices = owner.registry.names()
            yield Option(name, value, owner, texts.get(field.name, ""), choices)


def _refuse_unknown(names: Sequence[str], options: Mapping[str, Option]) -> None:
    """Exit with 2 for an option that there is not: say how it is called now, who has it, or what is near."""
    for name in (name for name in names if name not in options):
        path, _, field = name.rpartition(".")
        kinds = REGISTRIES[path].names() if path in REGISTRIES else ()
        users = [kind for kind in kinds if field in REGISTRIES[path].entry(kind).options.__dataclass_fields__]
        if name == _NEVER:
            message = f"{_flag(name)} is no option: {TRAINED_CLASSES}"
        elif new := [new for old, new in RENAMED.items() if name == old or name.startswith(f"{old}.")]:
            message = f"{_flag(name)} is called {_flag(new[0])} now"
        elif users:
            chosen = f"{REGISTRIES[path].kind} {options[f'{path}.kind'].value}"
            message = f"{chosen} has no option {_flag(name)}; {', '.join(users)} has it"
        elif near := difflib.get_close_matches(name, options, n=1):
            message = f"there is no option {_flag(name)}; did you mean {_flag(near[0])}?"
        else:
            message = f"there is no option {_flag(name)}; spn train --help lists them"
        print(f"spn train: {message}", file=sys.stderr)
        raise SystemExit(BAD_ARGUMENTS)


def _print_help(options: Sequence[Option], *, whole: bool) -> None:
    """Every option with its default and what it does; short, unless `whole`."""
    width = min(_WIDEST, max(80, shutil.get_terminal_size((_WIDEST, 24)).columns))
    console = Console(width=width, highlight=False, markup=False)
    console.print(_ABOUT)
    shown = [option for option in options if whole or not option.name.startswith(_IN_FULL_HELP)]
    for path, group in itertools.groupby(shown, lambda option: option.name.rpartition(".")[0]):
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        for option in group:
            value = " ".join(map(str, option.value)) if isinstance(option.value, tuple) else option.value
            text = option.text if whole else "" if option.name.endswith("kind") else _first(option.text)
            cut = bool(text) and not whole
            text += f" One of {', '.join(option.choices)}." if option.choices else ""
            cell = Text(" ".join(text.split()), no_wrap=cut, overflow="ellipsis" if cut else "fold")
            table.add_row(f"  {_flag(option.name)} {'…' if value in (None, '') else value}", cell)
        if path:
            about = f" {_first(inspect.getdoc(option.owner))}" if whole else ""
            console.print(f"\n{path}:{about}")
        console.print(table)
    more = f", and {len(options) - len(shown)} more options" if len(shown) < len(options) else ""
    console.print(f"\n  -h, --help    this text\n  --help-all    all texts in full{more}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _first(text: str | None) -> str:
    """The first sentence."""
    first, end, _ = " ".join((text or "").split()).partition(". ")
    return first + end.rstrip()


def _texts(owner: type[Any]) -> dict[str, str]:
    """The strings below the fields of a class, by field; none where its source is not at hand."""
    texts: dict[str, str] = {}
    for base in reversed(owner.__mro__[:-1]):
        with contextlib.suppress(OSError, TypeError):
            texts |= re.findall(r'^    (\w+):.*\n    """(?s:(.*?))"""', inspect.getsource(base), re.MULTILINE)
    return texts
