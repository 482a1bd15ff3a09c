"""Faults that single files do not show, laid into simulated streets: each is named, none in sound ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from spn.cli.main import dispatch
from spn.core.classes import CLASSES
from spn.core.label_maps import LABEL_IDS
from spn.data.expectations import Expectation
from spn.data.plausibility import mean_heights
from spn.data.registry import DataArgument, parse_data_argument
from spn.data.sketches import GRID, SAMPLED, Sketch, find_misfits, sampled_places
from spn.data.survey import survey_dataset
from streets.export import ExportPlan, export_dataset

IMAGES, LABELS = "leftImg8bit/val/*/*.png", "gtFine/val/*/*_labelIds.png"
CATEGORIES = np.zeros(256, np.uint8)  # of Cityscapes' labelIds: flat 1, construction 2, … vehicle 7
for category, (first, last) in enumerate(
    [(7, 10), (11, 16), (17, 20), (21, 22), (23, 23), (24, 25), (26, 33)], 1
):
    CATEGORIES[first : last + 1] = category


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames as Cityscapes stores them: six of val, four of train."""
    root = tmp_path_factory.mktemp("street") / "cityscapes"
    plan = ExportPlan("cityscapes", root, {"val": 6, "train": 4}, width=160, height=120, seed=3)
    export_dataset(plan, workers=1, progress=False)
    for part in ("leftImg8bit", "gtFine"):
        (root / f"{part}_trainvaltest/{part}").rename(root / part)
        (root / f"{part}_trainvaltest").rmdir()
    return root


@pytest.fixture
def copy(street: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(street, tmp_path / "cityscapes"))


def found(root: Path, split: str | None = None) -> dict[str, str]:
    """Trap → its items, one a line."""
    survey = survey_dataset(DataArgument("cityscapes", root, split))
    return {finding.trap: "\n".join(finding.items) for finding in survey.findings}


