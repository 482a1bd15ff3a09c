"""A new dataset is one file of at most twenty lines, among the built-in ones or beside the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.miniature import write_ids, write_image
from spn.core.classes import LABEL_SPACES
from spn.core.errors import DatasetError
from spn.core.label_maps import LABEL_MAPS
from spn.data import registry
from spn.data.declaration import read_declaration
from spn.data.registry import BUILT_IN, KEYS, DataArgument, built_in, parse_data_argument
from spn.data.survey import survey_dataset

CONDITIONS = ("fog", "night", "rain", "snow")
IDS = [0, 1, 2, 10, 13, 255]

ACDC_TOML = r"""
name = "like_acdc"
title = "ACDC"
group = "Weather and night"
images = "rgb_anon/*/{split}/*/*_rgb_anon.png"
labels = "gt/*/{split}/*/*_gt_labelTrainIds.png"
image_key = '(?P<variant>[^/]+)/(.+)_rgb_anon\.png'
label_key = '(?P<variant>[^/]+)/(.+)_gt_labelTrainIds\.png'
map = "trainIds"
splits = { train = "train", val = "val" }
"""


def acdc(root: Path) -> Path:
    """Two drives a condition and split, with what lies beside them: reference images, colours, other ids."""
    for number, condition in enumerate(CONDITIONS):
        for split in ("train", "val"):
            for drive in ("GOPR0475", "GP010476"):
                frame = f"{condition}/{split}/{drive}/{drive}_frame_{len(split)}0004{number}"
                write_image(root / f"rgb_anon/{frame}_rgb_anon.png")
                write_ids(root / f"gt/{frame}_gt_labelTrainIds.png", IDS)
                write_ids(root / f"gt/{frame}_gt_labelIds.png", [7, 8, 11])
                write_image(root / f"gt/{frame}_gt_labelColor.png")
                write_image(
                    root / f"rgb_anon/{condition}/{split}_ref/{drive}/{drive}_frame_1_rgb_ref_anon.png"
                )
    return root


@pytest.fixture(params=["built-in", "beside"])
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What opens the miniature in `tmp_path`: a built-in declaration, or one beside the data."""
    acdc(tmp_path)
    if request.param == "beside":
        assert len(ACDC_TOML.strip().splitlines()) <= 20
        (tmp_path / "spn_dataset.toml").write_text(ACDC_TOML)
        return f"custom={tmp_path}"
    (tmp_path / "like_acdc.toml").write_text(ACDC_TOML)
    everything = {**built_in(), "like_acdc": read_declaration(tmp_path / "like_acdc.toml")}
    monkeypatch.setattr(registry, "built_in", lambda: everything)
    monkeypatch.setattr(registry, "KEYS", (*KEYS, "like_acdc"))
    return f"like_acdc={tmp_path}"


def test_a_dataset_like_acdc(name: str) -> None:
    dataset = parse_data_argument(name).open()
    assert (dataset.key, dataset.title, dataset.group) == ("like_acdc", "ACDC", "Weather and night")
    assert (dataset.split, dataset.map_name, len(dataset)) == ("val", "trainIds", 8)
    assert len({pair.key for pair in dataset.pairs}) == 8
    for pair in dataset.pairs:
        assert pair.image.name.removesuffix("_rgb_anon.png") == pair.label.name.removesuffix(
            "_gt_labelTrainIds.png"
        )
        assert pair.image.parts[-4:-1] == pair.label.parts[-4:-1]
    assert dataset[0].label[0, :6].tolist() == IDS
    assert len(parse_data_argument(f"{name}:train+val").open()) == 16


def test_a_condition_is_chosen_as_a_variant(name: str) -> None:
    fog = parse_data_argument(f"{name}:val@fog").open()
    assert fog.split == "val@fog"
    assert {pair.image.parts[-4] for pair in fog.pairs} == {"fog"}
    assert len(parse_data_argument(f"{name}:val@fog+val@night").open()) == 4
    with pytest.raises(DatasetError, match=r"no image of split val@sleet .*found fog, night, rain, snow"):
        parse_data_argument(f"{name}:val@sleet").open()


