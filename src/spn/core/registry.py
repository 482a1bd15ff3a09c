"""The parts of one kind (encoders, prompts, decoders, methods) by name, each with its own options.

A part joins in one of three ways: declared in its room's `options.py` (no torch is loaded to read its
options), by the decorator `register` in any file of the room, or by the same decorator from anywhere:

    @METHODS.register("mine", options=MineOptions, title="Mine")
    class Mine(Baseline): ...
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from spn.core.errors import UserError

Part = TypeVar("Part")
_REGISTERED: Final = re.compile(r'^@[\w.]*\bregister(?:_\w+)?\(\s*"(\w+)"', re.MULTILINE)
"""METHODS.register and spn.register_method alike."""


class Options:
    """Base of the options of one kind of part: frozen dataclasses with a field `kind`, their name."""

    registry: ClassVar[Registry]
    kind: Any

    def grown(self, larger: Any) -> Any:
        """These options with what `larger`, of the same class, has more of and a trained part can get."""
        return self


@dataclass(frozen=True)
class Entry:
    """One part. title: its name in tables. options: their class. target: the part, or "module:name"."""

    name: str
    title: str
    options: type[Any]
    target: Any

    def load(self) -> Any:
        """The part itself: a class or a builder."""
        return pkgutil.resolve_name(self.target) if isinstance(self.target, str) else self.target


class Registry:
    """Parts by name. kind: what they are, in messages. room: the package whose files may hold more."""

    def __init__(self, kind: str, *, room: str) -> None:
        self.kind = kind
        self.room = room
        self._entries: dict[str, Entry] = {}

    def declare(self, options: type[Any], *, at: str, title: str | None = None) -> None:
        """Add a part that is imported only when it is used. at: "module:name"."""
        self._add(options.kind, options, at, title)

    def register(
        self, name: str, *, options: type[Any] | None = None, title: str | None = None
    ) -> Callable[[Part], Part]:
        """A decorator that adds a part. options: a frozen dataclass; without it, there is nothing to set.

        Raises UserError if another part has this name.
        """

        def add(part: Part) -> Part:
            self._add(name, options or self.plain_options(name, part.__doc__), part, title)
            return part

        return add

    def plain_options(self, name: str, about: str | None) -> type[Any]:
        """Options of a part that has none of its own. about: its docstring."""
        raise UserError(f"the {self.kind} {name!r} needs a class of options: register({name!r}, options=...)")

    def names(self) -> tuple[str, ...]:
        """All parts, whether they were imported yet or not."""
        return (*self._entries, *(name for name in self._in_files if name not in self._entries))

    def entry(self, name: str) -> Entry:
        """The part called `name`. Raises UserError, with the names there are, if there is none."""
        if name not in self._entries and (module := self._in_files.get(name)) is not None:
            importlib.import_module(module)
        if name not in self._entries:
            near = difflib.get_close_matches(name, self.names(), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UserError(
                f"there is no {self.kind} {name!r}; {hint}there are {', '.join(sorted(self.names()))} "
                "(one of your own: spn --plugin FILE.py COMMAND …)"
            )
        return self._entries[name]

    def entry_of(self, options: Options) -> Entry:
        """The part whose options these are."""
        return self.entry(str(options.kind))

    @functools.cached_property
    def _in_files(self) -> Mapping[str, str]:
        """The module of each part that a file of the room registers, as its text says; none is imported."""
        return {
            name: f"{self.room}.{path.stem}"
            for folder in importlib.import_module(self.room).__path__
            for path in sorted(Path(folder).glob("*.py"))
            for name in _REGISTERED.findall(path.read_text(encoding="utf-8"))
        }

    def _add(self, name: str, options: type[Any], target: Any, title: str | None) -> None:
        known = self._entries.get(name)
        if known is not None and _place(known.target) != _place(target):
            raise UserError(f"there is a {self.kind} {name!r} already; choose another name for yours")
        if (kind := getattr(options, "kind", None)) != name:
            raise UserError(
                f"the options of the {self.kind} {name!r} have kind {kind!r}; "
                f'wanted a field  kind: Literal["{name}"] = "{name}"'
            )
        self._entries[name] = Entry(name, title or name, options, target)


def _place(target: Any) -> str:
    """Where a part is defined; a notebook cell or a reloaded module defines the same part anew."""
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
