"""What lines a street on either side: terraces, gardens, parks, car parks, side roads, and its far end."""

import numpy as np

from streets.furniture import plant_tree
from streets.materials import Colour, choose, jitter
from streets.scene import Barrier, Building, GroundPatch, StreetScene
from streets.street import BEHIND, FAR, ROAD, SIDEWALK, TERRAIN, Draws, Street
from streets.traffic import place_vehicle

_FRONTAGES: dict[str, dict[str, float]] = {
    "city": {"terrace": 8, "side": 1.0, "setback": 0.6, "open": 0.5, "gap": 0.3},
    "suburb": {"setback": 6, "terrace": 1, "open": 2, "side": 0.8, "gap": 0.8},
    "park": {"open": 6, "setback": 1.5, "terrace": 1.2, "side": 0.6, "gap": 0.4},
    "boulevard": {"terrace": 4, "open": 2.2, "setback": 1, "side": 0.8, "gap": 1.5},
    "junction": {"terrace": 4, "side": 2.4, "open": 1.2, "setback": 1, "gap": 1},
}


def build_side(draws: Draws, scene: StreetScene, street: Street, side: int, paving: Colour) -> list[float]:
    """Fill one side with frontages; returns the distances of its side roads."""
    generator, style = draws.generator, draws.style
    junctions: list[float] = []
    weights = _FRONTAGES[draws.setting]
    height = draws.uniform(style.storeys) * 3.1 + 1.5
    wall = choose(generator, dict(style.walls))
    s = BEHIND + generator.uniform(0, 6)
    if draws.setting == "junction" and draws.chance(0.7):
        s = _side_road(draws, scene, street, side, generator.uniform(2, 14), paving, junctions)
    previous = "side"
    while s < FAR:
        kind = choose(generator, weights)
        if kind == "side" and (previous == "side" or s < 4):
            kind = "terrace"
        if kind == "terrace":
            for _ in range(int(generator.integers(1, 5))):
                length = (
                    generator.uniform(4.5, 15) if draws.setting != "boulevard" else generator.uniform(8, 26)
                )
                tall = max(height + generator.normal(0, 1.4), 4.0)
                if draws.chance(0.3):
                    wall = choose(generator, dict(style.walls))
                _building(
                    draws, scene, street, side, s, length, tall, wall, 0.0, shop=draws.chance(style.shops)
                )
                if draws.chance(0.16):
                    _area_railing(draws, scene, street, side, s, length)
                elif draws.chance(0.06):
                    _arcade(draws, scene, street, side, s, length)
                s += length + (generator.uniform(0.5, 3) if draws.chance(0.12) else 0)
                if s > FAR:
                    break
        elif kind == "setback":
            length = generator.uniform(7, 16)
            back = generator.uniform(2.5, 9)
            _yard(draws, scene, street, side, s, length, back)
            tall = generator.uniform(5.5, 9.5) if draws.setting != "boulevard" else height
            _building(draws, scene, street, side, s + 0.5, length - 1.5, tall, wall, back, shop=False)
            s += length
        elif kind == "open":
            length = generator.uniform(10, 45)
            _open_land(draws, scene, street, side, s, length)
            s += length
        elif kind == "gap":
            length = generator.uniform(8, 24)
            _car_park(draws, scene, street, side, s, length)
            s += length
        else:
            s = _side_road(draws, scene, street, side, s, paving, junctions)
        previous = kind
    return junctions


def _building(
    draws: Draws, scene: StreetScene, street: Street, side: int, s: float, length: float, height: float,
    kind: str, back: float,
    *, shop: bool,
) -> None:  # fmt: skip
    if s > FAR:
        return
    line = street.frontage(side) + side * (back + (0.02 if back else draws.generator.uniform(0, 0.25)))
    depth = draws.generator.uniform(8, 14)
    a, b = (s, s + length) if side < 0 else (s + length, s)
    corners = [street.point(line, a), street.point(line, b)]
    corners += [street.point(line + side * depth, b), street.point(line + side * depth, a)]
    pitched = kind in ("brick", "painted", "timber", "stone") and height < 14 and draws.chance(0.75)
    scene.buildings.append(Building(np.array(corners), height, kind, shop, pitched, draws.seed()))


