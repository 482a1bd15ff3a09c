"""Pairs of image and label, and the splits a user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from spn.core.errors import DatasetError
from spn.data.declaration import DatasetDeclaration

ALL: Final = "all"


@dataclass(frozen=True)
class Pair:
    """One image with its label file; `key` is unique and stable within the dataset."""

    key: str
    image: Path
    label: Path


class SplitRequest(NamedTuple):
    """One part of a split argument: `val`, or `val@beta_0.02` for one setting (weather, time of day)."""

    name: str
    variant: str | None

    def __str__(self) -> str:
        return self.name if self.variant is None else f"{self.name}@{self.variant}"

    def takes(self, variant: str | None) -> bool:
        """Whether an image of this variant is wanted: every word of the request stands in it, in a row."""
        return self.variant is None or (variant is not None and f"_{self.variant}_" in f"_{variant}_")


def parse_split(declaration: DatasetDeclaration, text: str) -> tuple[SplitRequest, ...]:
    """Read `train+val@beta_0.02`. Raises DatasetError for unknown, repeated or empty parts."""
    requests = []
    for part in text.split("+"):
        word, mark, variant = part.strip().partition("@")
        name = declaration.aliases.get(word, word)
        if name != ALL and name not in declaration.splits:
            known = ", ".join([*declaration.splits, *declaration.aliases, ALL])
            raise DatasetError(
                f"{declaration.key} has no split {word!r} (in {text!r}); wanted one of {known}, "
                "or several joined by +"
            )
        if mark and not variant:
            raise DatasetError(f"nothing after @ in split {part!r}; wanted for example val@beta_0.02")
        requests.append(SplitRequest(name, variant if mark else None))
    if len(set(requests)) != len(requests):
        raise DatasetError(f"split {text!r} names a part twice")
    return tuple(requests)
