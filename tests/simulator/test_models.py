"""Vehicles from models: labelled where their box is seen, as far away as it, from every side."""

from __future__ import annotations

import importlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulator.empty_street import LIGHT, box_of
from streets.models import KINDS, PARTS, _library, draw_model, is_model
from streets.projection import Camera
from streets.raster import Canvas
from streets.vehicle_painter import draw_vehicle
from streets.vehicles import CAR, TRUCK, Vehicle


def street_canvas(yaw: float = 0.0) -> Canvas:
    return Canvas(
        Camera(width=160, height=120, focal=120.0, offset_x=0.0, eye_height=1.4, yaw=yaw, pitch=0.0, roll=0.0)
    )


def draw(canvas: Canvas, vehicle: Vehicle, seed: int = 0) -> None:
    draw_model(canvas, vehicle, LIGHT, np.random.default_rng(seed), 1)


def test_each_kind_has_views_from_all_around() -> None:
    library = _library()
    assert tuple(library) == KINDS
    for models in library.values():
        assert models
        for views in models:
            yaws = np.sort([view.yaw % (2 * np.pi) for view in views])
            assert np.diff(yaws).max() < 0.7
            for view in views:
                assert view.parts.shape == view.tones.shape == view.normals.shape
                assert view.parts.max() < len(PARTS)
                assert (view.parts > 0).mean() > 0.2
                assert 0 <= view.middle[1] < view.parts.shape[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("heading", [0.0, 0.8, np.pi, -1.6])
def test_a_model_is_labelled_where_its_box_is_seen_and_as_far_away(kind: str, heading: float) -> None:
    canvas, z = street_canvas(), 26.0 if kind in ("truck", "bus") else 14.0
    vehicle = Vehicle(kind, x=0.5, z=z, heading=heading, seed=3)
    draw(canvas, vehicle)
    drawn = canvas.label == vehicle.train_id
    points, pixels = box_of(vehicle, canvas)
    rows, columns = np.nonzero(drawn)
    seen = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    box = np.array([*pixels.min(axis=0), *pixels.max(axis=0)])
    size = box[2:] - box[:2]
    assert np.abs(seen - box).max() < 0.3 * size.max() + 2  # views are up to nine degrees apart
    assert drawn.sum() > 0.4 * size.prod()
    depths = 1 / canvas.inverse_depth[drawn]
    assert points[:, 2].min() - 0.01 <= depths.min()
    assert depths.max() <= points[:, 2].max() + 0.01
    assert set(np.unique(canvas.label)) == {vehicle.train_id, 255}


def test_what_is_nearer_hides_it_in_either_order() -> None:
    far, near = Vehicle("van", 0.0, 20.0, 0.0, 1), Vehicle("hatch", 0.0, 11.0, np.pi, 2)
    pictures = []
    for order in ((far, near), (near, far)):
        canvas = street_canvas()
        for number, vehicle in enumerate(order):
            draw_model(canvas, vehicle, LIGHT, np.random.default_rng(vehicle.seed), 1 + number)
        pictures.append(canvas.image)
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("place_", [(0.0, -9.0), (40.0, 3.0), (0.0, 0.5), (-9.0, 0.0)])
def test_nothing_is_drawn_behind_or_beside_the_camera(place_: tuple[float, float]) -> None:
    canvas = street_canvas()
    draw(canvas, Vehicle("bus", *place_, 0.3, 4))
    assert (canvas.label == 255).all()


@pytest.mark.parametrize("x", np.linspace(-14, 14, 9))
@pytest.mark.parametrize("yaw", [-0.8, 0.0, 0.8])
def test_it_may_be_cut_by_the_edge_of_the_picture(x: float, yaw: float) -> None:
    canvas = street_canvas(yaw)
    draw(canvas, Vehicle("truck", float(x), 12.0, 0.4, 5))
    painted = canvas.label == TRUCK
    assert np.array_equal(painted, canvas.inverse_depth > 0)
    assert np.array_equal(painted, canvas.instance == 1)


def test_vehicles_come_in_many_shapes_and_colours() -> None:
    shapes, colours = set(), []
    for seed in range(40):
        canvas = street_canvas()
        draw_vehicle(canvas, Vehicle("truck", 0.0, 24.0, 0.6, seed), LIGHT, modelled=1.0)
        shapes.add((canvas.label == TRUCK).tobytes())
        colours.append(canvas.image[canvas.label == TRUCK].mean(axis=0))
    assert len(shapes) > 30
    assert np.std(colours, axis=0).min() > 15


def test_only_the_share_asked_for_is_drawn_from_models_and_none_close_by() -> None:
    canvas = street_canvas()
    far = [Vehicle("suv", 0.0, 20.0, 0.0, seed) for seed in range(400)]
    assert sum(is_model(canvas, vehicle, 0.75) for vehicle in far) == pytest.approx(300, abs=30)
    assert not any(is_model(canvas, vehicle, 0.0) for vehicle in far)
    assert not any(is_model(canvas, Vehicle("suv", 0.0, 4.0, 0.0, seed), 1.0) for seed in range(20))
    assert not is_model(canvas, Vehicle("train", 0.0, 40.0, 0.0, 1), 1.0)
    assert is_model(canvas, Vehicle("pickup", 0.0, 4.0, 0.0, 1), 0.0)  # there is no other pickup


def test_the_same_seed_gives_the_same_vehicle() -> None:
    canvases = [street_canvas(), street_canvas()]
    for canvas in canvases:
        draw_vehicle(canvas, Vehicle("saloon", 0.0, 12.0, 0.6, 8), LIGHT, modelled=1.0)
    assert np.array_equal(canvases[0].image, canvases[1].image)
    assert (canvases[0].label == CAR).any()


def test_a_catalogue_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "vehicles"
    if not recipe.exists():
        pytest.skip("needs the source tree")
    monkeypatch.syspath_prepend(str(recipe))
    wavefront = importlib.import_module("wavefront")
    texture = io.BytesIO()
    Image.fromarray(np.full((2, 2, 3), 200, np.uint8)).save(texture, "PNG")
    file = tmp_path / "small.sh3f"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            "PluginFurnitureCatalog.properties",
            "name#1=Car\nmodel#1=/a/car.obj\nwidth#1=180\ndepth#1=420.0\nheight#1=150\n",
        )
        archive.writestr(
            "a/car.obj",
            "mtllib car.mtl\nv 0 0 0\nv 9 0 0\nv 9 5 0\nv 0 5 7\nvt 0 0\nvt 1 1\nusemtl carPaint\nf 1 2 3 4\n"
            "usemtl glass\nf 1/1 -3/2 -2/1\n",
        )
        archive.writestr(
            "a/car.mtl", "newmtl carPaint\nKd 0.1 0.2 0.3\nnewmtl glass\nKd 1 1 1\nmap_Kd t.png\n"
        )
        archive.writestr("a/t.png", texture.getvalue())
    mesh = wavefront.read(file, "a/car.obj")
    assert [PARTS[part] for part in mesh.parts] == ["paint", "paint", "glass"]
    assert np.allclose(np.ptp(mesh.corners.reshape(-1, 3), axis=0), (1.8, 1.5, 4.2))
    assert np.allclose(mesh.corners.reshape(-1, 3).min(axis=0), (-0.9, 0, -2.1))
    assert mesh.picture.tolist() == [-1, -1, 0]
    assert mesh.pictures[0].shape == (2, 2, 3)
