"""Whether labels fit their images: edges lie on edges, unless one was mirrored or is another pair's.

A sketch is a pair at 48x48. Where brightness changes between neighbouring cells, and where classes do, is
correlated (the fit): with the label as it is, turned and mirrored in the seven other ways, and with the
labels of other pairs. The bounds come from 326 real pairs of seven datasets and from simulated streets. There
labels fit with 0.1 to 0.2 on average (0.04 to 0.12 where the upper half was hidden in fog or at night), those
of others with 0, or 0.1 within one drive, and turned ones with 0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.data.traps import Problem

GRID: Final = 48
"""Cells in each direction. At 32, the labels of like streets fit alike; 64 tells no more."""
SAMPLED: Final = 48
"""Pairs of a split that are compared with one another: all of a small one, of others runs of neighbours."""
_RUN: Final = 8
_MANY: Final = 6
"""From so many pairs on, also what is said by their mean rank, or by neighbours, counts."""
_EDGES: Final = 30
"""Nor do labels with fewer edges between evaluated classes (of 4,418 places)."""
_BETTER: Final = 0.06
"""So much better another label must fit: at most 4 % of sound files have one (15 % in dense fog), 70 to 100 %
of swapped ones."""
_TURNED: Final = 0.03
"""The same for a turned label: at most 3 % of sound files, 90 to 100 % of mirrored ones."""
_CLEAR: Final = 0.05
"""What fits less on average fits by chance; of two pairs, what fits less than 0.08."""
_RANK: Final = 0.7
"""Mean share of the other labels that fit worse than a pair's own: at least 0.97 in sound streets, 0.78 in
dense fog, 0.35 to 0.6 in swapped ones. Judged where classes have visible borders."""
_MOVED: Final = 0.65
"""So many neighbours' labels must fit better: 0.1 do in sound drives, 0.85 where files moved by one."""
_ALIKE: Final = 0.5
"""Where labels correlate more with each other (a fixed camera), swapping cannot be seen."""


class Sketch(msgspec.Struct, frozen=True):
    """A pair at 48x48, row by row: the image's mean brightness, and the class in the middle of each cell."""

    image: bytes
    label: bytes


