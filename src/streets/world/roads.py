"""Open roads: country roads, roads through woods, highways, arterial roads: lanes, paint, traffic."""

import numpy as np

from streets.materials import Colour, jitter
from streets.scene import GroundPatch, StreetScene
from streets.street import BEHIND, FAR, ROAD, Draws, Street
from streets.traffic import place_vehicle
from streets.world.roadsides import build_roadside, line
from streets.world.setting import Setting, upright


def plan_road(draws: Draws, setting: Setting, kind: str) -> tuple[Street, float]:
    """Lay the road and its sides; returns its shape and the offset of the camera's lane."""
    scene, generator = setting.scene, draws.generator
    left_hand = draws.chance(draws.style.left_hand)
    near = -1 if left_hand else 1
    lanes = {
        "country": 1,
        "forest": 1,
        "highway": int(generator.integers(2, 5)),
        "arterial": int(generator.integers(1, 4)),
    }[kind]
    divided = kind == "highway" or (kind == "arterial" and draws.chance(0.4))
    lane_width = generator.uniform(2.9, 3.7)
    own = lanes * lane_width * (1 if divided else 2)
    half = own / 2 + generator.uniform(0.2, 2.2 if kind == "highway" else 0.6)
    bend = 0.0 if draws.chance(0.3) else float(generator.normal(0, 0.0022 if divided else 0.0035))
    street = Street(bend, {-1: half, 1: half}, {-1: 0.0, 1: 0.0}, {-1: 0.0, 1: 0.0}, lanes, left_hand)
    scene.ground.append(GroundPatch(street.strip(-half, half, BEHIND - 4, FAR + 60), scene.road_colour, ROAD))
    _mark(draws, scene, street, own / 2, lanes, near, divided=divided)
    lane = (
        near * (generator.integers(lanes) + 0.5) * lane_width
        if not divided
        else (-own / 2 + (generator.integers(lanes) + 0.5) * lane_width)
    )
    edges = {-near: -near * half, near: near * half}
    if divided:
        edges[-near] = _other_carriageway(draws, setting, street, -near, half, lanes * lane_width + 1.5)
    for side in (-1, 1):
        build_roadside(draws, setting, street, side, edges[side], kind)
    _place_cars(draws, setting, street, float(lane), lanes, lane_width, divided=divided)
    _horizon(draws, setting, street)
    return street, float(lane)


def _mark(
    draws: Draws, scene: StreetScene, street: Street, half: float, lanes: int, near: int, *, divided: bool
) -> None:
    generator = draws.generator
    tone = generator.uniform(165, 240)
    white: Colour = (tone, tone, tone * 0.98)
    yellow: Colour = (tone, tone * generator.uniform(0.7, 0.82), 60)
    american = draws.chance(0.4)
    opacity = float(generator.uniform(0.5, 1.0))
    width = generator.uniform(0.1, 0.2)

    def line(t: float, s0: float, s1: float, colour: Colour) -> None:
        scene.ground.append(
            GroundPatch(street.strip(t - width / 2, t + width / 2, s0, s1), colour, alpha=opacity)
        )

    def dashes(t: float, colour: Colour) -> None:
        dash, gap = generator.uniform(2, 6), generator.uniform(3, 10)
        for s in np.arange(generator.uniform(-6, 2), 110, dash + gap):
            line(t, s, s + dash, colour)

    if draws.chance(0.85):
        line(near * half, BEHIND, FAR, white)
        line(-near * half, BEHIND, FAR, yellow if american and divided else white)
    count = lanes if divided else 2 * lanes
    for index in range(1, count):
        t = -half + 2 * half * index / count
        middle = not divided and index == lanes
        if not middle:
            dashes(t, white)
        elif draws.chance(0.5):
            line(t - 0.12, BEHIND, FAR, yellow if american else white)
            if draws.chance(0.6):
                line(t + 0.18, BEHIND, FAR, yellow if american else white)
        elif draws.chance(0.9):
            dashes(t, yellow if american else white)


def _other_carriageway(
    draws: Draws, setting: Setting, street: Street, side: int, half: float, wide: float
) -> float:
    """Median, barrier and the lanes beyond; returns the offset of its outer edge."""
    generator, scene = draws.generator, setting.scene
    median = generator.uniform(0.6, 2) if draws.chance(0.5) else generator.uniform(2, 10)
    t0, t1 = side * (half + median), side * (half + median + wide)
    a, b = sorted((t0, t1))
    scene.ground.append(
        GroundPatch(street.strip(a, b, BEHIND - 4, FAR + 60), jitter(generator, scene.road_colour, 8), ROAD)
    )
    if median < 2:
        a, b = sorted((side * half, t0))
        scene.ground.append(
            GroundPatch(street.strip(a, b, BEHIND, FAR), jitter(generator, scene.road_colour, 12), ROAD)
        )
    kind = "jersey" if draws.chance(0.45) else "guard rail"
    if draws.chance(0.85):
        line(
            draws,
            setting,
            street,
            kind,
            side * (half + median / 2),
            BEHIND,
            100,
            0.0,
            generator.uniform(0.75, 1.1),
        )
    if median > 2 and draws.chance(0.4):
        line(
            draws,
            setting,
            street,
            "hedge",
            side * (half + median / 2 + 0.5),
            3,
            90,
            0.0,
            generator.uniform(0.8, 2),
        )
    for t in (t0 + side * 0.4, t1 - side * 0.4):
        scene.ground.append(
            GroundPatch(street.strip(t - 0.08, t + 0.08, BEHIND, FAR), (200, 200, 196), alpha=0.8)
        )
    for s in generator.uniform(4, 110, generator.poisson(2.5 * draws.style.traffic)):
        x, z = street.point(t0 + (t1 - t0) * generator.choice([0.28, 0.72]), s)
        place_vehicle(draws, scene, x, z, np.pi, parked=False)
    return t1


def _place_cars(
    draws: Draws, setting: Setting, street: Street, own: float, lanes: int, wide: float, *, divided: bool
) -> None:
    generator = draws.generator
    count = lanes if divided else 2 * lanes
    for index in range(count):
        t = (-count / 2 + index + 0.5) * wide
        forward = divided or (t > 0) != street.left_hand
        s = generator.uniform(8 if abs(t - own) < 2.2 else 3, 45)
        for _ in range(int(generator.poisson(1.5 * draws.style.traffic))):
            if s > 120:
                break
            x, z = street.point(t + generator.normal(0, 0.2), s)
            place_vehicle(
                draws, setting.scene, x, z, (0.0 if forward else np.pi) + street.bend * s, parked=False
            )
            s += generator.uniform(8, 45)


def _horizon(draws: Draws, setting: Setting, street: Street) -> None:
    """Woods across the far end, unless the view is open to the horizon."""
    if draws.chance(0.7):
        s, tall = FAR + draws.generator.uniform(5, 40), draws.generator.uniform(4, 12)
        for t in np.arange(-120, 120, 24.0):
            (x0, _), (x1, _) = street.point(t, s), street.point(t + 24, s)
            setting.slabs.append(
                upright("wood", (x0, s), (x1, s), 0.0, tall * draws.generator.uniform(0.7, 1.3), draws.seed())
            )
