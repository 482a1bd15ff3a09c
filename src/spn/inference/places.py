"""What a user names, as photographs and videos with the places of their results."""

from __future__ import annotations

import codecs
import itertools
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from spn.core.errors import UserError
from spn.inference.photographs import photographs_in, refuse_address, suffixes
from spn.inference.results import FILM, result_path

_VIDEO: Final = "mp4 m4v mov avi mkv webm mpg mpeg ts mts m2ts wmv flv 3gp ogv y4m h264 hevc mjpeg"
VIDEO_SUFFIXES: Final = frozenset(f".{name}" for name in _VIDEO.split())
LIST_SUFFIXES: Final = frozenset((".txt", ".lst", ".list"))
_STANDARD_INPUT: Final = "-"


class Photograph(NamedTuple):
    """A file, and the start of its results' names."""

    source: Path
    target: Path

    @property
    def name(self) -> str:
        return str(self.source)


class Clip(NamedTuple):
    """A video file, a camera's number, or frames, one photograph each."""

    source: Path | int | Iterable[Path]
    target: Path
    name: str
    file: Path | None
    """By which its results are known again; none where it is seen once only."""

    @property
    def film(self) -> Path:
        """The video of its overlays."""
        return result_path(self.target, "overlay", FILM)


@dataclass
class Places:
    """Finds what the places named hold.

    Of photographs whose results would have the same name (a.jpg and a.png), the second keeps its suffix in it
    (a.png_label.png), and further ones (of other folders) get a number.

    Attributes:
        out: the folder of the results.
        recursive: whether folders are searched with their subfolders.
        frame_rate: if given, each folder and list is one video of so many frames a second.
        passed: files in folders that were passed over, no photographs by their names; hidden files and
            results of earlier runs are not among them.
    """

    out: Path
    recursive: bool = False
    frame_rate: float | None = None
    passed: list[Path] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    def find(self, places: Sequence[Path]) -> tuple[list[Photograph | Clip], Iterator[Photograph | Clip]]:
        """What there is, in order: of files, folders and lists at once, of standard input (-) as it arrives.

        Raises:
            UserError: no place was named, one is not there or an address, or there is no photograph in one.
        """
        if not places:
            raise UserError(
                "no photograph was named; name files or folders, for example: spn predict photos/"
            )
        named = [one for place in places if str(place) != _STANDARD_INPUT for one in self._at(place)]
        return named, self._arriving() if _STANDARD_INPUT in map(str, places) else iter(())

    def _arriving(self) -> Iterator[Photograph | Clip]:
        piped = sys.stdin is not None and not sys.stdin.isatty()
        lines = _paths(iter(sys.stdin.buffer.readline, b"") if piped else [])
        first = next(lines, None)
        if first is None:
            raise UserError(
                "no such file came on standard input; pipe paths, one a line: ls *.jpg | spn predict -"
            )
        paths = itertools.chain([first], lines)
        if self.frame_rate:
            yield Clip(paths, self.out / _now("stdin"), "standard input", None)
            return
        for path in paths:
            yield from self._at(path, listed=True)

    def _at(self, place: Path, *, listed: bool = False) -> list[Photograph | Clip]:
        """What is at one place; listed: one of many, of which any may be missing."""
        if place.is_dir():
            photos = [(path, path.relative_to(place)) for path in self._photographs_in(place)]
        elif not place.exists():
            return [self._photograph(place, Path(place.name)) if listed else self._camera(place)]
        elif not place.is_file():  # nothing may ever come out of it
            raise UserError(f"{place}: a pipe or device; wanted a file, or - for paths on standard input")
        elif place.suffix.lower() in VIDEO_SUFFIXES:
            return [Clip(place, self._free(Path(place.name), clip=True), place.name, place)]
        elif place.suffix.lower() in LIST_SUFFIXES and not listed:
            data = place.read_bytes()
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as Windows' shell writes it
                data = os.fsencode(data.decode("utf-16", "replace"))
            if b"\0" in data:
                raise UserError(f"{place}: not a list of paths, which is text with a path in each line")
            paths = [_beside(path, place) for path in _paths(data.split(b"\n"))]
            if not paths:
                raise UserError(f"{place}: this list is empty; wanted a path in each line")
            if not self.frame_rate:
                return [one for path in paths for one in self._at(path, listed=True)]
            photos = [(path, Path(path.name)) for path in paths]
        elif self.frame_rate:
            raise UserError(
                f"{place} is one photograph; --frame-rate makes a video of a folder, a list or standard input"
            )
        else:
            photos = [(place, Path(place.name))]
        if self.frame_rate:
            name = place.resolve().name or "frames"
            return [Clip([path for path, _ in photos], self._free(Path(name), clip=True), name, place)]
        return [self._photograph(*photo) for photo in photos]

    def _photographs_in(self, folder: Path) -> list[Path]:
        photos, others = photographs_in(folder, recursive=self.recursive)
        if not photos:
            hint = "" if self.recursive else " (--recursive searches subfolders)"
            videos = [path for path in others if path.suffix.lower() in VIDEO_SUFFIXES]
            hint += f"; name videos themselves, as {videos[0]}" if videos else ""
            raise UserError(
                f"{folder}: no photographs in this folder{hint}; wanted {', '.join(sorted(suffixes()))}"
            )
        self.passed += others
        return photos

    def _photograph(self, path: Path, name: Path) -> Photograph:
        return Photograph(path, self._free(name))

    def _camera(self, place: Path) -> Clip:
        refuse_address(place)
        text = str(place)
        if not re.fullmatch(r"\d{1,3}", text):
            raise UserError(f"{place}: no such file or folder")
        name = f"camera{text}"
        return Clip(int(text), self.out / _now(name), name, None)

    def _free(self, name: Path, *, clip: bool = False) -> Path:
        """Where results of this name go, unlike all before as a file system that ignores case sees it."""
        numbered = (self.out / f"{name}_{number}" for number in itertools.count(2))
        targets = itertools.chain([self.out / name.with_suffix(""), self.out / name], numbered)
        end = "/" if clip else ""  # results of videos have other names
        target = next(one for one in targets if f"{one}{end}".casefold() not in self._taken)
        self._taken.add(f"{target}{end}".casefold())
        return target


def _paths(lines: Iterable[bytes]) -> Iterator[Path]:
    """One path a line, of any bytes."""
    for line in lines:
        if b"\0" in line:
            raise UserError("a path on standard input holds a null character; wanted one path a line")
        if name := line.removeprefix(codecs.BOM_UTF8).strip(b"\r\n"):
            yield Path(os.fsdecode(name))


def _beside(path: Path, place: Path) -> Path:
    """A path in a list: seen from the working folder or, where there is none, from the list."""
    return path if path.exists() or not (place.parent / path).exists() else place.parent / path


def _now(name: str) -> str:
    return f"{name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