def _barrier(
    draws: Draws, scene: StreetScene, street: Street, t: float, s0: float, s1: float, *, soft: float = 0.4
) -> None:
    shares = {"wall": 1.4, "plinth": 4.0, "railing": 3.5, "hedge": soft * 3.0, "guardrail": 0.3}
    kind = choose(draws.generator, shares)
    if kind == "plinth":
        _plinth(draws, scene, street, t, s0, s1)
        return
    height = {
        "wall": draws.generator.uniform(0.5, 2.4),
        "railing": draws.generator.uniform(0.9, 2.5),
        "hedge": draws.generator.uniform(0.6, 2.2),
        "guardrail": 0.8,
    }[kind]
    planted = kind in ("wall", "railing") and draws.chance(0.6)
    for start in np.arange(s0, s1, 12.0):
        end = min(start + 12.0, s1)
        a, b = street.point(t, start), street.point(t, end)
        scene.barriers.append(Barrier(kind, a, b, height, draws.seed()))
        if kind == "wall" and height < 1.2 and draws.chance(0.6):
            scene.barriers.append(Barrier("railing", a, b, height + 0.9, draws.seed()))
        if planted:
            t_behind = t + float(np.sign(t)) * 0.5
            a, b = street.point(t_behind, start), street.point(t_behind, end)
            scene.barriers.append(
                Barrier("hedge", a, b, height * draws.generator.uniform(0.8, 1.5), draws.seed())
            )


def _plinth(draws: Draws, scene: StreetScene, street: Street, t: float, s0: float, s1: float) -> None:
    """Iron bars on a low wall, often with piers, or bars or mesh from the ground; shrubs behind or not."""
    generator, outwards = draws.generator, float(np.sign(t))
    low = generator.uniform(0.3, 1.1) if draws.chance(0.7) else 0.0
    high = low + generator.uniform(0.8, 2.4)
    kind = "bars"
    if low == 0 and draws.chance(0.5):
        kind, high = "mesh", generator.uniform(1.2, 3.2)
    wall, bars = draws.seed(), draws.seed()
    shrubs = draws.chance(0.5)
    for start in np.arange(s0, s1, 12.0):
        end = min(start + 12.0, s1)
        if low:
            a, b = street.point(t, start), street.point(t, end)
            scene.barriers.append(Barrier("wall", a, b, low, wall))
        behind = t + outwards * 0.1
        a, b = street.point(behind, start), street.point(behind, end)
        scene.barriers.append(Barrier(kind, a, b, high, bars))
        if low and draws.chance(0.5):
            pier = min(start + 0.6, end)
            a, b = street.point(t - outwards * 0.05, start), street.point(t - outwards * 0.05, pier)
            scene.barriers.append(Barrier("wall", a, b, high * generator.uniform(0.8, 1.1), wall))
        if shrubs:
            a, b = street.point(t + outwards * 0.6, start), street.point(t + outwards * 0.6, end)
            scene.barriers.append(Barrier("hedge", a, b, high * generator.uniform(0.6, 1.3), draws.seed()))


def _area_railing(
    draws: Draws, scene: StreetScene, street: Street, side: int, s: float, length: float
) -> None:
    """Iron bars close before a house, as round a basement's area, some on a kerb of stone."""
    t = street.frontage(side) - side * draws.generator.uniform(0.2, 1.0)
    low, high = draws.generator.uniform(0.1, 0.5), draws.generator.uniform(0.9, 1.6)
    a, b = street.point(t, s), street.point(t, s + length * draws.generator.uniform(0.5, 1.0))
    if draws.chance(0.5):
        scene.barriers.append(Barrier("wall", a, b, low, draws.seed()))
        t -= side * 0.02
        a, b = street.point(t, a[1]), street.point(t, b[1])
    scene.barriers.append(Barrier("bars", a, b, high, draws.seed()))