def test_it_is_checked_as_the_others_are(name: str, tmp_path: Path) -> None:
    argument = parse_data_argument(name)
    assert survey_dataset(argument).ok
    assert argument.open().split_hash
    next(tmp_path.glob("gt/rain/val/*/*_gt_labelTrainIds.png")).unlink()
    assert [finding.trap for finding in survey_dataset(argument).findings] == ["orphan"]


def test_a_file_among_the_declarations_is_a_dataset() -> None:
    """The name of the file is the key, so that a new file joins by being there."""
    for key, declaration in built_in().items():
        assert declaration.key == key
        assert declaration.title
        assert declaration.group
        assert declaration.splits
        assert all(declaration.splits.values())
    assert tuple(built_in()) == BUILT_IN


@pytest.mark.parametrize("key", BUILT_IN)
def test_a_declaration_is_short_and_documented(key: str) -> None:
    text = Path(registry.__file__).with_name("declarations").joinpath(f"{key}.toml").read_text("utf-8")
    assert len(text.splitlines()) <= 25
    documented = Path(__file__).parents[2].joinpath("docs/datasets.md").read_text("utf-8")
    sources, layouts, maps = (
        documented.partition(heading)[2].partition("\n## ")[0]
        for heading in ("## Where to get them", "## Layouts", "## Label maps")
    )
    assert all(f"`{key}`" in section for section in (sources, layouts, maps))


def describe(root: Path, text: str) -> str:
    (root / "spn_dataset.toml").write_text(text)
    return f"custom={root}"