def change(root: Path, pattern: str, new: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> list[Path]:
    paths = sorted(root.glob(pattern))
    for path in paths:
        Image.fromarray(new(np.array(Image.open(path)))).save(path)
    return paths


def test_sound_streets_have_no_finding(street: Path) -> None:
    for split in ("val", "train", "train+val"):
        assert found(street, split) == {}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_sound_frames_have_no_finding(copy: Path, count: int) -> None:
    for path in sorted(copy.glob(LABELS))[count:]:
        path.unlink()
    for path in sorted(copy.glob(IMAGES))[count:]:
        path.unlink()
    assert found(copy) == {}


@pytest.mark.parametrize("hidden", [5.0, 190.0])
def test_night_and_dense_fog_raise_no_alarm(copy: Path, hidden: float) -> None:
    """Little is left of the upper half but noise."""
    generator = np.random.default_rng(0)

    def hide(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        seen = 0.03 + 0.7 * np.linspace(0, 1, len(rgb))[:, None, None] ** 2
        noise = generator.normal(0, 2, rgb.shape)
        return np.clip(hidden + (rgb - hidden) * seen + noise, 0, 255).astype(np.uint8)

    change(copy, IMAGES, hide)
    assert found(copy) == {}


def test_category_ids_under_the_name_of_label_ids(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = change(copy, LABELS, lambda ids: CATEGORIES[ids])
    text = found(copy)["implausible-statistics"]
    assert "of the pixels are not evaluated, expected at most 75%; for example" in text
    assert "only road in 6 labels, no construction, sky, vegetation, vehicle" in text
    assert "(ids: 0, 1, 2, 3, 4, 5, 6, 7)" in text
    assert any(path.name in text for path in paths)
    assert dispatch(["data", "check", f"cityscapes={copy}", "--quiet"]) == 1
    assert "no problem found" not in capsys.readouterr().out


def test_ids_of_another_table(copy: Path) -> None:
    """Those of IDD: its buildings and trees are terrain and persons here, its sky riders."""
    table = np.zeros(256, np.uint8)
    for info in CLASSES:
        table[info.label_id] = {0: 0, 1: 2, 2: 22, 3: 14, 4: 15, 8: 24, 9: 3, 10: 25}.get(info.train_id, 9)
    change(copy, LABELS, lambda ids: table[ids])
    assert "only terrain, person, rider in 6 labels" in found(copy)["implausible-statistics"]


def test_labels_that_are_upside_down(copy: Path) -> None:
    change(copy, LABELS, np.flipud)
    problems = found(copy)
    assert "the middle of sky lies outside 0% to 60% of the height" in problems["implausible-statistics"]
    assert "laid upside down" in problems["mirrored"]


@pytest.mark.parametrize(
    ("turn", "way"), [(np.fliplr, "mirrored"), (lambda a: np.rot90(a, 2), "half a turn")]
)
def test_images_that_were_turned_without_their_labels(
    copy: Path, turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], way: str
) -> None:
    paths = change(copy, IMAGES, turn)
    text = found(copy)["mirrored"]
    assert "6 of 6 labels fit their images if they are laid" in text
    assert way in text
    assert any(path.name in text for path in paths)


def test_each_part_of_a_split_is_judged_for_itself(copy: Path) -> None:
    """Four of ten images are few, but all of the training images."""
    change(copy, IMAGES.replace("val", "train"), np.fliplr)
    change(copy, LABELS.replace("val", "train"), lambda ids: np.where(ids == 11, 17, ids))
    problems = found(copy, "train+val")
    assert "4 of 4 labels fit their images if they are laid mirrored" in problems["mirrored"]
    assert "pole covers" in problems["implausible-statistics"]
    assert found(copy, "val") == {}


@pytest.mark.parametrize("count", [2, 3, 6])
def test_images_that_changed_places(copy: Path, count: int) -> None:
    for pattern in (IMAGES, LABELS):
        for path in sorted(copy.glob(pattern))[max(count, 3) :]:
            path.unlink()
    paths = sorted(copy.glob(IMAGES))[:count]
    data = [path.read_bytes() for path in paths]
    for path, other in zip(paths, [*data[1:], data[0]], strict=True):
        path.write_bytes(other)
    problems = found(copy)
    assert list(problems) == ["swapped"]
    assert (
        "fit the label of another image better than their own; for example leftImg8bit" in problems["swapped"]
    )


@pytest.mark.parametrize("smooth", [cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC])
def test_labels_resized_with_interpolation(copy: Path, smooth: int) -> None:
    change(copy, IMAGES, lambda rgb: cv2.resize(rgb, (120, 90)))
    change(copy, LABELS, lambda ids: cv2.resize(ids, (120, 90), interpolation=smooth))
    assert "its edges pass through the ids between" in found(copy)["lossy-label"]


def as_colours(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colours = np.zeros((256, 3), np.uint8)
    for info in CLASSES:
        colours[info.label_id] = info.colour
    return colours[ids]


def as_ids(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The id whose colour is nearest."""
    known = np.array([(0, 0, 0), *(info.colour for info in CLASSES)], np.int64)
    ids = np.array([0, *(info.label_id for info in CLASSES)], np.uint8)
    return ids[((rgb[:, :, None].astype(np.int64) - known) ** 2).sum(3).argmin(2)]


def test_colours_resized_with_interpolation_and_made_ids_again(copy: Path) -> None:
    change(copy, IMAGES, lambda rgb: cv2.resize(rgb, (240, 180)))
    change(copy, LABELS, lambda ids: as_ids(cv2.resize(as_colours(ids), (240, 180))))
    assert "occur only along borders of two others" in found(copy)["lossy-label"]


@pytest.mark.parametrize("colours", [True, False])
def test_labels_that_went_through_a_jpeg(copy: Path, colours: bool) -> None:
    def jpeg(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cv2.imdecode(cv2.imencode(".jpg", pixels)[1], cv2.IMREAD_UNCHANGED)

    change(copy, LABELS, lambda ids: as_ids(jpeg(as_colours(ids))) if colours else np.minimum(jpeg(ids), 33))
    assert len(found(copy)["lossy-label"].splitlines()) >= 3


def test_labels_resized_by_nearest_neighbour_are_sound(copy: Path) -> None:
    for pattern in (IMAGES, LABELS):
        change(copy, pattern, lambda pixels: cv2.resize(pixels, (140, 100), interpolation=cv2.INTER_NEAREST))
    assert found(copy) == {}


def test_labels_with_a_colour_profile(copy: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = min(copy.glob(LABELS))
    Image.open(path).save(path, icc_profile=profile)
    for image in copy.glob(IMAGES):  # images may have one
        Image.open(image).save(image, icc_profile=profile)
    assert found(copy) == {"colour-managed": f"{path.relative_to(copy)} carries an ICC profile"}


def add_to_train(root: Path, image: Path, *, suffix: str = "") -> Path:
    """A frame of val with its label as a frame of train by another name."""
    city, name = root / "gtFine/train/other", "other_000009_000019"
    city.mkdir()
    shutil.copy(min(root.glob(LABELS)), city / f"{name}_gtFine_labelIds.png")
    new = root / f"leftImg8bit/train/other/{name}_leftImg8bit.png"
    new.parent.mkdir()
    shutil.copy(image, new)
    return new


@pytest.mark.parametrize("splits", [["val"], ["train"], ["train+val"], ["train", "val"], ["val", "train"]])
def test_a_frame_of_train_and_val_however_it_is_asked_for(copy: Path, splits: list[str]) -> None:
    image = min(copy.glob(IMAGES))
    new = add_to_train(copy, image)
    text = [found(copy, split) for split in splits][-1]["split-overlap"]
    assert image.name in text
    assert new.name in text


@pytest.mark.parametrize("kind", ["jpeg", "smaller"])
def test_a_nearly_equal_frame_of_train_and_val(copy: Path, kind: str) -> None:
    image = min(copy.glob(IMAGES))
    new = add_to_train(copy, image)
    pixels = cv2.imread(str(image))
    if kind == "jpeg":
        pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 1)
    else:
        pixels = cv2.resize(pixels, (96, 72), interpolation=cv2.INTER_AREA)
        label = min(copy.glob("gtFine/train/other/*"))
        ids = np.array(Image.open(label))
        Image.fromarray(cv2.resize(ids, (96, 72), interpolation=cv2.INTER_NEAREST)).save(label)
    assert cv2.imwrite(str(new), pixels)
    text = found(copy, "train+val")["split-overlap"]
    assert f"{image.relative_to(copy)} = {new.relative_to(copy)} (nearly equal" in text
    new.unlink()
    assert "split-overlap" not in found(copy, "val")  # nor by an older manifest


def test_folders_that_are_checked_together_are_compared(
    copy: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    for part in ("leftImg8bit", "gtFine"):  # what is val there is train here
        shutil.rmtree(other / part / "train")
        shutil.move(other / part / "val", other / part / "train")
    assert dispatch(["data", "check", f"cityscapes={copy}:val", f"cityscapes={other}:train", "--quiet"]) == 1
    assert "split-overlap" in capsys.readouterr().out
    assert found(street, "val") == {}


def describe(root: Path, classes: str, more: str = "") -> Path:
    """One's own classes for the simulated frames."""
    path = root / "spn_dataset.toml"
    globs = f'images = "{IMAGES}"\nlabels = "{LABELS}"\nunlisted = "ignore"\n'
    keys = "image_key = '(.+)_leftImg8bit\\.png'\nlabel_key = '(.+)_gtFine_labelIds\\.png'\n"
    path.write_text(f"{globs}{keys}[classes]\n{classes}\n{more}")
    return path


def own(root: Path) -> dict[str, str]:
    survey = survey_dataset(parse_data_argument(f"custom={root}"))
    return {finding.trap: "\n".join(finding.items) for finding in survey.findings}


@pytest.mark.parametrize(
    "classes",
    [
        '7 = "road"',
        '7 = "person"\n23 = "pole"',
        '0 = "bus"\n7 = "rider"',
        '7 = "road"\n23 = "sky"\n8 = "pole"',
    ],
)
def test_own_classes_raise_no_alarm(copy: Path, classes: str) -> None:
    describe(copy, classes)
    assert own(copy) == {}


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("ignored = 0.2", "of the pixels are not evaluated, expected at most 20%"),
        ("classes = 3", "expected at least 3 classes"),
        ("shares = { road = [0.0, 0.01] }", "road covers"),
        ("heights = { road = [0.0, 0.3] }", "the middle of road lies outside 0% to 30%"),
    ],
)
def test_a_declaration_says_what_it_expects(copy: Path, expected: str, text: str) -> None:
    describe(copy, '7 = "road"\n26 = "car"', f"[expect]\n{expected}\n")
    assert text in own(copy)["implausible-statistics"]


def test_an_unknown_class_or_share_in_expect_is_refused(copy: Path) -> None:
    for entry, text in (("shares = { roda = [0, 1] }", "roda"), ("ignored = 1.5", "<= 1")):
        describe(copy, '7 = "road"', f"[expect]\n{entry}\n")
        assert text in own(copy)["argument"]


def test_other_scenes_than_streets_are_not_judged_by_names(copy: Path) -> None:
    change(copy, LABELS, np.flipud)
    change(copy, IMAGES, np.flipud)
    describe(copy, '7 = "road"\n11 = "building"\n23 = "sky"')
    assert "implausible-statistics" in own(copy)
    describe(copy, '7 = "road"\n11 = "building"\n23 = "sky"', '[expect]\nscene = "any"\n')
    assert own(copy) == {}


@given(st.integers(1, 3000))
def test_a_sample_has_neighbours_and_a_bounded_size(count: int) -> None:
    places = sampled_places(count)
    assert len(places) <= min(count, SAMPLED)
    assert places <= set(range(count))
    assert count < 2 or sum(place + 1 in places for place in places) >= min(count - 1, SAMPLED // 2)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.sampled_from(["noise", "one", "halves"]))
def test_pairs_that_tell_nothing_raise_no_alarm(seed: int, count: int, kind: str) -> None:
    """Noise under labels of one class, of the same halves, or of noise, where borders need not be visible."""
    generator, size = np.random.default_rng(seed), (GRID, GRID)
    sketches = {}
    for number in range(count):
        label = np.zeros(size, np.uint8)
        if kind == "noise":
            label = generator.integers(0, 5, size).astype(np.uint8)
        elif kind == "halves":
            label[:, GRID // 2 :] = 1
        image = generator.integers(0, 256, size).astype(np.uint8)
        sketches[str(number)] = Sketch(image.tobytes(), label.tobytes())
    assert list(find_misfits(sketches, visible=False)) == []


@given(st.integers(1, 300), st.integers(1, 40))
def test_heights_are_those_of_rows(height: int, width: int) -> None:
    ids = np.repeat(np.arange(height, dtype=np.uint16) % 2, width).reshape(height, width).astype(np.uint8)
    ids[: height // 2] = 9
    heights = mean_heights(ids)
    assert all(0 < middle < 1 for middle in heights.values())
    assert heights.get(9, 0.25) == pytest.approx(0.25, abs=0.26 if height < 4 else 0.05)


def test_expectations_name_classes_that_maps_have() -> None:
    assert Expectation(shares={"road": (0.0, 1.0)}).unknown([info.name for info in CLASSES]) == []
    assert LABEL_IDS.train_ids[7] == 0