def sketch_image(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean brightness [48, 48] of an image [H, W, 3] of any shape."""
    small = cv2.resize(rgb, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def sketch_label(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The classes [48, 48] in the middles of cells of a label [H, W]."""
    rows, columns = ((np.arange(GRID) + 0.5) * size / GRID for size in label.shape)
    return label[np.ix_(rows.astype(int), columns.astype(int))]


def _quarters(count: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda square: np.rot90(square, count)


_PLACEMENTS: Final[Mapping[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "mirrored": np.fliplr,
    "upside down and mirrored (half a turn)": _quarters(2),
    "upside down": np.flipud,
    "a quarter to the left": _quarters(1),
    "a quarter to the right": _quarters(3),
    "transposed": np.transpose,
    "transposed and half a turn": lambda square: np.rot90(square, 2).T,
}
"""The seven other ways in which a square can lie."""


class _Fits(NamedTuple):
    """Correlations [images, labels], and those of each image with its own label."""

    all: NDArray[np.float32]
    own: NDArray[np.float32]

    @classmethod
    def of(cls, images: NDArray[np.float32], labels: NDArray[np.float32]) -> "_Fits":
        fits = images @ labels.T
        return cls(fits, np.diag(fits).copy())

    def rank(self) -> float:
        """Mean share of the other labels that fit worse than the own; equal ones count half."""
        own = self.own[:, None]
        worse = (self.all < own) + 0.5 * (self.all == own)
        return float((worse.sum(1) - 0.5).mean() / (len(worse) - 1))

    def moved(self, step: int) -> bool:
        """Whether labels fit the image `step` files on better than their own: files of a drive are alike."""
        near, own = np.diag(self.all, step), self.own[max(0, -step) : len(self.own) - max(0, step)]
        return bool((near > own).mean() > _MOVED and near.mean() > _CLEAR)

    def others(self) -> NDArray[np.float32]:
        """The fits with all but the own label; that one counts as -1."""
        return np.where(np.eye(len(self.own), dtype=bool), np.float32(-1), self.all)


def find_misfits(sketches: Mapping[str, Sketch], *, visible: bool) -> Iterator[Problem]:
    """What is wrong with most of the sketches, by the paths of their images.

    visible: whether classes are known to have visible borders, so that labels which fit no better than those
    of others are wrong, though the right ones are not among the sketches.
    """
    chosen: dict[bytes, tuple[str, Sketch]] = {}
    for path, sketch in sketches.items():  # variants of an image share their label
        if np.count_nonzero(_class_borders(_square(sketch.label))) >= _EDGES:
            chosen.setdefault(sketch.label, (path, sketch))
    count = len(chosen)
    if count < 2:
        return
    paths, pairs = zip(*chosen.values(), strict=True)
    squares = [_square(pair.label) for pair in pairs]
    images = _unit([_image_edges(_square(pair.image)) for pair in pairs])
    labels = _unit([_label_edges(square) for square in squares])
    fits = _Fits.of(images, labels)
    turned = {
        name: _Fits.of(images, _unit([_label_edges(place(square)) for square in squares]))
        for name, place in _PLACEMENTS.items()
    }
    way, best = max(turned.items(), key=lambda entry: float(entry[1].own.mean()))
    better = int((best.own > fits.own + _TURNED).sum())
    if 2 * better > count and best.own.mean() > max(_CLEAR, 0.16 / count) and best.rank() > _RANK:
        example = paths[int((best.own - fits.own).argmax())]
        text = f"{better} of {count} labels fit their images if they are laid {way}, and not as they are"
        yield Problem("mirrored", f"{text}; for example that of {example}")
        return
    alike = float((labels @ labels.T).sum() - count) / (count * (count - 1))
    if alike > _ALIKE:
        return
    others = fits.others()
    gain = others.max(1) - fits.own
    swapped = int(((gain > _BETTER) & (others.max(1) > 2 * _CLEAR)).sum())
    if 2 * swapped >= count:
        text = f"{swapped} of {count} images fit the label of another image better than their own"
    elif count >= _MANY and any(fits.moved(step) for step in (1, -1)):
        text = f"most of {count} images fit the label of the file before or after better than their own"
    elif visible and count >= _MANY and fits.rank() < _RANK:
        text = f"{count} labels fit their images no better than those of other images do"
    else:
        return
    worst = int(gain.argmax())
    example = f"{paths[worst]} fits the label of {paths[int(others[worst].argmax())]} best"
    yield Problem("swapped", f"{text}; for example {example}")


def sampled_places(count: int) -> set[int]:
    """Which of so many pairs are sketched: all, or evenly spaced runs of neighbours."""
    if count <= SAMPLED:
        return set(range(count))
    starts = np.linspace(0, count - _RUN, SAMPLED // _RUN).astype(int).tolist()
    return {start + step for start in starts for step in range(_RUN)}


def _square(cells: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(cells, np.uint8).reshape(GRID, GRID)


def _image_edges(brightness: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Change to the next cell in x and in y, [2, 47, 47], as the logarithm, relative to what is usual nearby.

    So what lies in fog or darkness counts as much as what is bright.
    """
    cells = brightness.astype(np.float32)
    edges = np.log1p(np.abs([np.diff(cells, axis=1)[:-1], np.diff(cells, axis=0)[:, :-1]]))
    above = edges - _nearby(edges)
    return above / np.sqrt(_nearby(above**2) + 0.05)


def _class_borders(classes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """1 where the next cell in x or in y is of another class, both evaluated, [2, 47, 47]."""
    here = classes[:-1, :-1]
    after = np.stack([classes[:-1, 1:], classes[1:, :-1]])
    return ((here != after) & (here != IGNORE) & (after != IGNORE)).astype(np.float32)


def _label_edges(classes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Borders of classes, relative to how many are nearby."""
    borders = _class_borders(classes)
    return borders - _nearby(borders)


def _nearby(edges: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([cv2.blur(direction, (15, 15)) for direction in edges])


def _unit(edges: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """As rows whose products are correlations; without the mean of each direction."""
    stack = np.stack(edges)
    rows = (stack - stack.mean((2, 3), keepdims=True)).reshape(len(stack), -1)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
