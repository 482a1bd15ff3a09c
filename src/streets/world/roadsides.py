"""What lies beside open roads: banks, woods, noise barriers, walls, fences, halls, fields, posts."""

from collections.abc import Iterator

import numpy as np

from streets.furniture import plant_tree
from streets.materials import Colour, jitter
from streets.scene import GroundPatch, Post, Upright
from streets.street import BEHIND, FAR, SIDEWALK, TERRAIN, Draws, Street
from streets.world.setting import Setting, Slab, upright


def stretches(s0: float, s1: float) -> Iterator[tuple[float, float]]:
    """Pieces of a line along the road, the longer the farther away."""
    while s0 < s1:
        end = min(s0 + 9.0 + 0.25 * max(s0, 0.0), s1)
        yield s0, end
        s0 = end


def build_roadside(draws: Draws, setting: Setting, street: Street, side: int, edge: float, kind: str) -> None:
    generator, scene = draws.generator, setting.scene
    t = edge + side * generator.uniform(0.3, 1.0)
    if kind in ("highway", "country", "arterial") and draws.chance(
        {"highway": 0.55, "country": 0.15, "arterial": 0.15}[kind]
    ):
        line(
            draws,
            setting,
            street,
            "jersey" if draws.chance(0.3) else "guard rail",
            t,
            BEHIND,
            90,
            0.0,
            generator.uniform(0.7, 1.0),
        )
        t += side * 0.5
    elif kind == "arterial" or (
        kind != "highway" and draws.chance(0.3)
    ):  # a footpath or cycle path, behind grass or a kerb
        t0 = edge + side * (generator.uniform(1, 4) if draws.chance(0.6) else 0.0)
        t = t0 + side * generator.uniform(1.5, 5.5)
        a, b = sorted((t0, t))
        tone = generator.uniform(0.8, 1.6)
        r, g, bl = scene.road_colour
        scene.ground.append(
            GroundPatch(street.strip(a, b, BEHIND, FAR), (r * tone, g * tone, bl * tone), SIDEWALK)
        )
    elif draws.chance(0.5):  # a bare shoulder
        a, b = sorted((edge, t + side * 0.5))
        scene.ground.append(
            GroundPatch(street.strip(a, b, BEHIND, FAR), jitter(generator, (132, 118, 96), 20), TERRAIN)
        )
    _posts(draws, setting, street, side, edge, t, kind)
    roll, base = generator.random(), t + side * generator.uniform(0.5, 5)
    woods = {"country": 0.35, "forest": 0.95, "highway": 0.45, "arterial": 0.4}[kind]
    built = {"country": 0.12, "forest": 0.02, "highway": 0.35, "arterial": 0.45}[kind]
    low = 0.0
    if draws.chance(0.4):
        wide, low = generator.uniform(2, 9), generator.uniform(0.6, 4.5)
        bank(draws, setting, street, base, wide, low, BEHIND, FAR)
        base += side * (wide + 0.3)
    if roll < woods:
        _wood(draws, setting, street, base, low, dense=kind == "forest" or draws.chance(0.5))
    elif roll < woods + built:
        _built(draws, setting, street, base, low, kind)
    else:
        _field(draws, setting, street, base, low)


def line(
    draws: Draws,
    setting: Setting,
    street: Street,
    kind: str,
    t: float,
    s0: float,
    s1: float,
    low: float,
    high: float,
) -> None:
    """Slabs of one kind along the street; pieces of a built thing look alike, of a grown one not."""
    seed = draws.seed()
    for start, end in stretches(s0, s1):
        a, b = street.point(t, start), street.point(t, end)
        grown = kind in ("wood", "hedge", "bank")
        top = high * draws.generator.uniform(0.8, 1.2) if kind == "wood" else high
        setting.slabs.append(upright(kind, a, b, low, low + top - 0.0, draws.seed() if grown else seed))


def bank(
    draws: Draws, setting: Setting, street: Street, t: float, wide: float, rise: float, s0: float, s1: float
) -> None:
    """Grass that climbs `rise` metres over `wide` metres outwards from offset t."""
    out = t + np.sign(t) * wide
    for start, end in stretches(s0, s1):
        (ax, az), (bx, bz) = street.point(t, start), street.point(t, end)
        (cx, cz), (dx, dz) = street.point(out, end), street.point(out, start)
        corners = np.array([(ax, 0.0, az), (bx, 0.0, bz), (cx, rise, cz), (dx, rise, dz)])
        setting.slabs.append(Slab("bank", corners, draws.seed()))


def _wood(draws: Draws, setting: Setting, street: Street, t: float, low: float, *, dense: bool) -> None:
    generator = draws.generator
    side, tall = float(np.sign(t)), generator.uniform(7, 21)
    for depth in range(2 if dense else 1):
        place = t + side * (1.5 + 5 * depth + generator.uniform(0, 3))
        line(draws, setting, street, "wood", place, BEHIND, FAR + 20, low, tall * (0.8 + 0.2 * depth))
    if draws.chance(0.6):
        line(draws, setting, street, "hedge", t + side * 0.6, BEHIND, 70, low, generator.uniform(0.5, 2.2))
    for s in generator.uniform(4, 90, generator.poisson(9)):
        place = t + side * generator.uniform(-0.5, 2.5)
        x, z = street.point(place, s)
        kind = "bush" if draws.chance(0.3) else "leafy tree"
        high = generator.uniform(1, 3) if kind == "bush" else tall * generator.uniform(0.6, 1.1)
        setting.scene.uprights.append(Upright(kind, x, z, float(high), draws.seed(), low))


