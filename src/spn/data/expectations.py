"""What labels are expected to look like in numbers: what a declaration says, and what is usual in streets.

By class names: how much of the evaluated pixels a class may cover, and where in the image its middle may
lie. The bounds are wide, for nights, motorways, forests and garages; 567 real and simulated labels of fifteen
datasets are far within. Classes that neither the declaration nor the table below names are not judged.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from spn.core.label_maps import LabelMap
from spn.core.ranges import Count, Share

Range = tuple[Share, Share]


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a declaration says about its labels: the table `[expect]`.

    scene: "any" for what is no street, seen upright: nothing is expected by class names. ignored: share of
    the pixels that may be not evaluated. classes: so many occur at least. shares: of the evaluated pixels,
    by class, from and to. heights: where the middle of its pixels lies, from 0 at the top to 1 at the
    bottom.
    """

    scene: Literal["street", "any"] = "street"
    ignored: Share | None = None
    classes: Count = 1
    shares: dict[str, Range] = {}
    heights: dict[str, Range] = {}

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Names in it that are no classes."""
        return sorted((self.shares.keys() | self.heights.keys()) - set(names))


class _Usual(NamedTuple):
    """Kinds of things that a class is of, the most that it covers, and where its middle lies."""

    kinds: tuple[str, ...]
    most: float
    heights: Range = (0.0, 1.0)


_ROAD: Final = _Usual(("ground",), 0.9, (0.4, 1.0))
_GROUND: Final = _Usual(("ground",), 0.8, (0.35, 1.0))
_TREES: Final = _Usual(("vegetation",), 0.95, (0.0, 0.75))
_SIGN: Final = _Usual((), 0.15)
_USUAL: Final[Mapping[str, _Usual]] = {
    "road": _ROAD,
    "drivable": _ROAD,
    "sidewalk": _GROUND,
    "pavement": _GROUND,
    "terrain": _GROUND,
    "non-drivable": _GROUND,
    "building": _Usual(("construction",), 0.95, (0.0, 0.75)),
    "wall": _Usual(("construction",), 0.9),
    "fence": _Usual(("construction",), 0.5),
    "far objects": _Usual(("construction", "vegetation"), 0.95, (0.0, 0.75)),
    "roadside objects": _Usual(("construction",), 0.6),
    "pole": _Usual((), 0.15),
    "traffic light": _Usual((), 0.1, (0.0, 0.75)),
    "traffic sign": _SIGN,
    "sign": _SIGN,
    "vegetation": _TREES,
    "tree": _TREES,
    "sky": _Usual(("sky",), 0.85, (0.0, 0.6)),
    "person": _Usual((), 0.35),
    "pedestrian": _Usual((), 0.35),
    "living things": _Usual((), 0.4),
    "rider": _Usual((), 0.2),
    "bicyclist": _Usual((), 0.3),
    "car": _Usual(("vehicle",), 0.7, (0.25, 1.0)),
    "truck": _Usual(("vehicle",), 0.5),
    "bus": _Usual(("vehicle",), 0.5),
    "train": _Usual(("vehicle",), 0.5),
    "vehicles": _Usual(("vehicle",), 0.7, (0.25, 1.0)),
    "motorcycle": _Usual((), 0.25),
    "bicycle": _Usual((), 0.3),
}
"""The classes of Cityscapes, CamVid and IDD-Lite. In 567 labels the middle of the sky lies at 0.02 to 0.43 of
the height, that of the road at 0.61 to 0.93."""


def is_street(label_map: LabelMap, names: Sequence[str], expectation: Expectation) -> bool:
    """Whether labels may hold sky and ground, and show them as streets do."""
    kinds = {kind for name in reachable(label_map, names) for kind in usual(name).kinds}
    return expectation.scene == "street" and {"sky", "ground"} <= kinds


def reachable(label_map: LabelMap, names: Sequence[str]) -> list[str]:
    return [names[c] for c in sorted(set(label_map.train_ids.values()))]


def usual(name: str) -> _Usual:
    return _USUAL.get(name, _Usual((), 1.0))
