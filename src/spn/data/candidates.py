"""One way of reading a root folder: files that a layout's places hold, and what identifies their labels."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from spn.core.errors import DatasetError
from spn.data.declaration import Layout, Naming
from spn.data.files import IMAGE_SUFFIXES

_GLOB_MARKS: Final = {"**/": "(?:[^/]+/)*", "**": "[^/]*", "*": "[^/]*", "?": "[^/]"}


class Place:
    """Where files lie: the fixed folder of a glob, and the files below it that fit the rest."""

    def __init__(self, root: Path, glob: str) -> None:
        parts = glob.split("/")
        fixed = next((number for number, part in enumerate(parts) if set(part) & set("*?")), len(parts))
        self.glob = glob
        self.folder = root.joinpath(*parts[:fixed])
        rest = "/".join(parts[fixed:]) or "**/*"
        words = re.split(r"(\*\*/|\*\*|\*|\?)", rest)
        self._rule = re.compile("".join(_GLOB_MARKS.get(word, re.escape(word)) for word in words))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths of PNG and JPEG files relative to the folder, sorted; hidden files are passed over."""
        names = []
        for place, folders, files in os.walk(self.folder, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inner = os.path.relpath(place, self.folder).replace(os.sep, "/")
            prefix = "" if inner == "." else f"{inner}/"
            names += [
                prefix + name
                for name in files
                if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
            ]
        return tuple(name for name in sorted(names) if self._rule.fullmatch(name))


@dataclass(frozen=True)
class Candidate:
    """A layout whose folders exist, with its images, and its labels by what identifies them."""

    layout: Layout
    naming: Naming
    images: Place
    labels: Place

    @cached_property
    def matched(self) -> Mapping[str, re.Match[str]]:
        rule = re.compile(self.layout.image_name)
        return {name: match for name in self.images.files if (match := rule.fullmatch(name))}

    @cached_property
    def wanted(self) -> Mapping[str, str]:
        """What identifies the label of each image."""
        return {name: self.naming.wanted(match) for name, match in self.matched.items()}

    @cached_property
    def identified(self) -> Mapping[str, str]:
        """Labels by what identifies them. Raises DatasetError where two are the same."""
        found: dict[str, str] = {}
        for name in self.labels.files:
            key = self.naming.identify(name)
            if key is not None and found.setdefault(key, name) != name:
                raise DatasetError(f"{self.labels.folder}: {found[key]} and {name} have the same key {key!r}")
        return found

    @property
    def hits(self) -> int:
        return sum(label in self.identified for label in self.wanted.values())

    def __str__(self) -> str:
        return (
            f"{self.layout.name}: {self.images.folder} with {self.labels.folder} (map "
            f"{self.naming.map.name}, {self.hits} pairs)"
        )
