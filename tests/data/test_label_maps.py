"""Every published table, against figures written down independently of the code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spn.core import label_maps
from spn.core.classes import CITYSCAPES_19, CLASSES, IDD_7, IGNORE, LABEL_SPACES
from spn.core.label_maps import LabelMap
from spn.data.mapping import shipped

LABEL_IDS = (
    "7→0 8→1 11→2 12→3 13→4 17→5 19→6 20→7 21→8 22→9 23→10 24→11 25→12 26→13 27→14 28→15 31→16 32→17 33→18"
)
SYNTHIA = "1→10 2→2 3→0 4→1 5→4 6→8 7→5 8→13 9→7 10→11 11→18 12→17 15→6 16→9 17→12 18→14 19→15 20→16 21→3"
MAPILLARY_A = (
    "13→0 24→0 41→0 2→1 15→1 17→2 6→3 3→4 45→5 47→5 48→6 50→7 30→8 29→9 27→10 19→11 20→12 21→12 22→12 "
    "55→13 61→14 54→15 58→16 57→17 52→18"
)
MAPILLARY_B = (
    "13→0 24→0 7→0 8→0 10→0 14→0 23→0 2→1 15→1 9→1 11→1 17→2 6→3 3→4 45→5 47→5 44→5 48→6 50→7 46→7 49→7 30→8 "
    "29→9 27→10 19→11 20→12 21→12 22→12 55→13 61→14 54→15 58→16 57→17 52→18"
)
IDD = "0→0 2→1 3→9 4→11 5→12 6→17 7→18 9→13 10→14 11→15 14→3 15→4 18→7 19→6 20→5 22→2 24→8 25→10"
ALL_MAPS = [value for value in vars(label_maps).values() if isinstance(value, LabelMap)]


@pytest.mark.parametrize(
    ("label_map", "table"),
    [
        (label_maps.LABEL_IDS, LABEL_IDS),
        (label_maps.SYNTHIA, SYNTHIA),
        (label_maps.WILDDASH, f"{LABEL_IDS} 34→14 35→13 38→0"),
        (label_maps.IDD, IDD),
        (label_maps.URBANSYN, " ".join(f"{i}→{i}" for i in range(19))),
        (label_maps.MAPILLARY_A, MAPILLARY_A),
        (label_maps.MAPILLARY_B, MAPILLARY_B),
    ],
    ids=lambda value: value.name if isinstance(value, LabelMap) else "",
)
def test_published_tables(label_map: LabelMap, table: str) -> None:
    expected = {int(a): int(b) for a, b in (entry.split("→") for entry in table.split())}
    assert dict(label_map.train_ids) == expected


def test_mapillary_2_table() -> None:
    table = label_maps.MAPILLARY_2.table()
    assert np.flatnonzero(table == 0).tolist() == [
        21, *range(35, 45), *range(46, 56), 57, 58, 74,
    ]  # fmt: skip
    assert np.flatnonzero(table == 6).tolist() == list(range(90, 96))
    single = {8: 64, 9: 63, 10: 61, 13: 108, 14: 114, 15: 107, 16: 111, 17: 110, 18: 105, 2: 27, 3: 12, 4: 5}
    for train_id, label in single.items():
        assert np.flatnonzero(table == train_id).tolist() == [label]


def test_maps_a_and_b_differ_where_the_literature_says() -> None:
    a, b = label_maps.MAPILLARY_A.table(), label_maps.MAPILLARY_B.table()
    assert np.flatnonzero(a != b).tolist() == [7, 8, 9, 10, 11, 14, 23, 41, 44, 46, 49]


@pytest.mark.parametrize("label_map", ALL_MAPS, ids=lambda value: value.name)
@given(ids=st.lists(st.integers(0, 255), min_size=1, max_size=40))
def test_tables_agree_with_the_declaration(label_map: LabelMap, ids: list[int]) -> None:
    values = np.array(ids, np.uint8)
    mapped = label_map.table()[values]
    impossible = label_map.invalid()[values].astype(bool)
    for value, target, wrong in zip(ids, mapped.tolist(), impossible.tolist(), strict=True):
        assert target == label_map.train_ids.get(value, 255)
        assert wrong == (value not in label_map.valid)


@pytest.mark.parametrize("label_map", ALL_MAPS, ids=lambda value: value.name)
def test_every_map_reaches_its_classes(label_map: LabelMap) -> None:
    missing = {"level3Ids": {16}}.get(label_map.name, set())  # IDD's train has no id of its own
    space = LABEL_SPACES.get(label_map.name, CITYSCAPES_19)
    assert set(label_map.train_ids.values()) == set(range(len(space))) - missing


def test_idd_lite_agrees_with_the_levels_of_idd() -> None:
    """Level 3 and level 1 of the public label table: each class of ours is in the group of its level 1."""
    (mapping,) = (one for one in shipped() if one.coarse == IDD_7.key)
    groups = mapping.groups(CITYSCAPES_19, IDD_7)
    levels = [0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 6]
    for level3, train_id in label_maps.IDD.train_ids.items():
        assert train_id in groups[levels[level3]]


def test_label_ids_agree_with_the_class_table() -> None:
    expected = np.full(256, IGNORE, np.uint8)
    for info in CLASSES:
        expected[info.label_id] = info.train_id
    np.testing.assert_array_equal(label_maps.LABEL_IDS.table(), expected)


@pytest.mark.parametrize("label_map", ALL_MAPS, ids=lambda value: value.name)
def test_evaluated_ids_are_possible_ones(label_map: LabelMap) -> None:
    assert set(label_map.train_ids) <= label_map.valid <= set(range(256))
