"""Published label ids of the datasets and what they mean as train ids: tables, read and written by others.

The readers map ids to train ids with these; the simulator's export inverts them. Sources: the label tables
of Cityscapes (Cordts et al., CVPR 2016), GTAV (Richter et al., ECCV 2016), SYNTHIA RAND-CITYSCAPES (Ros et
al., CVPR 2016), Mapillary Vistas v1.2 and v2.0 (Neuhold et al., ICCV 2017), IDD (Varma et al., WACV 2019),
WildDash 2 (Zendel et al., CVPR 2022) and UrbanSyn (Gómez et al., 2023). Two maps from Mapillary v1.2 to the
19 classes are in use: A (RobustNet and its descendants) and B (Rein and later).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import CLASSES, IGNORE, NUM_CLASSES


@dataclass(frozen=True)
class Confusion:
    """Another way of counting ids, whose files are mistaken for those of a map.

    trap: its name in `spn.data.traps`. text: what such files look like. ids: those of the other way. telling:
    ids that hardly any set of labels lacks, and the other way does not have. signs: ids that one label holds,
    besides 0 and at least three in all, if it has none of the telling ones because it counts the other way.
    """

    trap: str
    text: str
    ids: frozenset[int]
    telling: frozenset[int] = frozenset()
    signs: frozenset[int] = frozenset()


_IMPOSSIBLE: Final = Confusion("impossible-ids", "find out what wrote this file", frozenset())
_WITHHELD: Final = "no evaluated class; a test split whose ground truth is withheld cannot be used"
_NO_GROUND_TRUTH: Final = Confusion("no-ground-truth", _WITHHELD, frozenset())


@dataclass(frozen=True)
class LabelMap:
    """A named lookup from stored ids to ids of a label space, and the ids that can occur at all.

    `train_ids[id]` is the target of every evaluated id; each other id of `valid` becomes 255; an id outside
    `valid` means that the file is not what it claims to be, perhaps one of `confusions`.
    """

    name: str
    train_ids: Mapping[int, int]
    valid: frozenset[int]
    note: str = field(default="", compare=False)
    confusions: tuple[Confusion, ...] = field(default=(), compare=False)

    def table(self) -> NDArray[np.uint8]:
        """Lookup [256] from stored id to train id, 255 where not evaluated."""
        table = np.full(256, IGNORE, np.uint8)
        table[list(self.train_ids)] = list(self.train_ids.values())
        return table

    def invalid(self) -> NDArray[np.uint8]:
        """Lookup [256]: 1 for ids that cannot occur, else 0."""
        table = np.ones(256, np.uint8)
        table[sorted(self.valid)] = 0
        return table

    def explain(self, ids: Iterable[int]) -> str:
        """What is wrong with ids of which some cannot occur, and what they look like instead."""
        present = set(ids)
        wrong = sorted(present - self.valid)
        shown = ", ".join(map(str, wrong[:8])) + (" …" if len(wrong) > 8 else "")
        confusion = self.confused(present) or _IMPOSSIBLE
        return f"ids {shown} cannot occur under map {self.name!r} ({self.note}); {confusion.text}"

    def confused(self, ids: Iterable[int]) -> Confusion | None:
        """What counts as `ids` of one label do; None where this map does."""
        present = set(ids)
        wrong = present - self.valid
        for other in self.confusions:
            if wrong and wrong <= other.ids and present - {IGNORE} <= other.ids:
                return other
            plausible = not other.signs or present & other.telling or not present <= other.ids
            if not wrong and not plausible and 0 in present and len(present) > 3 and present & other.signs:
                return other
        return _IMPOSSIBLE if wrong else None

    def confused_throughout(self, ids: Iterable[int]) -> Confusion | None:
        """What is wrong with possible `ids` of many labels together: none is evaluated or telling."""
        present = set(ids)
        if present and not present & set(self.train_ids):
            return _NO_GROUND_TRUTH
        return next((o for o in self.confusions if o.telling and present and not present & o.telling), None)


def _grouped(groups: Mapping[int, Iterable[int]]) -> dict[int, int]:
    return {label: train_id for train_id, labels in groups.items() for label in labels}


_LABEL_IDS: Final = frozenset(range(35))
_TRAIN_IDS: Final = frozenset([*range(NUM_CLASSES), IGNORE])
LABEL_IDS: Final = LabelMap(
    "labelIds",
    {info.label_id: info.train_id for info in CLASSES},
    _LABEL_IDS,
    "Cityscapes labelIds 0..33 (34: the licence plate of GTAV's table)",
    (
        Confusion(
            "trainIds-as-labelIds",
            "these look like trainIds where labelIds belong: no road (7) and nothing above 18",
            _TRAIN_IDS,
            telling=frozenset([7, *range(NUM_CLASSES, 35)]),
            signs=frozenset([8, 10, 13]),  # vegetation, sky and cars as trainIds; rare as labelIds
        ),
    ),
)
TRAIN_IDS: Final = LabelMap(
    "trainIds",
    {i: i for i in range(NUM_CLASSES)},
    _TRAIN_IDS,
    "ids 0..18 and 255",
    (Confusion("labelIds-as-trainIds", "these look like labelIds where trainIds belong", _LABEL_IDS),),
)
URBANSYN: Final = LabelMap(
    "urbansyn", TRAIN_IDS.train_ids, _TRAIN_IDS | {19}, "trainIds; 19 is unlabelled", TRAIN_IDS.confusions
)
WILDDASH: Final = LabelMap(  # as its makers map it to Cityscapes: pick-up truck, van car, road marking road
    "wilddash2",
    {**LABEL_IDS.train_ids, 34: 14, 35: 13, 38: 0},
    frozenset(range(39)),
    "Cityscapes labelIds 0..33, pick-up 34, van 35, billboard 36, street light 37, road marking 38",
    LABEL_IDS.confusions,
)
IDD: Final = LabelMap(  # rail track counts as terrain, animal as person: they share an id
    "level3Ids",
    {0: 0, 2: 1, 3: 9, 4: 11, 5: 12, 6: 17, 7: 18, 9: 13, 10: 14, 11: 15, 14: 3, 15: 4, 18: 7, 19: 6, 20: 5,
     22: 2, 24: 8, 25: 10},
    frozenset([*range(26), IGNORE]),
    "IDD level3Ids 0..25 and 255; train shares the id of other large vehicles, which is not evaluated",
)  # fmt: skip
SYNTHIA: Final = LabelMap(
    "synthia",
    {1: 10, 2: 2, 3: 0, 4: 1, 5: 4, 6: 8, 7: 5, 8: 13, 9: 7, 10: 11, 11: 18, 12: 17, 15: 6, 16: 9, 17: 12,
     18: 14, 19: 15, 20: 16, 21: 3},
    frozenset(range(23)),
    "RAND-CITYSCAPES ids 0..22; terrain, truck and train never occur there",
    (Confusion("synthia-16-bit", "the channels may have been swapped or rescaled", frozenset(range(256))),),
)  # fmt: skip
_MAPILLARY_A: Final = {
    0: (13, 24, 41), 1: (2, 15), 2: (17,), 3: (6,), 4: (3,), 5: (45, 47), 6: (48,), 7: (50,), 8: (30,),
    9: (29,), 10: (27,), 11: (19,), 12: (20, 21, 22), 13: (55,), 14: (61,), 15: (54,), 16: (58,),
    17: (57,), 18: (52,),
}  # fmt: skip
_MAPILLARY_B: Final = {
    **_MAPILLARY_A, 0: (13, 24, 7, 8, 10, 14, 23), 1: (2, 15, 9, 11), 5: (45, 47, 44), 7: (50, 46, 49),
}  # fmt: skip
_MAPILLARY_2: Final = {
    0: (21, *range(35, 45), *range(46, 56), 57, 58, 74), 1: (4, 24), 2: (27,), 3: (12,), 4: (5,), 5: (85, 88),
    6: range(90, 96), 7: (99, 100, 103), 8: (64,), 9: (63,), 10: (61,), 11: (30, 31), 12: (32, 33, 34),
    13: (108,), 14: (114,), 15: (107,), 16: (111,), 17: (110,), 18: (105,),
}  # fmt: skip
_FIRST: Final = frozenset(range(66))
_SECOND: Final = frozenset(range(124))
_NOT_FIRST: Final = Confusion(
    "mapillary-release", "these look like v2.0 labels: use the map v2.0 (mapillary/v2.0=PATH)", _SECOND
)
_NOT_SECOND: Final = Confusion(
    "mapillary-release", "no id above 65, as in v1.2; v2.0 has 124 ids", _FIRST, telling=_SECOND - _FIRST
)
MAPILLARY_A: Final = LabelMap("A", _grouped(_MAPILLARY_A), _FIRST, "Mapillary v1.2, map A", (_NOT_FIRST,))
MAPILLARY_B: Final = LabelMap("B", _grouped(_MAPILLARY_B), _FIRST, "Mapillary v1.2, map B", (_NOT_FIRST,))
MAPILLARY_2: Final = LabelMap("v2.0", _grouped(_MAPILLARY_2), _SECOND, "Mapillary v2.0", (_NOT_SECOND,))
CAMVID: Final = LabelMap(
    "camvid11", {i: i for i in range(11)}, frozenset(range(12)), "SegNet release: 0..10 classes, 11 void"
)
IDD_LITE: Final = LabelMap(
    "idd7", {i: i for i in range(7)}, frozenset([*range(7), IGNORE]), "IDD-Lite: level1Ids 0..6 and 255"
)

LABEL_MAPS: Final = {
    label_map.name: label_map
    for label_map in (LABEL_IDS, TRAIN_IDS, SYNTHIA, URBANSYN, MAPILLARY_A, MAPILLARY_B, MAPILLARY_2,
                      WILDDASH, IDD, CAMVID, IDD_LITE)
}  # fmt: skip

OTHER_LABEL_COLOURS: Final[tuple[tuple[int, tuple[int, int, int]], ...]] = (
    (0, (0, 0, 0)), (4, (20, 20, 20)), (5, (111, 74, 0)), (6, (81, 0, 81)), (9, (250, 170, 160)),
    (10, (230, 150, 140)), (14, (180, 165, 180)), (15, (150, 100, 100)), (16, (150, 120, 90)),
    (29, (0, 0, 90)), (30, (0, 0, 110)),
)  # fmt: skip
"""Colours of the labelIds that are not evaluated, as Cityscapes' label table and GTAV's palette have them.

Pole group (18) has the colour of pole, the licence plate that of car: in a colour image they cannot be told
apart and are read as pole and car.
"""
