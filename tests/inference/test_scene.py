"""What a scene says of itself, and the files it leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from spn.core.classes import CITYSCAPES_19, CLASS_NAMES
from spn.inference.legend import with_legend
from spn.inference.results import PhotoError
from spn.inference.scene import Scene

LABELS = np.array([[0, 0, 10], [0, 13, 10]], np.uint8)
MAP = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)


def scene(*, disagreement: bool = False) -> Scene:
    image = np.full((2, 3, 3), 100, np.uint8)
    return Scene(image, LABELS, 1 - MAP, MAP, MAP if disagreement else None)


def test_areas_are_shares_of_the_picture_largest_first() -> None:
    areas = scene().areas()
    assert list(areas)[:3] == ["road", "sky", "car"]
    assert areas["road"] == pytest.approx(3 / 6)
    assert areas["train"] == 0
    assert set(areas) == set(CLASS_NAMES)
    assert sum(areas.values()) == pytest.approx(1)


def test_the_overlay_mixes_photograph_and_colours() -> None:
    whole, half = scene().overlay(strength=1), scene().overlay(strength=0.5)
    np.testing.assert_array_equal(np.asarray(whole), CITYSCAPES_19.palette()[LABELS])
    np.testing.assert_allclose(
        np.asarray(half), (100 + CITYSCAPES_19.palette()[LABELS].astype(float)) / 2, atol=0.5
    )


@pytest.mark.parametrize("disagreement", [False, True])
def test_what_is_saved(tmp_path: Path, disagreement: bool) -> None:
    written = scene(disagreement=disagreement).save(str(tmp_path / "new" / "a.b"), ids="train-id")
    kinds = ["label", "overlay", "uncertainty", *(["disagreement"] if disagreement else [])]
    assert written == [tmp_path / "new" / f"a.b_{kind}.png" for kind in kinds]
    assert sorted(path for path in (tmp_path / "new").iterdir()) == sorted(written)
    np.testing.assert_array_equal(np.asarray(Image.open(written[0])), LABELS)
    np.testing.assert_array_equal(np.asarray(Image.open(written[1])), np.asarray(scene().overlay()))
    brightness = cv2.imread(str(written[2]), cv2.IMREAD_GRAYSCALE).ravel().astype(int)
    assert (np.diff(brightness) > 0).all()
    scene().save(tmp_path / "street")
    assert np.asarray(Image.open(tmp_path / "street_label.png"))[1, 1] == 26  # car, in labelIds


def test_pixels_below_a_confidence_lose_their_label() -> None:
    unsure = scene().confident(0.5)  # the confidence falls from 1 to 0
    np.testing.assert_array_equal(unsure.labels, np.where(1 - MAP < 0.5, 255, LABELS))
    assert unsure.areas()["car"] == 0
    assert sum(unsure.areas().values()) == pytest.approx(0.5)
    assert unsure.table()[-1][:3] == ("unsure", 255, 0.5)
    np.testing.assert_array_equal(np.asarray(unsure.overlay(strength=1))[1, 1], (100, 100, 100))
    assert scene().confident(0.0).table() == scene().table()


def test_the_table_has_each_class_in_order_with_its_mean_confidence() -> None:
    table = scene().table()
    assert [one.name for one in table] == list(CLASS_NAMES)
    assert table[0].share == pytest.approx(3 / 6)
    assert table[0].confidence == pytest.approx(np.mean([1, 0.8, 0.4]))
    assert table[1].confidence is None


def test_a_legend_names_what_occurs_in_its_colours() -> None:
    wide = Scene(
        np.zeros((40, 400, 3), np.uint8), *(np.zeros((40, 400), kind) for kind in ("u1", "f4", "f4"))
    )
    picture = np.asarray(wide.overlay(legend=True))
    assert picture.shape[1] == 400
    below = picture[40:]
    assert (below == CITYSCAPES_19.palette()[0]).all(axis=2).any()
    assert not (below == CITYSCAPES_19.palette()[10]).all(axis=2).any()
    assert (below > 200).all(axis=2).any()  # a name


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (2, 900)])
def test_legends_fit_pictures_of_any_size(height: int, width: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    whole = with_legend(picture, CITYSCAPES_19.classes, caption="0:01   3.2 frames/s")
    assert whole.shape[1] == width
    assert whole.shape[0] > height


def test_probabilities_are_kept_and_saved(tmp_path: Path) -> None:
    chances = np.random.default_rng(0).random((19, 2, 3)).astype(np.float16)
    (path,) = replace(scene(), probabilities=chances).save(tmp_path / "a", kinds=["probabilities"])
    with np.load(path, allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["probabilities"], chances)
        assert tuple(stored["classes"]) == CLASS_NAMES
    assert scene().save(tmp_path / "b", kinds=["probabilities"]) == []
    path.write_bytes(b"mine")
    with pytest.raises(PhotoError, match="was not written by this version"):
        scene().save(tmp_path / "a")