def test_labels_stored_as_colours(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb/a.png", height=2, width=3)
    (tmp_path / "gt").mkdir()
    colours = np.array([[[128, 64, 128], [70, 130, 180], [0, 0, 0]]] * 2, np.uint8)
    table = 'images = "rgb/*.png"\nlabels = "gt/*.png"\n[classes]\n"#804080" = "road"\n"#4682b4" = "sky"\n'
    name = describe(tmp_path, table + '"#000000" = "ignore"\n')
    for picture in (Image.fromarray(colours), Image.fromarray(colours).quantize(3)):
        picture.save(tmp_path / "gt/a.png")
        assert parse_data_argument(name).open()[0].label[0].tolist() == [0, 10, 255]
    with pytest.raises(DatasetError, match=r"colour \(0, 0, 0\) at x=2, y=0"):
        parse_data_argument(describe(tmp_path, table)).open()


def test_ids_in_one_channel(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb/a.png")
    write_image(tmp_path / "gt/a.png")
    stored = np.asarray(Image.open(tmp_path / "gt/a.png"))
    name = describe(
        tmp_path,
        'images = "rgb/*.png"\nlabels = "gt/*.png"\nchannel = "green"\nunlisted = "ignore"\n'
        "[classes]\n" + "".join(f'{number} = "car"\n' for number in range(128)),
    )
    label = parse_data_argument(name).open()[0].label
    np.testing.assert_array_equal(label, np.where(stored[..., 1] < 128, 13, 255))


@pytest.mark.parametrize("map_name", LABEL_MAPS)
def test_published_maps_by_name(map_name: str, tmp_path: Path) -> None:
    label_map = LABEL_MAPS[map_name]
    write_image(tmp_path / "rgb/a.png")
    write_ids(tmp_path / "gt/a.png", sorted(label_map.valid))
    space = map_name if map_name in LABEL_SPACES else "cityscapes19"
    text = f'images = "rgb/*"\nlabels = "gt/*"\nlabel_space = "{space}"\nmap = "{map_name}"\n'
    assert parse_data_argument(describe(tmp_path, text)).open().label_map is label_map


def test_what_the_engine_does_for_every_dataset_it_does_for_a_described_one(tmp_path: Path) -> None:
    """Exclusions, hidden folders, text lists and doubled stars: once only built-in datasets had them."""
    for frame in ("a", "b", "deep/c"):
        write_image(tmp_path / f"rgb/{frame}.png")
        write_ids(tmp_path / f"gt/{frame}.png", [0])
    write_image(tmp_path / "rgb/.ipynb_checkpoints/a-checkpoint.png")
    name = describe(tmp_path, 'images = "rgb/**/*.png"\nlabels = "gt/**/*.png"\n[classes]\n0 = "road"\n')
    assert [pair.key for pair in parse_data_argument(name).open().pairs] == ["a", "b", "deep/c"]
    (tmp_path / "spn_exclusions.txt").write_text("a # mirrored\n")
    dataset = parse_data_argument(name).open()
    assert ([pair.key for pair in dataset.pairs], dataset.exclusions) == (
        ["b", "deep/c"],
        ("a.png: mirrored",),
    )
    (tmp_path / "spn_exclusions.txt").write_text("deep/c.png # in this folder\n")
    assert [pair.key for pair in parse_data_argument(name).open().pairs] == ["a", "b"]
    (tmp_path / "spn_exclusions.txt").write_text("a # mirrored\n")
    (tmp_path / "val.txt").write_text("b\n")
    assert [pair.key for pair in DataArgument("custom", tmp_path, "val").open().pairs] == ["b"]
    describe(tmp_path, 'images = "rgb/**.png"\nlabels = "gt/**.png"\n[classes]\n0 = "road"\n')
    assert [pair.key for pair in DataArgument("custom", tmp_path, "all").open().pairs] == ["b"]


@pytest.mark.parametrize(
    "entry", ["berlin_0.5s", "berlin_0.5s.png", "rain/berlin_0.5s", "rain/berlin_0.5s.PNG"]
)
def test_names_with_dots_can_be_left_out_or_listed(tmp_path: Path, entry: str) -> None:
    for frame in ("rain/berlin_0.5s", "rain/berlin_0.7s", "berlin_0"):
        write_image(tmp_path / f"rgb/{frame}.png")
        write_ids(tmp_path / f"gt/{frame}.png", [0])
    name = describe(tmp_path, 'images = "rgb/**/*.png"\nlabels = "gt/**/*.png"\n[classes]\n0 = "road"\n')
    (tmp_path / "spn_exclusions.txt").write_text(f"{entry} # blurred\n")
    assert [pair.key for pair in parse_data_argument(name).open().pairs] == ["berlin_0", "rain/berlin_0.7s"]
    (tmp_path / "spn_exclusions.txt").unlink()
    (tmp_path / "val.txt").write_text(f"{entry}\n")
    dataset = DataArgument("custom", tmp_path, "val").open()
    assert [pair.key for pair in dataset.pairs] == ["rain/berlin_0.5s"]


def test_a_misnamed_image_can_be_left_out(tmp_path: Path) -> None:
    for frame in ("1", "2", "thumbnail"):
        write_image(tmp_path / f"rgb/{frame}.png")
    for frame in ("1", "2"):
        write_ids(tmp_path / f"gt/{frame}.png", [0])
    toml = 'images = "rgb/*"\nlabels = "gt/*"\nimage_key = "([0-9]+)[.]png"\n[classes]\n0 = "road"\n'
    name = describe(tmp_path, toml)
    with pytest.raises(DatasetError, match="1 x misnamed"):
        parse_data_argument(name).open()
    (tmp_path / "spn_exclusions.txt").write_text("thumbnail # no frame\n")
    assert len(parse_data_argument(name).open()) == 2


def test_two_labels_of_one_key_are_found(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb/a.png")
    for suffix in ("png", "jpg"):
        write_ids(tmp_path / f"gt/a.{suffix}", [0])
    name = describe(tmp_path, 'images = "rgb/*"\nlabels = "gt/*"\n[classes]\n0 = "road"\n')
    with pytest.raises(DatasetError, match="1 x unused-label"):
        parse_data_argument(name).open()
