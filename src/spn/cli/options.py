"""Options of nested, typed configurations on a command line: their names, their help, and which were given.

tyro reads the values. Ours is what it lacks here: a short help of the options that the chosen parts have, and
messages that say who has an option that they have not.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import itertools
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from spn.core.registry import Options, Registry

BAD_ARGUMENTS: Final = 2
_WIDEST: Final = 110
_INDENT: Final = 34


@dataclass(frozen=True)
class Option:
    """One option. name: dotted, with underscores. value: the default. owner: the class it is a field of."""

    name: str
    value: Any
    owner: type[Any]
    text: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def list_options(config: Any, *, prefix: str = "") -> Iterator[Option]:
    """Every option of a dataclass instance, in order, those of nested ones by dotted names."""
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from list_options(value, prefix=f"{name}.")
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for index, item in enumerate(value):
                yield from list_options(item, prefix=f"{name}.{index}.")
        else:
            text = _texts(config.__class__).get(field.name, "")
            choices: tuple[str, ...] = ()
            if field.name == "kind" and isinstance(config, Options):
                choices = type(config).registry.names()
            elif typing.get_origin(hints[field.name]) is Literal:
                choices = tuple(map(str, typing.get_args(hints[field.name])))
            yield Option(name, value, type(config), text, choices)


def given_options(arguments: Sequence[str], options: Sequence[Option]) -> list[str]:
    """The dotted names of the options that stand in `arguments`; `--a.no-b` counts as `a.b`."""
    known = {option.name for option in options}
    names = []
    for argument in arguments:
        if argument.startswith("--"):
            name = _dotted(argument)
            head, _, last = name.rpartition(".")
            positive = f"{head}.{last.removeprefix('no_')}" if head else last.removeprefix("no_")
            names.append(name if name in known or positive not in known else positive)
    return names


def chosen_kinds(arguments: Sequence[str], registries: Mapping[str, Registry]) -> dict[str, str]:
    """The parts that `--FIELD.kind NAME` chooses, by field. Raises UserError for a part that there is not."""
    kinds = {}
    for path, registry in registries.items():
        if (kind := argument_value(arguments, f"{path}.kind")) is not None:
            kinds[path] = registry.entry(kind).name
    return kinds


def argument_value(arguments: Sequence[str], name: str) -> str | None:
    """What stands after `--NAME` or `--NAME=` (the last one), None where it does not occur."""
    found = None
    for place, argument in enumerate(arguments):
        if argument.startswith("--") and _dotted(argument) == name:
            following = arguments[place + 1] if place + 1 < len(arguments) else None
            found = argument.partition("=")[2] if "=" in argument else following
    return found


def refuse_unknown(
    command: str,
    names: Sequence[str],
    options: Sequence[Option],
    *,
    registries: Mapping[str, Registry],
    renamed: Mapping[str, str],
) -> None:
    """Exit with 2 for an option that there is not: say how it is called now, who has it, or what is near."""
    known = {option.name for option in options}
    for name in names:
        if name in known:
            continue
        flag = "--" + name.replace("_", "-")
        old = next((old for old in renamed if name == old or name.startswith(f"{old}.")), None)
        if old is not None:
            new = renamed[old]
            _bad(command, f"{flag} is called --{new.replace('_', '-')} now")
        path, _, field = name.rpartition(".")
        if path in registries:
            mine = next(option.value for option in options if option.name == f"{path}.kind")
            users = [kind for kind in registries[path].names() if field in _fields(registries[path], kind)]
            if users:
                _bad(
                    command, f"{registries[path].kind} {mine} has no option {flag}; {', '.join(users)} has it"
                )
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean --{near[0].replace('_', '-')}?" if near else f"{command} --help lists them"
        _bad(command, f"there is no option {flag}; {hint}")


def print_help(
    command: str, about: str, options: Sequence[Option], *, hidden: Sequence[str] = (), whole: bool = False
) -> None:
    """Every option with its default and what it does; short, unless `whole`.

    hidden: beginnings of names that the short help leaves out.
    """
    width = min(_WIDEST, max(80, shutil.get_terminal_size((_WIDEST, 24)).columns))
    print(f"usage: {command} [options]\n\n{about}\n")
    group, left_out = "", 0
    for option in options:
        if not whole and option.name.startswith(tuple(hidden)):
            left_out += 1
            continue
        path = option.name.rpartition(".")[0]
        if path != group:
            print(
                f"\n{path.replace('_', '-')}:"
                if not whole
                else f"\n{path}: {_first(inspect.getdoc(option.owner))}"
            )
            group = path
        head = f"  {option.flag} {_shown(option.value)}".rstrip()
        choices = f" One of {', '.join(option.choices)}." if option.choices else ""
        if whole:
            lines = textwrap.wrap(" ".join(option.text.split()) + choices, width - _INDENT)
        elif option.name.endswith("kind"):
            lines = textwrap.wrap(choices.strip(), width - _INDENT)
        else:
            lines = [textwrap.shorten(_first(option.text) + choices, width - _INDENT, placeholder=" …")]
        if len(head) < _INDENT - 1:
            head, lines = f"{head:<{_INDENT}}{(lines or [''])[0]}", lines[1:]
        print(head.rstrip())
        for line in filter(None, lines):
            print(" " * _INDENT + line)
    print("\n  -h, --help                      this text")
    if left_out:
        print(f"  --help-all                      all texts in full, and {left_out} more options")


def _dotted(argument: str) -> str:
    return argument[2:].partition("=")[0].replace("-", "_")


def _fields(registry: Registry, kind: str) -> set[str]:
    return {field.name for field in dataclasses.fields(registry.entry(kind).options)}


def _bad(command: str, message: str) -> NoReturn:
    print(f"{command}: {message}", file=sys.stderr)
    raise SystemExit(BAD_ARGUMENTS)


def _first(text: str | None) -> str:
    """The first sentence."""
    text = " ".join((text or "").split())
    end = text.find(". ")
    return text[: end + 1] if end >= 0 else text


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "…"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value) if value != "" else "…"


@functools.cache
def _texts(owner: type[Any]) -> dict[str, str]:
    """The strings below the fields of a class, by field; none where its source is not at hand."""
    texts: dict[str, str] = {}
    for base in reversed(owner.__mro__[:-1]):
        try:
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for before, after in itertools.pairwise(body):
            if (
                isinstance(before, ast.AnnAssign)
                and isinstance(before.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                texts[before.target.id] = str(after.value.value)
    return texts
