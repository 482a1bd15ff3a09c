"""Parts by name: declared, found by their file, registered from outside."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from spn.core.errors import UserError
from spn.core.plugins import VARIABLE, load_plugins
from spn.core.registry import Options, Registry


@dataclass(frozen=True)
class PlainOptions(Options):
    kind: Literal["plain"] = "plain"


@dataclass(frozen=True)
class OtherOptions(Options):
    kind: Literal["other"] = "other"


@pytest.fixture
def registry() -> Registry:
    registry = Registry("shape", room="spn.models.decoders")
    registry.declare(PlainOptions, at="pathlib:PurePath", title="Plain")
    return registry


def test_a_declared_part_is_imported_when_it_is_used(registry: Registry) -> None:
    entry = registry.entry("plain")
    assert (entry.title, entry.options) == ("Plain", PlainOptions)
    assert entry.load().__name__ == "PurePath"
    assert registry.entry_of(PlainOptions()) is entry


def test_a_decorator_adds_a_part_and_gives_it_back(registry: Registry) -> None:
    @registry.register("other", options=OtherOptions)
    class Other:
        pass

    assert registry.names() == ("plain", "other")
    assert registry.entry("other").load() is Other
    assert registry.entry("other").title == "other"


def test_two_parts_of_one_name_are_refused_but_not_one_part_twice(registry: Registry) -> None:
    def define() -> type:
        @registry.register("other", options=OtherOptions)
        class Other:
            pass

        return Other

    define()
    assert define() is registry.entry("other").load()
    with pytest.raises(UserError, match="already"):
        registry.register("plain", options=PlainOptions)(Path)


def test_options_of_another_kind_are_refused(registry: Registry) -> None:
    with pytest.raises(UserError, match="have kind 'other'"):
        registry.register("mine", options=OtherOptions)(Path)
    with pytest.raises(UserError, match="needs a class of options"):
        registry.register("mine")(Path)


def test_an_unknown_part_is_named_with_what_is_near(registry: Registry) -> None:
    with pytest.raises(UserError, match=r"no shape 'plane'; did you mean 'plain'\?"):
        registry.entry("plane")


def test_a_file_in_the_room_registers_by_either_decorator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "room_of_a_test"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "one.py").write_text('@SHAPES.register(\n    "one", options=One\n)\nclass A: ...\n')
    (room / "two.py").write_text('@spn.register_method("two", title="Two")\nclass B: ...\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert Registry("shape", room="room_of_a_test").names() == ("one", "two")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    file = tmp_path / "plugin_of_a_test.py"
    file.write_text("import builtins\nbuiltins.plugin_seen = True\n")
    yield file
    sys.modules.pop(file.stem, None)


def test_a_plugin_is_imported_once_and_named_to_processes_that_follow(
    plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    load_plugins([str(plugin)])
    load_plugins([str(plugin)])
    assert sys.modules[plugin.stem].builtins.plugin_seen
    assert os.environ[VARIABLE] == str(plugin)


@pytest.mark.parametrize(("text", "says"), [("1 / 0", "ZeroDivisionError"), ("(", "SyntaxError")])
def test_a_plugin_that_fails_is_one_sentence(plugin: Path, text: str, says: str) -> None:
    plugin.write_text(text)
    with pytest.raises(UserError, match=says):
        load_plugins([str(plugin)])
    assert plugin.stem not in sys.modules


def test_a_plugin_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match=r"nowhere\.py"):
        load_plugins(["nowhere.py"])
