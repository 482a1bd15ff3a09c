"""Options of nested, typed configurations on a command line: their names, their help, and which were given.

tyro reads the values. Ours is what it lacks here: a short help of the options that the chosen parts have, and
messages that say who has an option that they have not.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import difflib
import functools
import inspect
import itertools
import re
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import tyro

from spn.cli.main import BAD_ARGUMENTS
from spn.core.process import keep_freed_memory
from spn.core.registry import Options, Registry
from spn.inference.devices import DeviceName, Precision
from spn.inference.tta import TestTimeAugmentation

if TYPE_CHECKING:
    from spn.inference.model import Model

_WIDEST: Final = 110
_INDENT: Final = 34


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What commands that run a model have in common."""

    tta: tyro.conf.OmitArgPrefixes[TestTimeAugmentation] = dataclasses.field(
        default_factory=TestTimeAugmentation
    )
    seed: int = 0
    """Of the random draws."""
    device: DeviceName = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    precision: Precision = "32"
    """Arithmetic of the network, part of an evaluation's protocol: float32, or half precision (16: GPU only).
    bf16 is faster on processors with avx512_bf16 or amx_bf16, and slower on others; some pixels along edges
    get another label."""
    quiet: bool = False
    """No progress display."""

    def load(self, checkpoint: Path | None) -> Model:
        """The model that is to run, by default the one that comes with the package."""
        from spn.inference import weights  # loads torch: not for --help

        keep_freed_memory()
        return weights.load(
            checkpoint, device=self.device, tta=self.tta, precision=self.precision, seed=self.seed
        )


class Option(NamedTuple):
    """One option. name: dotted, with underscores. value: the default. owner: the class it is a field of."""

    name: str
    value: Any
    owner: type[Any]
    text: str
    choices: tuple[str, ...]


def list_options(config: Any, *, prefix: str = "") -> Iterator[Option]:
    """Every option of a dataclass instance, in order, those of nested ones by dotted names."""
    owner = type(config)
    hints = typing.get_type_hints(owner, include_extras=True)
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from list_options(value, prefix=f"{name}.")
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for index, item in enumerate(value):
                yield from list_options(item, prefix=f"{name}.{index}.")
        else:
            literal = typing.get_origin(hints[field.name]) is Literal
            choices = tuple(map(str, typing.get_args(hints[field.name]))) if literal else ()
            if field.name == "kind" and isinstance(config, Options):
                choices = owner.registry.names()
            yield Option(name, value, owner, _texts(config.__class__).get(field.name, ""), choices)


def given_options(arguments: Sequence[str], options: Sequence[Option]) -> list[str]:
    """The dotted names of the options that stand in `arguments`; `--a.no-b` counts as `a.b`."""
    negated = {re.sub(r"([^.]+)$", r"no_\1", option.name): option.name for option in options}
    names = (_dotted(argument) for argument in arguments if argument.startswith("--"))
    return [negated.get(name, name) for name in names]


def argument_value(arguments: Sequence[str], name: str) -> str | None:
    """What stands after `--NAME` or `--NAME=` (the last one), None where it does not occur."""
    words = [w for a in arguments for w in (a.split("=", 1) if a.startswith("--") else [a])]
    found = [value for word, value in itertools.pairwise(words) if word[:2] == "--" and _dotted(word) == name]
    return found[-1] if found else None


def refuse_unknown(
    command: str,
    names: Sequence[str],
    options: Sequence[Option],
    *,
    registries: Mapping[str, Registry],
    renamed: Mapping[str, str],
) -> None:
    """Exit with 2 for an option that there is not: say how it is called now, who has it, or what is near."""
    values = {option.name: option.value for option in options}
    for name in (name for name in names if name not in values):
        path, _, field = name.rpartition(".")
        registry = registries.get(path)
        kinds = registry.names() if registry else ()
        users = [kind for kind in kinds if field in registries[path].entry(kind).options.__dataclass_fields__]
        near = difflib.get_close_matches(name, values, n=1)
        if new := [new for old, new in renamed.items() if name == old or name.startswith(f"{old}.")]:
            message = f"{_flag(name)} is called {_flag(new[0])} now"
        elif registry and users:
            message = (
                f"{registry.kind} {values[f'{path}.kind']} has no option {_flag(name)}; "
                f"{', '.join(users)} has it"
            )
        else:
            hint = f"did you mean {_flag(near[0])}?" if near else f"{command} --help lists them"
            message = f"there is no option {_flag(name)}; {hint}"
        print(f"{command}: {message}", file=sys.stderr)
        raise SystemExit(BAD_ARGUMENTS)


def print_help(
    command: str, about: str, options: Sequence[Option], *, hidden: Sequence[str], whole: bool
) -> None:
    """Every option with its default and what it does; short, unless `whole`.

    hidden: beginnings of names that the short help leaves out.
    """
    width = min(_WIDEST, max(80, shutil.get_terminal_size((_WIDEST, 24)).columns)) - _INDENT
    shown = [option for option in options if whole or not option.name.startswith(tuple(hidden))]
    print(f"usage: {command} [options]\n\n{about}\n")
    group = ""
    for option in shown:
        path = option.name.rpartition(".")[0]
        if path != group:
            about = f": {_first(inspect.getdoc(option.owner))}" if whole else ":"
            print(f"\n{path if whole else path.replace('_', '-')}{about}")
            group = path
        choices = f" One of {', '.join(option.choices)}." if option.choices else ""
        if whole:
            lines = textwrap.wrap(" ".join(option.text.split()) + choices, width)
        elif option.name.endswith("kind"):
            lines = textwrap.wrap(choices.strip(), width)
        else:
            lines = [textwrap.shorten(_first(option.text) + choices, width, placeholder=" …")]
        value = " ".join(map(str, option.value)) if isinstance(option.value, tuple) else option.value
        head = f"  {_flag(option.name)} {'…' if value in (None, '') else value}"
        if len(head) < _INDENT - 1:
            head, lines = f"{head:<{_INDENT}}{(lines or [''])[0]}", lines[1:]
        print(head.rstrip())
        for line in filter(None, lines):
            print(" " * _INDENT + line)
    print("\n  -h, --help                      this text")
    if len(shown) < len(options):
        more = len(options) - len(shown)
        print(f"  --help-all                      all texts in full, and {more} more options")


def _dotted(argument: str) -> str:
    return argument[2:].partition("=")[0].replace("-", "_")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _first(text: str | None) -> str:
    """The first sentence."""
    first, end, _ = " ".join((text or "").split()).partition(". ")
    return first + end.rstrip()


@functools.cache
def _texts(owner: type[Any]) -> dict[str, str]:
    """The strings below the fields of a class, by field; none where its source is not at hand."""
    texts: dict[str, str] = {}
    for base in reversed(owner.__mro__[:-1]):
        with contextlib.suppress(OSError, TypeError, SyntaxError):
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            for pair in itertools.pairwise(getattr(definition, "body", ())):
                match pair:
                    case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text))):
                        texts[name] = str(text)
    return texts