def _arcade(draws: Draws, scene: StreetScene, street: Street, side: int, s: float, length: float) -> None:
    """Columns before a house that carry a beam."""
    t = street.frontage(side) - side * draws.generator.uniform(0.6, 2.0)
    a, b = street.point(t, s), street.point(t, s + length)
    scene.barriers.append(Barrier("arcade", a, b, draws.generator.uniform(2.6, 4.5), draws.seed()))


def _yard(
    draws: Draws, scene: StreetScene, street: Street, side: int, s: float, length: float, back: float
) -> None:
    line = street.frontage(side)
    if draws.chance(0.75):
        t0, t1 = sorted((line, line + side * back))
        scene.ground.append(
            GroundPatch(street.strip(t0, t1, s, s + length), draws.grass(scene.palette), TERRAIN)
        )
    if draws.chance(0.8):
        gate = draws.generator.uniform(1, 3)
        _barrier(draws, scene, street, line + side * 0.1, s, s + length - gate, soft=0.6)
    for _ in range(int(draws.generator.poisson(0.9 * draws.style.trees))):
        t = line + side * draws.generator.uniform(0.8, max(back - 0.5, 1.0))
        plant_tree(draws, scene, street, t, s + draws.generator.uniform(0, length), small=True)
    if draws.chance(0.15):
        x, z = street.point(line + side * back * 0.5, s + length / 2)
        place_vehicle(draws, scene, x, z, float(np.pi / 2) * side, parked=True)


def _open_land(draws: Draws, scene: StreetScene, street: Street, side: int, s: float, length: float) -> None:
    line = street.frontage(side)
    t0, t1 = sorted((line, line + side * 60))
    scene.ground.append(GroundPatch(street.strip(t0, t1, s, s + length), draws.grass(scene.palette), TERRAIN))
    if draws.chance(0.75):
        _barrier(draws, scene, street, line + side * 0.1, s, s + length)
    count = int(draws.generator.poisson(length / 5.0 * draws.style.trees))
    for _ in range(min(count, 14)):
        t = line + side * (0.8 + 18 * draws.generator.random() ** 1.6)
        plant_tree(draws, scene, street, t, s + draws.generator.uniform(0, length), small=draws.chance(0.25))
    if draws.chance(0.4):  # a row along the street, close to what encloses the land
        step, place = draws.generator.uniform(3, 8), line + side * draws.generator.uniform(1, 3)
        for along in np.arange(s + 1, min(s + length, 80), step):
            plant_tree(draws, scene, street, place, float(along), small=False)
    if draws.chance(0.3):  # undergrowth
        place, tall = line + side * draws.generator.uniform(1.5, 4), draws.generator.uniform(1.2, 4)
        for start in np.arange(s, s + length, 12.0):
            a, b = street.point(place, start), street.point(place, min(start + 12.0, s + length))
            tall_here = tall * draws.generator.uniform(0.7, 1.2)
            scene.barriers.append(Barrier("hedge", a, b, tall_here, draws.seed()))
    if draws.chance(0.5):  # houses behind the trees
        _building(
            draws, scene, street, side, s, length, draws.generator.uniform(5, 11), "brick", 22.0, shop=False
        )


def _car_park(draws: Draws, scene: StreetScene, street: Street, side: int, s: float, length: float) -> None:
    line = street.frontage(side)
    t0, t1 = sorted((line, line + side * 30))
    colour = jitter(draws.generator, scene.road_colour, 16)
    scene.ground.append(
        GroundPatch(street.strip(t0, t1, s, s + length), colour, ROAD if draws.chance(0.5) else SIDEWALK)
    )
    if draws.chance(0.5):
        _barrier(draws, scene, street, line + side * 0.1, s, s + length * 0.7, soft=0.2)
    for place in np.arange(s + 1.5, s + length - 1.5, 2.7):
        if draws.chance(0.5):
            x, z = street.point(line + side * 5, float(place))
            place_vehicle(draws, scene, x, z, float(np.pi / 2) * side, parked=True)
    kind = choose(draws.generator, dict(draws.style.walls))
    tall = draws.generator.uniform(4, 12)
    _building(
        draws,
        scene,
        street,
        side,
        s,
        length,
        tall,
        kind,
        draws.generator.uniform(12, 28),
        shop=draws.chance(0.5),
    )


