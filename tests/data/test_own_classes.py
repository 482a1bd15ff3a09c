"""Tables [classes] of any classes, and mappings between label spaces: what they mean, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.miniature import write_pair
from spn.core.classes import CAMVID_11, CITYSCAPES_19, IDD_7, IGNORE, LabelSpace, own_space
from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.data.base import SegmentationDataset
from spn.data.class_table import ClassTable
from spn.data.mapping import ClassMapping, read_mapping, shipped
from spn.data.packing import pack_dataset
from spn.data.registry import DataArgument, parse_data_argument
from spn.data.view import labelled_as, seen_by

HEAD = 'images = "rgb"\nlabels = "gt"\n'


def described(root: Path, text: str, ids: list[int]) -> DataArgument:
    write_pair(root / "rgb/a.png", root / "gt/a.png", ids)
    (root / "spn_dataset.toml").write_text(HEAD + text)
    return parse_data_argument(f"custom={root}:all")


@given(
    names=st.lists(st.sampled_from(["road", "a b", "c", "§", "other", "ignore"]), min_size=1, max_size=40),
    first=st.integers(0, 200),
    rest=st.sampled_from([None, "other", "ignore", "d"]),
)
def test_every_id_means_what_the_table_says(names: list[str], first: int, rest: str | None) -> None:
    """Several ids may be one class; classes are counted in the order in which they are named first."""
    table = {str(first + i): name for i, name in enumerate(names)} | ({"*": rest} if rest else {})
    wanted = [name for name in dict.fromkeys(table.values()) if name != "ignore"]
    read = ClassTable(classes=table, label_space="own")
    if len(wanted) < 2:
        with pytest.raises(DatasetError, match=r"names \d classes .*; wanted 2 to 255 printable names"):
            read.read("mine")
        return
    encoding, space, label_map = read.read("mine")
    assert encoding is None
    assert (space.key, space.names) == ("mine", tuple(wanted))
    lookup, impossible = label_map.table(), label_map.invalid()
    for stored in range(256):
        name = table.get(str(stored), rest)
        assert impossible[stored] == (name is None)
        assert lookup[stored] == (space.names.index(name) if name in space.names else IGNORE)
    for index, label_id in enumerate(space.label_ids):
        assert lookup[label_id] == index  # a predicted label file is read back as what was predicted
    np.testing.assert_array_equal(lookup[space.to_label_ids()[: len(space)]], range(len(space)))


def test_label_colours_are_the_classes_colours_unless_others_are_given() -> None:
    table = {"#0000FF": "water", "#00ff00": "grass", "#000000": "ignore", "#0000EE": "water"}
    encoding, space, _ = ClassTable(classes=table, colours={"grass": "#102030"}).read("mine")
    assert encoding is not None
    assert space.colours == ((0, 0, 255), (16, 32, 48))
    assert space.to_label_ids()[:2].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('[classes]\n0 = "road"\n1 = "car"\n', "cityscapes19"),
        ('label_space = "own"\n[classes]\n0 = "road"\n1 = "car"\n', "mine"),
        ('[classes]\n0 = "road"\n1 = "no road"\n', "mine"),
        ('label_space = "camvid11"\n[classes]\n0 = "tree"\n1 = "sign"\n', "camvid11"),
    ],
)
def test_classes_are_published_ones_where_all_are_or_these_are_named(
    table: str, key: str, tmp_path: Path
) -> None:
    assert described(tmp_path, f'name = "mine"\n{table}', [0, 1]).open().label_space.key == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[classes]\n0 = "a"\n', r"names 1 classes \('a'\); wanted 2 to 255 .* write '\*' = \"other\""),
        ("[classes]\n" + "".join(f'{i} = "c{i}"\n' for i in range(256)), "names 256 classes"),
        ('[classes]\n0 = "a"\n1 = "b\\n"\n', r"\('a', 'b\\n'\); wanted 2 to 255 printable names"),
        ('[classes]\n0 = "a"\n1 = " "\n', "printable"),
        (
            '[classes]\n0 = "a"\n1 = "b"\n2 = "Ignore"\n',
            "'Ignore' and 'ignore' differ in spaces or capitals alone",
        ),
        ('[classes]\n0 = "big car"\n1 = "Bigcar "\n', "'big car' and 'Bigcar ' differ in spaces or capitals"),
        (
            '[classes]\n0 = "a"\n1 = "b"\n[colours]\na = "#102030"\nb = "#102030"\n',
            "two classes have the same colour",
        ),
        ('[classes]\n0 = "a"\n1 = "b"\n[colours]\nc = "#102030"\n', "[colours] class 'c' is unknown"),
        ('[classes]\n0 = "a"\nx = "b"\n', "'x' is not a number in 0..255, nor *"),
        ('[classes]\n"#102030" = "a"\n"*" = "b"\n', "'#102030' is not a number"),
        ('things = ["c"]\n[classes]\n0 = "a"\n1 = "b"\n', "things class 'c' is unknown; wanted one of a, b"),
        ('[classes]\n0 = "a"\n1 = "b"\n[colours]\nb = "red"\n', "'red' is not a colour such as #804080"),
        ('things = ["road"]\n[classes]\n0 = "road"\n', 'for classes of one\'s own: label_space = "own"'),
        ('name = "idd7"\n[classes]\n0 = "a"\n1 = "b"\n', "'idd7' is that of published classes"),
        ('mappings = ["gone.toml"]\n[classes]\n0 = "a"\n1 = "b"\n', "gone.toml cannot be used as a mapping"),
    ],
)
def test_mistakes_in_a_table_of_own_classes(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message.replace("nor *", r"nor \*").replace("[c", r"\[c")):
        described(tmp_path, text, [0, 1]).open()


def test_fingerprints_know_the_names_of_own_classes_and_packs_keep_them(tmp_path: Path) -> None:
    text = 'name = "mine"\nmappings = ["to.toml"]\nthings = ["b"]\n[classes]\n0 = "a"\n1 = "b"\n'
    (tmp_path / "to.toml").write_text('from = "x"\nto = "mine"\n[classes]\na = "y"\nb = "z"\n')
    argument = described(tmp_path, text, [0, 1])
    before = argument.open()
    pack_dataset(before, tmp_path / "pack.sqlite", workers=1)
    packed = parse_data_argument(f"custom={tmp_path / 'pack.sqlite'}").open()
    assert (packed.label_space, packed.mappings) == (before.label_space, before.mappings)
    assert packed.fingerprint() == before.fingerprint()
    other = own_space("b", ["b", "a"])
    views = [labelled_as(dataset, other).dataset for dataset in (packed, before)]
    assert views[0].fingerprint() == views[1].fingerprint() != before.fingerprint()
    np.testing.assert_array_equal(views[0].read_label(0), views[1].read_label(0))
    assert views[0].open_regions(0).region(slice(0, 1), slice(0, 2)).label.tolist() == [[1, 0]]
    described(tmp_path, text.replace('"b"', '"c"'), [0, 1])
    (tmp_path / "spn_dataset.toml").write_text(HEAD + text.replace('"b"', '"c"'))
    assert argument.open().fingerprint() != before.fingerprint()


def test_old_fingerprints_stay() -> None:
    """Of published classes they are made of what they were made of before there were others."""
    assert [space.identity for space in (CITYSCAPES_19, CAMVID_11, IDD_7)] == [
        "cityscapes19",
        "camvid11",
        "idd7",
    ]


def in_memory(space: LabelSpace, *, mappings: tuple[ClassMapping, ...] = ()) -> SegmentationDataset:
    """A dataset without files whose stored ids are its classes."""
    label_map = LabelMap("ids", {i: i for i in range(len(space))}, frozenset(range(256)))
    facts = {"root": Path(), "title": "", "group": "", "split": "val", "layout": "", "encoding": None}
    return SegmentationDataset(
        key=space.key, label_space=space, label_map=label_map, pairs=(), mappings=mappings, **facts
    )  # type: ignore[arg-type]


@given(data=st.data())
def test_a_mapping_is_a_function_of_the_finer_classes(data: st.DataObject) -> None:
    """Both ways of using it agree: groups of probabilities, and translated labels."""
    fine = own_space("fine", [f"f{i}" for i in range(data.draw(st.integers(2, 30)))])
    coarse = own_space("coarse", [f"c{i}" for i in range(data.draw(st.integers(2, 9)))])
    targets = data.draw(
        st.lists(st.sampled_from([*coarse.names, ""]), min_size=len(fine), max_size=len(fine))
    )
    members = {
        of: tuple(name for name, target in zip(fine.names, targets, strict=True) if target == of)
        for of in (*coarse.names, "")
    }
    mapping = ClassMapping("fine", "coarse", tuple(list(members.items())[:-1]), members[""], "x/some.toml")
    grouped = seen_by(in_memory(coarse), fine, [mapping])
    assert grouped.groups is not None
    assert grouped.mapping == mapping.identity != ""
    assert grouped.mapping.startswith("some ")
    for target, group in enumerate(grouped.groups):
        assert [fine.names[index] for index in group] == list(members[coarse.names[target]])
        seen = grouped.dataset.label_map.table()[target]
        assert seen == (target if group else IGNORE)  # what no class of the model can be is not evaluated
    translated = seen_by(in_memory(fine, mappings=(mapping,)), coarse)
    assert (translated.groups, translated.mapping) == (None, mapping.identity)
    assert translated.dataset.label_space == coarse
    for stored, target in enumerate(targets):
        wanted = coarse.names.index(target) if target else IGNORE
        assert translated.dataset.label_map.table()[stored] == wanted


def test_the_same_classes_need_no_mapping_in_whatever_order() -> None:
    space, other = own_space("a", ["x", "y", "z"]), own_space("b", ["z", "x", "y"])
    same = in_memory(space)
    assert seen_by(same, replace(space, key="c")) == (same, None, "")
    view = seen_by(same, other)
    assert view.dataset.label_map.table()[:4].tolist() == [1, 2, 0, 255]


@pytest.mark.parametrize("space", [CAMVID_11, IDD_7], ids=lambda space: space.key)
def test_shipped_mappings_join_the_19_classes_with_all_of_the_others(space: LabelSpace) -> None:
    view = seen_by(in_memory(space), CITYSCAPES_19)
    assert view.groups is not None
    assert sorted(index for group in view.groups for index in group) == list(range(19))
    assert view.mapping == ""
    assert all(view.groups)
    assert seen_by(in_memory(CITYSCAPES_19), space).dataset.label_space == space


def test_ones_own_mapping_goes_before_the_shipped_one() -> None:
    own = next(one for one in shipped() if one.coarse == "camvid11")
    classes = dict(own.classes) | {"tree": ("vegetation",), "road": ("road", "terrain")}
    own = replace(own, classes=tuple(classes.items()), path="own.toml")
    view = seen_by(in_memory(CAMVID_11), CITYSCAPES_19, [own])
    assert view.groups is not None
    assert view.groups[3] == (0, 9)
    assert view.mapping.startswith("own ")


def test_without_a_mapping_it_says_which_are_wanted() -> None:
    message = r"idd7 has the classes idd7 \(drivable, .*\), wanted camvid11 \(sky, .*\), and no mapping joins"
    with pytest.raises(DatasetError, match=message):
        seen_by(in_memory(IDD_7), CAMVID_11)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ('a = "x"\n', "does not fit coarse: it lacks b"),
        ('a = "x"\nb = "y"\nc = []\n', "does not fit coarse: it names c; wanted each of its classes once"),
        ('a = "x"\nb = []\n', r"does not fit fine: it lacks y; .*\(x, y\), finer ones .* ignored = \[...\]"),
        ('a = ["x", "y"]\nb = ["z"]\n', "does not fit fine: it names z"),
        ('a = ["x", "y"]\nb = ["x"]\n', "names x more than once; wanted each finer class in one place"),
        ("a = 3\n", "cannot be used as a mapping of classes"),
        ('a = "x', "cannot be used as a mapping of classes"),
    ],
)
def test_an_incomplete_mapping_is_refused_with_what_it_lacks(
    classes: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'from = "fine"\nto = "coarse"\n[classes]\n{classes}')
    with pytest.raises(DatasetError, match=message) as refused:
        seen_by(
            in_memory(own_space("coarse", ["a", "b"])), own_space("fine", ["x", "y"]), [read_mapping(path)]
        )
    assert str(path) in str(refused.value)


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.toml cannot be used as a mapping of classes"):
        read_mapping(tmp_path / "gone.toml")
