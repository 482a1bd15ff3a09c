"""What a scene says of itself, and the files it leaves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from spn.core.classes import CLASS_NAMES, palette
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
    np.testing.assert_array_equal(np.asarray(whole), palette()[LABELS])
    np.testing.assert_allclose(np.asarray(half), (100 + palette()[LABELS].astype(float)) / 2, atol=0.5)


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
