"""Images that stand in the training split and in another one: of equal pixels, nearly equal, or equal files.

What was read is compared by its pixels and by its look (12x12 mean brightnesses). Splits on disk that were
never read are compared by the bytes of their files, of which only those of equal sizes are read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.core.errors import DatasetError
from spn.core.files import digest_of
from spn.data.base import Pair
from spn.data.declaration import ALL
from spn.data.files import read_bytes
from spn.data.manifest import Manifest, PairRecord
from spn.data.registry import DataArgument
from spn.data.traps import Problem

_LOOK: Final = 12
_ALIKE: Final = 4.0
"""Largest difference between two looks of one image, of 255: a JPEG of quality 50, or another size, give 0 to
3; two moments of one drive, a second apart, at least 7."""
_FAINT: Final = 0.15
"""The same as a share of the look's standard deviation: dark images are not equal for being dark."""
_BLOCK: Final = 512


class Sides(NamedTuple):
    """Records of training splits, and those of others; splits that hold every image are on neither side."""

    training: list[PairRecord]
    others: list[PairRecord]

    @classmethod
    def of(cls, split: str, records: Iterable[PairRecord]) -> "Sides":
        sides = cls([], [])
        for record in records:
            if (part := part_of(split, record.key)) not in ("", ALL):
                sides[not is_training(part)].append(record)
        return sides


def part_of(split: str, key: str) -> str:
    """Which part of the split a pair is of; "" if there are several and its key does not say."""
    parts, folder = [part.partition("@")[0] for part in split.split("+")], key.partition("/")[0]
    return parts[0] if len(parts) == 1 else folder if folder in parts else ""


def is_training(split: str) -> bool:
    return split.startswith("train")


def look_of(brightness: NDArray[np.uint8]) -> bytes:
    """The look of an image, from its sketch [48, 48]."""
    cells = brightness.reshape(_LOOK, brightness.shape[0] // _LOOK, _LOOK, -1)
    return np.rint(cells.mean((1, 3))).astype(np.uint8).tobytes()


def find_overlap(mine: Sequence[PairRecord], others: Sequence[PairRecord]) -> Iterator[Problem]:
    """Images of `mine` that are among `others`, the records of the other side."""
    twins = {record.pixels: record.image.path for record in others if record.pixels}
    rest = []
    for record in mine:
        if record.pixels in twins:
            yield Problem("split-overlap", f"{record.image.path} = {twins[record.pixels]}")
        elif record.look:
            rest.append(record)
    others = [record for record in others if record.look]
    if not rest or not others:
        return
    theirs = _looks(others)
    lengths = (theirs**2).sum(1)
    for first in range(0, len(rest), _BLOCK):
        looks = _looks(rest[first : first + _BLOCK])
        nearest = (lengths - 2 * looks @ theirs.T).argmin(1)
        apart = np.abs(looks - theirs[nearest]).max(1)
        for place in np.flatnonzero(apart <= np.minimum(_ALIKE, _FAINT * looks.std(1))).tolist():
            paths = rest[first + place].image.path, others[nearest[place]].image.path
            yield Problem("split-overlap", " = ".join(paths) + " (nearly equal: compressed or resized anew)")


def _looks(records: Sequence[PairRecord]) -> NDArray[np.float32]:
    return np.array([np.frombuffer(record.look, np.uint8) for record in records], np.float32)


def find_equal_files(mine: Iterable[PairRecord], unread: Iterable[Pair]) -> Iterator[Problem]:
    """Images of `mine` whose bytes are those of an image that was not read."""
    known: dict[int, dict[str, str]] = defaultdict(dict)
    for record in mine:
        known[record.image.size][record.image.digest] = record.image.path
    for pair in unread:
        with suppress(OSError, DatasetError):
            same = known.get(pair.image.stat().st_size, {})
            if same and (path := same.get(digest_of(read_bytes(pair.image)))):
                yield Problem("split-overlap", f"{path} = {pair.image}")


def find_overlaps(
    argument: DataArgument, split: str, records: Sequence[PairRecord], manifests: Iterable[Manifest]
) -> Iterator[Problem]:
    """Images on both sides of training: among records, those of manifests, and files of other splits."""
    mine, theirs = Sides.of(split, records), Sides([], [])
    for manifest in manifests:
        for side, more in zip(theirs, Sides.of(manifest.split, manifest.records), strict=True):
            side.extend(more)
    if training := not mine.others:
        side, other = mine.training, theirs.others
    else:
        side, other = mine.others, mine.training + theirs.training
    yield from find_overlap(side, other)
    declaration, root = argument.declared()
    read = {root / record.image.path for record in (*records, *other)}
    for name in declaration.splits:
        if name != ALL and is_training(name) != training:
            with suppress(DatasetError):
                pairs = replace(argument, split=name).find()[0].pairs
                yield from find_equal_files(side, [pair for pair in pairs if pair.image not in read])