def _built(draws: Draws, setting: Setting, street: Street, t: float, low: float, kind: str) -> None:
    """Noise barriers, walls, fences with or without shrubs, halls and blocks behind."""
    generator = draws.generator
    side, s0, s1 = float(np.sign(t)), generator.uniform(BEHIND, 20), generator.uniform(50, FAR)
    fronts = {"noise wall": (2.0, 5.0), "masonry": (0.8, 4.5), "mesh": (1.0, 3.0), "hedge": (0.8, 2.5)}
    front = list(fronts)[int(generator.choice(4, p=(0.28, 0.3, 0.28, 0.14)))]
    tall = generator.uniform(*fronts[front])
    line(draws, setting, street, front, t, s0, s1, low, tall)
    if front == "masonry" and draws.chance(0.35):
        line(draws, setting, street, "mesh", t, s0, s1, low + tall, generator.uniform(0.8, 1.4))
    if draws.chance(0.6):
        line(
            draws,
            setting,
            street,
            "wood" if draws.chance(0.5) else "hedge",
            t + side * 1.5,
            s0,
            FAR,
            low,
            tall * generator.uniform(1.1, 2.5),
        )
    place = t + side * generator.uniform(6, 22)
    s = BEHIND
    while s < 110 and kind != "forest":
        length = generator.uniform(12, 45)
        if draws.chance(0.7):
            a, b = street.point(place, s), street.point(place, s + length)
            setting.slabs.append(upright("hall", a, b, 0.0, low + generator.uniform(4, 22), draws.seed()))
        s += length + generator.uniform(2, 20)


def _field(draws: Draws, setting: Setting, street: Street, t: float, low: float) -> None:
    """Open land: strips of crops, scattered trees and shrubs, a wood far away."""
    generator, side = draws.generator, float(np.sign(t))
    colours: tuple[Colour, ...] = (
        (150, 134, 92),
        (112, 96, 74),
        (96, 118, 58),
        (134, 128, 78),
        (120, 124, 70),
    )
    if low == 0:
        for _ in range(int(generator.integers(0, 4))):
            a, wide, s0 = generator.uniform(1, 40), generator.uniform(10, 60), generator.uniform(-10, 60)
            x0, x1 = sorted((t + side * a, t + side * (a + wide)))
            colour = jitter(generator, colours[int(generator.integers(len(colours)))], 18)
            setting.scene.ground.append(
                GroundPatch(street.strip(x0, x1, s0, s0 + generator.uniform(20, 90)), colour, TERRAIN)
            )
    for _ in range(int(generator.poisson(7 * draws.style.trees))):
        plant_tree(
            draws,
            setting.scene,
            street,
            t + side * 35 * generator.random() ** 1.5,
            generator.uniform(6, FAR),
            small=draws.chance(0.4),
        )
    if draws.chance(0.5):  # a row of trees
        place, step = t + side * generator.uniform(0, 3), generator.uniform(7, 16)
        for s in np.arange(generator.uniform(2, step), FAR, step):
            plant_tree(draws, setting.scene, street, place, float(s), small=False)
    if draws.chance(0.3):
        line(
            draws,
            setting,
            street,
            "mesh" if draws.chance(0.5) else "hedge",
            t + side * 0.5,
            BEHIND,
            80,
            low,
            generator.uniform(0.8, 1.6),
        )
    if draws.chance(0.7):
        line(
            draws,
            setting,
            street,
            "wood",
            t + side * generator.uniform(25, 70),
            BEHIND,
            FAR + 40,
            0.0,
            generator.uniform(5, 16),
        )


def _posts(
    draws: Draws, setting: Setting, street: Street, side: int, edge: float, t: float, kind: str
) -> None:
    generator, scene = draws.generator, setting.scene

    def post(what: str, place: float, s: float, height: float, width: float, reach: float = 0.0) -> None:
        x, z = street.point(place, s)
        scene.posts.append(Post(what, x, z, float(height), float(width), float(reach), draws.seed()))

    if kind in ("country", "forest") and draws.chance(0.6):  # delineators
        for s in np.arange(generator.uniform(3, 20), 110, generator.uniform(12, 30)):
            post("bollard", edge + side * 0.8, s, 1.0, 0.11)
    for s in generator.uniform(5, 90, generator.poisson({"highway": 1.6, "arterial": 2.6}.get(kind, 1.3))):
        post(
            "signs" if draws.chance(0.7) else "banner",
            t + side * generator.uniform(0.2, 1.2),
            s,
            generator.uniform(2.2, 4.2),
            generator.uniform(0.06, 0.12),
            side,
        )
    if draws.chance({"highway": 0.5, "arterial": 0.8}.get(kind, 0.2)):
        spacing, tall = generator.uniform(22, 42), generator.uniform(6, 12)
        for s in np.arange(generator.uniform(4, spacing), 120, spacing):
            post(
                "lamp",
                t + side * 0.4,
                s,
                tall,
                generator.uniform(0.1, 0.2),
                -side * generator.uniform(1, 3.5),
            )
    if kind == "arterial" and draws.chance(0.6):
        s = generator.uniform(8, 50)
        post(
            "lights",
            t,
            s,
            generator.uniform(2.8, 5),
            0.13,
            -side * generator.uniform(2, 6) if draws.chance(0.5) else 0.0,
        )