def _side_road(
    draws: Draws,
    scene: StreetScene,
    street: Street,
    side: int,
    s: float,
    paving: Colour,
    junctions: list[float],
) -> float:
    width = draws.generator.uniform(5, 10)
    walk = draws.generator.uniform(1.2, 2.6)
    middle = s + walk + width / 2
    junctions.append(middle)
    kerb = street.kerb(side)
    start, _ = street.point(kerb, middle)
    far = start + side * 70
    x0, x1 = sorted((start - side * 0.5, far))
    outer = np.array([[x0, s], [x1, s], [x1, s + width + 2 * walk], [x0, s + width + 2 * walk]])
    scene.ground.append(GroundPatch(outer, paving, SIDEWALK))
    inner = np.array([[x0, s + walk], [x1, s + walk], [x1, s + walk + width], [x0, s + walk + width]])
    scene.ground.append(GroundPatch(inner, scene.road_colour, ROAD))
    mouth = np.array(
        [
            [start - side * 0.3, s - 1.2],
            [start + side * 3, s + walk],
            [start + side * 3, s + walk + width],
            [start - side * 0.3, s + width + 2 * walk + 1.2],
        ]
    )
    scene.ground.append(GroundPatch(mouth, scene.road_colour, ROAD))
    line = street.frontage(side)
    for row in (s - 8.0, s + width + 2 * walk):  # the far and the near row along the side road
        x = line + side * 14
        while abs(x) < 60:
            length = draws.generator.uniform(7, 14)
            if draws.chance(0.8):
                z0, z1 = row, row + 8.0
                front = [(x, z0), (x + side * length, z0)] if row > s else [(x + side * length, z1), (x, z1)]
                back = [(x + side * length, z1), (x, z1)] if row > s else [(x, z0), (x + side * length, z0)]
                corners = np.array(front + back)
                kind = choose(draws.generator, dict(draws.style.walls))
                tall = draws.uniform(draws.style.storeys) * 3 + 1
                scene.buildings.append(
                    Building(corners, tall, kind, draws.chance(0.3), draws.chance(0.5), draws.seed())
                )
            x += side * length
    for _ in range(int(draws.generator.poisson(0.8))):
        x = start + side * draws.generator.uniform(4, 30)
        place_vehicle(
            draws,
            scene,
            x,
            middle + draws.generator.uniform(-0.3, 0.3) * width,
            np.pi / 2 * side,
            parked=False,
        )
    return s + width + 2 * walk


def close_view(draws: Draws, scene: StreetScene, street: Street) -> None:
    """Close the view: a row of buildings, trees, or nothing but the backdrop."""
    roll = draws.generator.random()
    s = draws.generator.uniform(38, FAR) if roll < 0.3 else FAR
    if roll < 0.55:
        t = -40.0
        while t < 40:
            width = draws.generator.uniform(6, 16)
            (x0, _), (x1, _) = street.point(t, s), street.point(t + width, s)
            corners = np.array([[x0, s], [x1, s], [x1, s + 10], [x0, s + 10]])
            kind = choose(draws.generator, dict(draws.style.walls))
            tall = draws.uniform(draws.style.storeys) * 3 + 2
            scene.buildings.append(
                Building(corners, tall, kind, draws.chance(0.4), draws.chance(0.5), draws.seed())
            )
            t += width
    elif roll < 0.85:
        for _ in range(10):
            plant_tree(
                draws,
                scene,
                street,
                draws.generator.uniform(-30, 30),
                s + draws.generator.uniform(-15, 5),
                small=False,
            )
