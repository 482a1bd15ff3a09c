"""Cars: shells that are closed and face outwards, and a camera that never stands in one."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.empty_street import LIGHT, box_of, street_camera
from streets.car_body import GLASS, KINDS, reflectance, shell, unit_normals
from streets.raster import Canvas
from streets.shot import around
from streets.vehicle_painter import draw_vehicle
from streets.vehicles import CAR, Vehicle
from streets.wheels import wheels


@pytest.mark.parametrize("kind", KINDS)
def test_a_shell_faces_outwards_and_fills_its_box(kind: str) -> None:
    body = shell(kind)
    assert np.allclose(body.facets.reshape(-1, 3).min(axis=0), (-1, 0.14, -0.5))
    assert np.allclose(body.facets.reshape(-1, 3).max(axis=0), (1, 1, 0.5))
    middles, normals = body.facets.mean(axis=1), unit_normals(body.facets)
    outwards = ((middles - (0, 0.45, 0)) * normals).sum(axis=1)
    edges = body.facets[:, 2] - body.facets[:, 0], body.facets[:, 3] - body.facets[:, 1]
    areas = np.linalg.norm(np.cross(*edges), axis=1) / 2
    assert areas[outwards < -0.02].sum() < 0.01 * areas.sum()  # bonnet edges fold by a hand's breadth
    assert np.allclose(body.facets[:, :, 0].sum(), 0)  # left as right
    assert 0.02 < (body.material == GLASS).mean() < 0.3


def test_mirrored_light_grows_towards_grazing_angles() -> None:
    cosines = np.linspace(1, 0, 20)
    share = reflectance(cosines, np.full(20, 0.05))
    assert share[0] == pytest.approx(0.05)
    assert share[-1] == pytest.approx(1.0)
    assert (np.diff(share) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("heading", [0.0, 0.8, np.pi])
def test_a_car_is_labelled_where_its_box_is_seen_and_as_far_away(kind: str, heading: float) -> None:
    canvas = Canvas(street_camera())
    vehicle = Vehicle(kind, x=0.5, z=12.0, heading=heading, seed=3)
    draw_vehicle(canvas, vehicle, LIGHT)
    drawn = canvas.label == CAR
    points, pixels = box_of(vehicle, canvas)
    rows, columns = np.nonzero(drawn)
    low, high = pixels.min(axis=0) - 1.5, pixels.max(axis=0) + 1.5
    assert (low <= (columns.min(), rows.min())).all()
    assert ((columns.max(), rows.max()) <= high).all()
    assert drawn.sum() > 0.4 * np.prod(high - low - 3)
    depth = 1 / canvas.inverse_depth[drawn]
    assert points[:, 2].min() - 0.3 < depth.min()
    assert depth.max() < points[:, 2].max() + 0.3
    assert (canvas.instance[drawn] == 1).all()


@pytest.mark.parametrize(("x", "inside"), [(0.0, True), (1.3, True), (2.2, False)])
def test_vehicles_around_the_camera_are_found(x: float, inside: bool) -> None:
    assert around(street_camera(), Vehicle("hatch", x=x, z=1.0, heading=0.0, seed=0)) is inside


def test_gaps_between_spokes_lie_within_the_rim() -> None:
    for seed in range(20):
        discs, tones = wheels(
            np.random.default_rng(seed), side=1, plane=0.8, places=(0.0,), radius=0.3, detailed=True
        )
        reach = np.hypot(discs[..., 1] - 0.3, discs[..., 2]).max(axis=1)
        assert (reach[5:] < reach[2]).all()  # arch, tyre, rim, face, hub, then the gaps
        assert (tones[5:, 0] < 40).all()
        assert len(discs) == 5 or 9 <= len(discs) <= 12
