"""Numbers instead of pictures: how much of each photograph a class covers, and how sure it is there."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from spn.core.errors import UserError
from spn.core.files import growing_path
from spn.inference.results import CLASS_TABLE, check_ours

if TYPE_CHECKING:
    from spn.inference.scene import Scene

Write = Callable[[object, "int | None", "Scene"], None]
"""Takes the name of a photograph or video, the number of a frame, and what was seen."""
_COLUMNS: Final = ("photograph", "frame", "seconds", "class", "train_id", "share", "confidence")


@contextlib.contextmanager
def open_table(path: Path | None) -> Iterator[Write]:
    """A table that grows row by row and replaces `path` at the end, also of an interrupted run.

    CSV: a row for each class of each photograph. JSON: a list with an object for each photograph. Without a
    path nothing is written. Raises UserError for another suffix, or a file that is no such table.
    """
    if path is None:
        yield lambda *_: None
        return
    if path.suffix not in (".csv", ".json"):
        raise UserError(f"--table is {path}; wanted a file that ends in .csv or .json")
    if path.name == CLASS_TABLE:
        raise UserError(f"--table is {path}; {CLASS_TABLE} is what the classes of an output folder stand in")
    check_ours(path)
    with (
        growing_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield from _csv(file) if path.suffix == ".csv" else _json(file)


def _csv(file: TextIO) -> Iterator[Write]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)

    def write(name: object, frame: int | None, scene: Scene) -> None:
        for one in scene.table():
            figures = (one.train_id, round(one.share, 6), one.confidence and round(one.confidence, 6))
            writer.writerow([name, frame, scene.seconds, one.name, *figures])

    yield write


def _json(file: TextIO) -> Iterator[Write]:
    between = "[\n"

    def write(name: object, frame: int | None, scene: Scene) -> None:
        nonlocal between
        classes = [one._asdict() for one in scene.table()]
        row = {"photograph": str(name), "frame": frame, "seconds": scene.seconds, "classes": classes}
        file.write(between + json.dumps(row))
        between = ",\n"

    try:
        yield write
    finally:
        if between != "[\n":
            file.write("\n]\n")
