"""Each trap of the wild, laid on purpose: the survey names it, lists the files, and reads on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from data.miniature import write_ids, write_image, write_pair
from spn.core.label_maps import LABEL_IDS, TRAIN_IDS
from spn.data.discovery import EXCLUSIONS
from spn.data.registry import DataArgument, parse_data_argument
from spn.data.survey import Survey, count_ids, survey_dataset
from spn.data.traps import TRAPS

LABELS = [7, 8, 11, 23, 26, 0]
TRAIN = [0, 1, 2, 10, 13, 255]
FIRST = [13, 15, 17, 27, 55, 41, 8, 65]
SECOND = [21, 24, 27, 61, 108, 123]
FRAME = "ulm/ulm_000000_000019"


def gtav(root: Path, *names: str) -> DataArgument:
    for name in names:
        write_pair(root / f"images/valid/{name}.png", root / f"labels/valid/{name}.png", LABELS)
    return DataArgument("gtav", root)


def bdd(root: Path, *names: str, ids: list[int] = TRAIN) -> DataArgument:
    for name in names:
        write_pair(root / f"images/val/{name}.jpg", root / f"labels/val/{name}.png", ids)
    return DataArgument("bdd100k", root)


def synthia(root: Path, *names: str) -> DataArgument:
    for name in names:
        write_image(root / f"RGB/{name}.png")
        write_channels(root / f"GT/LABELS/{name}.png", red=np.resize([3, 4, 10], (12, 16)))
    return DataArgument("synthia", root)


def write_channels(path: Path, *, red: NDArray[np.int64], blue: NDArray[np.int64] | None = None) -> None:
    """A 16-bit RGB PNG; OpenCV takes blue first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = np.zeros_like(red)
    channels = np.dstack([rest if blue is None else blue, rest, red]).astype(np.uint16)
    assert cv2.imwrite(str(path), channels)


def found(argument: DataArgument) -> dict[str, str]:
    """Trap → its items, one a line."""
    survey = survey_dataset(argument)
    assert not survey.ok
    return {finding.trap: "\n".join(finding.items) for finding in survey.findings}


def test_a_sound_dataset_has_no_finding(tmp_path: Path) -> None:
    survey = survey_dataset(gtav(tmp_path, "1", "2"))
    assert survey.ok
    assert survey.findings == ()
    assert (survey.read, survey.kept) == (2, 0)


def test_colour_maps(tmp_path: Path) -> None:
    argument = bdd(tmp_path, "a", "b", "c")
    write_image(tmp_path / "labels/val/b.png")
    problems = found(argument)
    assert list(problems) == ["colour-map"]
    assert "labels/val/b.png" in problems["colour-map"]


