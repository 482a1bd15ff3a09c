"""Files of the right name with other content, noticed by their statistics.

How much is not evaluated, which kinds of things occur, how much of the image classes cover and where they
lie, is compared with what `expectations.py` says.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.core.label_maps import LABEL_MAPS, LabelMap
from spn.data.expectations import Expectation, is_street, reachable, usual
from spn.data.manifest import PairRecord
from spn.data.traps import Problem

_IGNORED: Final = 0.75
"""Under a published id table at most so much is not evaluated: of a dataset up to 16 % was, of a file 65
%."""
_FILES: Final = 3
"""From so many labels on shares and kinds are judged; two may well show odd places."""
_KINDS: Final = 5
"""Ground, construction, vegetation, sky, vehicles: where classes lack one, shares of others say nothing."""
_MANY: Final = 10
"""So many labels show at least three of ground, construction, vegetation, sky and vehicles, even in garages
and forests; fewer labels at least two."""
_MARGINAL: Final = 0.01
"""Where a class covers less of a file, its place tells nothing."""
_ELSEWHERE: Final = 0.2
"""So many of the files that hold a class may have it elsewhere."""


def mean_heights(ids: NDArray[np.uint8]) -> dict[int, float]:
    """Where the middle of each id's pixels lies in `ids` [H, W], 0 at the top, 1 at the bottom.

    Of large labels 32 to 63 rows are looked at.
    """
    rows = np.arange(0, len(ids), max(1, len(ids) // 32))
    counts = np.stack([np.bincount(ids[row], minlength=256) for row in rows])
    middles = ((rows + 0.5) / len(ids)) @ counts / np.maximum(counts.sum(0), 1)
    return {label: round(float(middles[label]), 3) for label in np.flatnonzero(counts.any(0)).tolist()}


class _Counts(NamedTuple):
    """By label and class, 256 of each: pixels, and where their middle lies; the path of each label."""

    pixels: NDArray[np.float64]
    heights: NDArray[np.float64]
    paths: tuple[str, ...]

    @classmethod
    def of(cls, records: Sequence[PairRecord], label_map: LabelMap) -> "_Counts":
        table = label_map.table()
        pixels, moments = np.zeros((2, len(records), 256))
        for row, record in enumerate(records):
            for label, count in record.ids.items():
                pixels[row, table[label]] += count
                moments[row, table[label]] += count * record.heights.get(label, 0.5)
        paths = tuple(record.label.path for record in records)
        return cls(pixels, moments / np.maximum(pixels, 1), paths)

    def shares(self) -> NDArray[np.float64]:
        """Of the evaluated pixels of each label, by class."""
        evaluated = self.pixels[:, :IGNORE]
        return evaluated / np.maximum(evaluated.sum(1, keepdims=True), 1)


def find_implausible(
    records: Sequence[PairRecord], label_map: LabelMap, names: Sequence[str], expectation: Expectation
) -> Iterator[Problem]:
    """What labels without problems of their own hold that their declaration and class names do not expect."""
    records = [record for record in records if record.ids and not record.problems]
    if len(records) < 2:
        return
    counts, street = _Counts.of(records, label_map), is_street(label_map, names, expectation)
    possible = {kind for name in reachable(label_map, names) for kind in usual(name).kinds}
    whole = street and len(records) >= _FILES and len(possible) == _KINDS
    for text in (
        *_ignored(counts, label_map, expectation),
        *_present(counts, names, expectation, possible if whole else set()),
        *_shares(counts, names, expectation, whole),
        *_heights(counts, names, expectation, street),
    ):
        yield Problem("implausible-statistics", f"{text} (ids: {_listed(records)})")


def _listed(records: Sequence[PairRecord]) -> str:
    ids = sorted(set().union(*(record.ids for record in records)))
    return f"{', '.join(map(str, ids[:24]))}{' …' if len(ids) > 24 else ''}"


def _ignored(counts: _Counts, label_map: LabelMap, expectation: Expectation) -> Iterator[str]:
    published = label_map.name in LABEL_MAPS
    most = expectation.ignored if expectation.ignored is not None else _IGNORED if published else 1.0
    shares = counts.pixels[:, IGNORE] / counts.pixels.sum(1)
    share = counts.pixels[:, IGNORE].sum() / counts.pixels.sum()
    if share > most:
        example = f"for example {shares.max():.0%} of {counts.paths[int(shares.argmax())]}"
        yield f"{share:.0%} of the pixels are not evaluated, expected at most {most:.0%}; {example}"


def _present(
    counts: _Counts, names: Sequence[str], expectation: Expectation, possible: set[str]
) -> Iterator[str]:
    there = [names[c] for c in np.flatnonzero(counts.pixels[:, :IGNORE].any(0)).tolist()]
    shown = f"only {', '.join(there) or 'no class'} in {len(counts.paths)} labels"
    if len(there) < expectation.classes:
        yield f"{shown}, expected at least {expectation.classes} classes; for example {counts.paths[0]}"
    least = 3 if len(counts.paths) >= _MANY else 2
    absent = possible - {kind for name in there for kind in usual(name).kinds}
    if possible and len(possible - absent) < least:
        missing = ", ".join(sorted(absent))
        yield f"{shown}, no {missing}, expected {least} of these kinds or more; for example {counts.paths[0]}"


def _shares(counts: _Counts, names: Sequence[str], expectation: Expectation, whole: bool) -> Iterator[str]:
    evaluated, of_files = counts.pixels[:, :IGNORE].sum(0), counts.shares()
    for c, name in enumerate(names):
        low, high = expectation.shares.get(name, (0.0, usual(name).most if whole else 1.0))
        share = evaluated[c] / max(evaluated.sum(), 1)
        if not low <= share <= high:
            most = int(of_files[:, c].argmax())
            example = f"for example {of_files[most, c]:.0%} of {counts.paths[most]}"
            yield f"{name} covers {share:.1%} of what is evaluated, expected {_shown(low, high)}; {example}"


def _heights(counts: _Counts, names: Sequence[str], expectation: Expectation, street: bool) -> Iterator[str]:
    shares = counts.pixels / counts.pixels.sum(1, keepdims=True)
    for c, name in enumerate(names):
        low, high = expectation.heights.get(name, usual(name).heights if street else (0.0, 1.0))
        holding = shares[:, c] > _MARGINAL
        wrong = holding & ((counts.heights[:, c] < low) | (counts.heights[:, c] > high))
        if wrong.sum() > max(1, _ELSEWHERE * holding.sum()):
            place = int(np.flatnonzero(wrong)[0])
            text = f"the middle of {name} lies outside {_shown(low, high)} of the height, from the top, in "
            found = f"for example at {counts.heights[place, c]:.0%} in {counts.paths[place]}"
            yield f"{text}{wrong.sum()} of {holding.sum()} labels; {found}"


def _shown(low: float, high: float) -> str:
    return f"{low:.0%} to {high:.0%}"