def test_colours_outside_the_palette_of_gtav(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2")
    write_image(tmp_path / "labels/valid/2.png")
    assert "not in the table of its colours" in found(argument)["colour-map"]


def test_train_ids_where_label_ids_belong(tmp_path: Path) -> None:
    argument = gtav(tmp_path, *map(str, range(9)))
    write_ids(tmp_path / "labels/valid/2.png", TRAIN)  # with 255: impossible
    write_ids(tmp_path / "labels/valid/6.png", [0, 1, 2, 8, 10, 13])  # without: possible, not plausible
    text = found(argument)["trainIds-as-labelIds"]
    assert "2.png" in text
    assert "6.png" in text
    assert len(text.splitlines()) == 2


def test_train_ids_everywhere_without_void(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2")
    for name, ids in (("1", [0, 2, 10]), ("2", [0, 8])):
        write_ids(tmp_path / f"labels/valid/{name}.png", ids)
    assert "all 2 labels" in found(argument)["trainIds-as-labelIds"]


def test_label_ids_where_train_ids_belong(tmp_path: Path) -> None:
    assert "look like labelIds" in found(bdd(tmp_path, "a", ids=LABELS))["labelIds-as-trainIds"]


@pytest.mark.parametrize("case", ["8 bit", "grey 16 bit", "rescaled", "instance in red", "swapped"])
def test_synthia_read_wrong(case: str, tmp_path: Path) -> None:
    argument = synthia(tmp_path, "a", "b")
    path = tmp_path / "GT/LABELS/b.png"
    classes = np.resize([3, 4, 10], (12, 16))
    if case == "8 bit":
        write_ids(path, classes)
    elif case == "grey 16 bit":
        assert cv2.imwrite(str(path), classes.astype(np.uint16))
    elif case == "rescaled":
        write_channels(path, red=classes * 257)
    elif case == "instance in red":
        write_channels(path, red=np.arange(192).reshape(12, 16), blue=classes)
    else:
        write_channels(path, red=np.zeros_like(classes), blue=classes)
    problems = found(argument)
    assert list(problems) == ["synthia-16-bit"]
    assert "b.png" in problems["synthia-16-bit"]


def test_synthia_colour_folder(tmp_path: Path) -> None:
    argument = synthia(tmp_path, "a")
    write_image(tmp_path / "GT/LABELS/a.png")
    assert "not GT/COLOR" in found(argument)["colour-map"]


def test_mapillary_releases(tmp_path: Path) -> None:
    for root, ids in ((tmp_path / "one", FIRST), (tmp_path / "two", SECOND)):
        write_pair(root / "validation/images/x.jpg", root / "validation/labels/x.png", ids, palette=True)
    one, two = tmp_path / "one", tmp_path / "two"
    assert "look like v2.0" in found(DataArgument("mapillary", two))["mapillary-release"]
    assert "as in v1.2" in found(DataArgument("mapillary", one, None, "v2.0"))["mapillary-release"]
    assert survey_dataset(DataArgument("mapillary", one)).ok
    assert survey_dataset(DataArgument("mapillary", two, None, "v2.0")).ok


def test_mapillary_configuration_of_another_release(tmp_path: Path) -> None:
    write_pair(tmp_path / "validation/images/x.jpg", tmp_path / "validation/labels/x.png", FIRST)
    (tmp_path / "config.json").write_text('{"labels": [{"name": "void"}]}')
    survey = survey_dataset(DataArgument("mapillary", tmp_path))
    assert [finding.trap for finding in survey.findings] == ["mapillary-release"]
    assert survey.read == 1


def test_the_detection_package_of_bdd(tmp_path: Path) -> None:
    write_image(tmp_path / "images/100k/val/x.jpg")
    (tmp_path / "labels/det_20").mkdir(parents=True)
    problems = found(DataArgument("bdd100k", tmp_path))
    assert list(problems) == ["bdd-package"]
    assert "images/100k, labels/det_20 in it: the Detection-20" in problems["bdd-package"]
    assert "missing: seg/images/val and seg/labels/val" in problems["bdd-package"]


def test_detection_images_beside_segmentation_labels_of_bdd(tmp_path: Path) -> None:
    argument = bdd(tmp_path, "a")
    for name in "bcd":
        write_image(tmp_path / f"images/val/{name}.jpg")
    problems = found(argument)
    assert "3 of 4 images have no segmentation label" in problems["bdd-package"]
    assert len(problems["orphan"].splitlines()) == 3


def test_sizes_and_transposition(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2", "3")
    write_ids(tmp_path / "labels/valid/2.png", np.full((16, 12), 7))
    write_ids(tmp_path / "labels/valid/3.png", np.full((10, 16), 7))
    problems = found(argument)
    labels = tmp_path / "labels/valid"
    assert f"2.png is 16x12, its label {labels / '2.png'} is 12x16" in problems["transposed"]
    assert f"3.png is 16x12, its label {labels / '3.png'} is 16x10" in problems["size-mismatch"]


def test_duplicates_are_found_by_their_pixels(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2", "3")
    image = cv2.imread(str(tmp_path / "images/valid/1.png"))
    copy = tmp_path / "images/valid/3.png"
    assert cv2.imwrite(str(copy), image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert copy.read_bytes() != (tmp_path / "images/valid/1.png").read_bytes()
    assert found(argument) == {"duplicate": "images/valid/1.png = images/valid/3.png"}


def test_orphans_do_not_stop_the_reading(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2", "3")
    (tmp_path / "labels/valid/2.png").unlink()
    (tmp_path / "images/valid/3.png").unlink()
    survey = survey_dataset(argument)
    assert survey.read == 1
    assert [finding.trap for finding in survey.findings] == ["orphan", "unused-label"]
    assert "images/valid/2.png" in survey.findings[0].items[0]
    assert "labels/valid/3.png" in survey.findings[1].items[0]


def test_orphans_of_a_custom_dataset(tmp_path: Path) -> None:
    write_pair(tmp_path / "rgb/a.jpg", tmp_path / "gt/a.png", [0])
    write_image(tmp_path / "rgb/b.jpg")
    (tmp_path / "spn_dataset.toml").write_text(
        'images = "rgb/*.jpg"\nlabels = "gt/*.png"\n[classes]\n0 = "road"\n'
    )
    survey = survey_dataset(DataArgument("custom", tmp_path))
    assert [(finding.trap, len(finding.items)) for finding in survey.findings] == [("orphan", 1)]
    assert survey.read == 1


@pytest.mark.parametrize("folder", ["images", "labels"])
def test_files_that_end_early(folder: str, tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2", "3")
    path = tmp_path / folder / "valid/2.png"
    path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / folder / "valid/3.png").write_bytes(b"")
    text = found(argument)["truncated"]
    assert "2.png is truncated" in text
    assert "3.png is empty" in text


def test_damaged_pixels_and_other_files(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2")
    path = tmp_path / "images/valid/1.png"
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    (tmp_path / "labels/valid/2.png").write_text("no image")
    text = found(argument)["damaged"]
    assert "1.png is damaged" in text
    assert "2.png is neither a PNG nor a JPEG" in text


def test_single_colours_until_they_are_left_out(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1", "2")
    assert cv2.imwrite(str(tmp_path / "images/valid/2.png"), np.full((12, 16, 3), 9, np.uint8))
    assert found(argument) == {"single-colour": "images/valid/2.png is (9, 9, 9) everywhere"}
    (tmp_path / EXCLUSIONS).write_text("2 # one colour\n")
    survey = survey_dataset(argument)
    assert survey.ok
    assert survey.manifest is not None
    assert survey.manifest.exclusions == ("2.png: one colour",)


def test_withheld_ground_truth_and_impossible_ids(tmp_path: Path) -> None:
    write_pair(tmp_path / "a/val/x.png", tmp_path / "a/valannot/x.png", [11])
    assert "no evaluated class" in found(DataArgument("camvid", tmp_path / "a"))["no-ground-truth"]
    write_pair(tmp_path / "b/val/x.png", tmp_path / "b/valannot/x.png", [3, 12])
    assert "ids 12 cannot occur" in found(DataArgument("camvid", tmp_path / "b"))["impossible-ids"]


def test_nothing_there_is_a_finding(tmp_path: Path) -> None:
    survey = survey_dataset(parse_data_argument(f"gtav={tmp_path / 'absent'}"))
    assert [finding.trap for finding in survey.findings] == ["layout"]
    assert (survey.ok, survey.manifest, survey.path) == (False, None, None)


@pytest.mark.parametrize("argument", ["gtav={}:vall", "gtav={}:val@fog", "gtav/B={}", "custom={}"])
def test_what_was_asked_for_and_is_not_there_is_said_so(argument: str, tmp_path: Path) -> None:
    gtav(tmp_path, "1")
    survey = survey_dataset(parse_data_argument(argument.format(tmp_path)))
    assert [finding.trap for finding in survey.findings] == ["argument"]


def test_accepted_traps_stay_listed(tmp_path: Path) -> None:
    argument = gtav(tmp_path, "1")
    assert cv2.imwrite(str(tmp_path / "images/valid/1.png"), np.full((12, 16, 3), 9, np.uint8))
    assert not survey_dataset(argument).ok
    survey = survey_dataset(argument, accept=["single-colour"])
    assert survey.ok
    assert [finding.accepted for finding in survey.findings] == [True]
    kept: Survey = survey_dataset(argument)  # without a word on it: as the last time
    assert kept.ok


def test_every_trap_says_what_to_do() -> None:
    assert all(": " in text for text in TRAPS.values())


@given(st.sets(st.integers(0, 255)))
def test_possible_train_ids_are_in_no_trap(ids: set[int]) -> None:
    assert (TRAIN_IDS.confused(ids) is None) == (ids <= TRAIN_IDS.valid)


@given(st.sets(st.integers(0, 34)))
def test_label_ids_with_road_or_sky_are_in_no_trap(ids: set[int]) -> None:
    assert LABEL_IDS.confused(ids | {7}) is None
    assert LABEL_IDS.confused(ids | {23}) is None


def test_ids_are_counted_exactly_beyond_the_precision_of_floats() -> None:
    ids = np.zeros((4200, 4200), np.uint8)
    ids[-1, -1] = 255
    assert count_ids(ids) == {0: 4200 * 4200 - 1, 255: 1}


def test_palette_labels_are_counted(tmp_path: Path) -> None:
    write_pair(
        tmp_path / "validation/images/x.jpg", tmp_path / "validation/labels/x.png", FIRST, palette=True
    )
    assert Image.open(tmp_path / "validation/labels/x.png").mode == "P"
    survey = survey_dataset(DataArgument("mapillary", tmp_path))
    assert survey.manifest is not None
    counts = {entry.name: entry.pixels for entry in survey.manifest.classes if entry.pixels}
    assert counts == {"road": 48, "sidewalk": 24, "building": 24, "sky": 24, "car": 24}
    assert survey.manifest.ignored_pixels == 48
