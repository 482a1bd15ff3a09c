"""The ground: carriageway, pavements, verges, kerbs, and the paint on them."""

import numpy as np

from streets.materials import Colour, Generator, jitter
from streets.scene import GroundPatch, Post, StreetScene
from streets.street import BEHIND, FAR, ROAD, SIDEWALK, TERRAIN, Draws, Street


def lay_surface(draws: Draws, scene: StreetScene, street: Street, paving: Colour) -> None:
    """Pavements, verges, the carriageway and its kerbs."""
    grass = draws.grass(scene.palette)
    for side in (-1, 1):
        kerb, line = street.kerb(side), street.frontage(side)
        t0, t1 = sorted((kerb, line))
        scene.ground.append(
            GroundPatch(street.strip(t0, t1, BEHIND, FAR), jitter(draws.generator, paving, 8), SIDEWALK)
        )
        if street.verge[side] > 0:
            if draws.chance(0.6):  # grass between kerb and footpath, or between footpath and gardens
                edge = kerb + side * street.verge[side]
                a, b = sorted((kerb + side * 0.15, edge))
            else:
                edge = line - side * street.verge[side]
                a, b = sorted((edge, line))
            scene.ground.append(GroundPatch(street.strip(a, b, BEHIND, FAR), grass, TERRAIN))
    road = street.strip(street.kerb(-1), street.kerb(1), BEHIND - 4, FAR)
    scene.ground.append(GroundPatch(road, scene.road_colour, ROAD))
    stone = jitter(draws.generator, (146, 144, 138), 30)
    if draws.chance(0.5):  # worn and dirty: hardly brighter than the asphalt
        grey = scene.road_colour[1] * draws.generator.uniform(0.95, 1.45)
        stone = jitter(draws.generator, (grey, grey, grey * 0.97), 6)
    for side in (-1, 1):
        t0, t1 = sorted((street.kerb(side), street.kerb(side) + side * 0.15))
        scene.ground.append(GroundPatch(street.strip(t0, t1, BEHIND, 90), stone, SIDEWALK))
    if draws.chance(0.2):  # slabs
        step = draws.generator.uniform(0.8, 2.0)
        dark: Colour = (paving[0] * 0.8, paving[1] * 0.8, paving[2] * 0.8)
        for side in (-1, 1):
            if street.verge[side] > 0:
                continue
            t0, t1 = sorted((street.kerb(side), street.frontage(side)))
            for s in np.arange(1.5, 22, step):
                scene.ground.append(GroundPatch(street.strip(t0, t1, s, s + 0.04), dark, alpha=0.7))


def lay_island(draws: Draws, scene: StreetScene, street: Street, paving: Colour) -> None:
    """A refuge in the middle of the road, with its kerb and a bollard or a sign at its ends."""
    generator = draws.generator
    stone = jitter(generator, (130, 128, 122), 40)
    half, long = generator.uniform(0.5, 1.2), generator.uniform(2, 9)
    t, s = generator.normal(0, 0.4), generator.uniform(7, 40)
    for grow, colour in ((0.15, stone), (0.0, jitter(generator, paving, 10))):
        angles = np.linspace(0, 2 * np.pi, 17)
        across, along = np.cos(angles), np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** 0.5
        outline = [
            street.point(t + (half + grow) * x, s + (long / 2 + grow) * y)
            for x, y in zip(across, along, strict=True)
        ]
        scene.ground.append(GroundPatch(np.array(outline), colour, SIDEWALK))
    for end in (-0.4, 0.4):
        if draws.chance(0.7):
            x, z = street.point(t, s + end * long)
            kind, tall = ("bollard", 1.0) if draws.chance(0.6) else ("signs", 1.9)
            scene.posts.append(Post(kind, x, z, tall, 0.12, 0.0, draws.seed()))


def paint_markings(draws: Draws, scene: StreetScene, street: Street) -> None:
    """Centre and lane lines, kerb lines, stop lines, crossings, arrows, boxes, patches and covers."""
    generator = draws.generator
    tone = generator.uniform(165, 235)
    white: Colour = (tone, tone, tone * 0.98)
    yellow: Colour = (tone, tone * generator.uniform(0.72, 0.85), 70)
    paint = yellow if draws.chance(draws.style.yellow_lines * 0.5) else white
    opacity = float(generator.uniform(0.5, 1.0))
    width = generator.uniform(0.08, 0.18)

    def line(t: float, s0: float, s1: float, colour: Colour, w: float = width) -> None:
        scene.ground.append(GroundPatch(street.strip(t - w / 2, t + w / 2, s0, s1), colour, alpha=opacity))

    if draws.chance(0.85):
        if draws.chance(0.65):
            dash, gap = generator.uniform(1.5, 4.5), generator.uniform(2, 7)
            for s in np.arange(generator.uniform(-4, 2), 75, dash + gap):
                line(0.0, s, s + dash, paint)
        else:
            line(0.0, BEHIND, 100, paint)
            if draws.chance(0.5):
                line(0.3, BEHIND, 100, paint)
    for side in (-1, 1):
        kerb = street.kerb(side)
        if abs(kerb) > 5.5 and draws.chance(0.7):
            for s in np.arange(generator.uniform(-4, 2), 70, 7):
                line(kerb / 2, s, s + 2.8, white)
        roll = generator.random()
        if roll < draws.style.yellow_lines:
            line(kerb - side * 0.3, BEHIND, 90, yellow, 0.09)
            if draws.chance(0.6):
                line(kerb - side * 0.55, BEHIND, 90, yellow, 0.09)
        elif roll < 0.6:
            line(kerb - side * 0.35, BEHIND, 90, white, 0.12)
        gutter = jitter(generator, scene.road_colour, 12)
        shade: Colour = (gutter[0] * 0.82, gutter[1] * 0.82, gutter[2] * 0.82)
        gutter_strip = street.strip(kerb - side * 0.35, kerb, BEHIND, 90)
        scene.ground.append(GroundPatch(gutter_strip, shade, alpha=0.5))
        if draws.chance(0.6):  # the kerb's face, in its own shade
            r, g, b = (channel * generator.uniform(0.3, 0.8) for channel in scene.road_colour)
            face = street.strip(kerb - side * generator.uniform(0.06, 0.14), kerb, BEHIND, 70)
            scene.ground.append(GroundPatch(face, (r, g, b), alpha=float(generator.uniform(0.6, 1.0))))
    for s in generator.uniform(3, 60, generator.poisson(0.7)):  # zebra or dotted crossings
        step = generator.uniform(0.4, 0.65)
        for t in np.arange(street.kerb(-1) + 0.4, street.kerb(1) - 0.4, 2 * step):
            scene.ground.append(GroundPatch(street.strip(t, t + step, s, s + 2.8), white, alpha=opacity))
    for s in generator.uniform(3, 50, generator.poisson(0.8)):  # stop or give-way line
        side = 1 if draws.chance(0.5) else -1
        t0, t1 = sorted((0.0, street.kerb(side)))
        scene.ground.append(GroundPatch(street.strip(t0, t1, s, s + 0.35), white, alpha=opacity))
    if draws.chance(0.2):  # a hatched island, or bays along the kerb
        middle, half = generator.uniform(-0.8, 0.8) * street.kerb(1), generator.uniform(0.5, 1.6)
        s0, long = generator.uniform(2, 30), generator.uniform(5, 25)
        slant, wide = generator.uniform(-1.5, 2.5), generator.uniform(0.12, 0.35)
        for edge in (-half, half):
            line(middle + edge, s0, s0 + long, white, 0.12)
        for s in np.arange(s0, s0 + long, generator.uniform(0.8, 3)):
            ends = [(-half, s), (half, s + slant), (half, s + slant + wide), (-half, s + wide)]
            stripe = np.array([street.point(middle + x, along) for x, along in ends])
            scene.ground.append(GroundPatch(stripe, white, alpha=opacity))
    for _ in range(int(generator.poisson(1.4))):  # arrows, letters, cycle symbols
        t, s = generator.uniform(street.kerb(-1), street.kerb(1)) * 0.75, generator.uniform(4, 30)
        _paint_symbol(draws, scene, street, t, s, white, opacity)
    if draws.chance(0.08):  # yellow box
        s0, size = generator.uniform(5, 20), generator.uniform(5, 9)
        for k in np.linspace(-1, 1, 9):
            for slant in (-1, 1):
                a = np.array([[k * size, s0], [k * size + 0.12, s0], [k * size + slant * size, s0 + size]])
                scene.ground.append(GroundPatch(a, yellow, alpha=opacity))
    if draws.chance(0.1):  # coloured cycle lane or bus lane
        side = 1 if draws.chance(0.5) else -1
        t0, t1 = sorted((street.kerb(side), street.kerb(side) - side * generator.uniform(1.2, 2.6)))
        colour = ((130, 62, 52), (66, 104, 74), (70, 84, 120))[int(generator.integers(3))]
        scene.ground.append(GroundPatch(street.strip(t0, t1, BEHIND, 80), colour, alpha=0.7))
    for _ in range(int(generator.poisson(4))):  # repairs and covers, on the pavement as well
        left, right = (
            (street.kerb(-1), street.kerb(1))
            if draws.chance(0.6)
            else sorted((street.kerb(side), street.frontage(side)))
        )
        w, l = generator.uniform(0.3, 2.2), generator.uniform(0.4, 8)
        w = min(w, right - left)
        t, s = generator.uniform(left + w / 2, right - w / 2), generator.uniform(1, 25)
        tone = generator.uniform(0.55, 1.35)
        r, g, b = scene.road_colour
        patch = street.strip(t - w / 2, t + w / 2, s, s + l)
        scene.ground.append(GroundPatch(patch, (r * tone, g * tone, b * tone), alpha=0.5))


def _paint_symbol(
    draws: Draws, scene: StreetScene, street: Street, t: float, s: float, colour: Colour, opacity: float
) -> None:
    roll = draws.generator.random()
    if roll < 0.3:
        shapes = _bicycle(draws.generator)
    elif roll < 0.65:  # arrow
        shapes = [[(-0.08, 0), (0.08, 0), (0.08, 2.2), (-0.08, 2.2)], [(-0.35, 2.2), (0.35, 2.2), (0.0, 3.4)]]
        if draws.chance(0.4):
            shapes.append([(0.0, 1.2), (0.6, 1.5), (0.6, 1.9), (0.0, 1.5)])
    else:  # strokes of letters
        shapes = []
        for k in range(int(draws.generator.integers(2, 6))):
            x = (k - 2) * 0.5
            kind = draws.generator.integers(3)
            if kind != 1:
                shapes.append([(x, 0), (x + 0.09, 0), (x + 0.09, 1.8), (x, 1.8)])
            if kind != 0:
                y = draws.generator.uniform(0, 1.6)
                shapes.append([(x, y), (x + 0.4, y), (x + 0.4, y + 0.25), (x, y + 0.25)])
            shapes.append([(x + 0.3, 0), (x + 0.39, 0), (x + 0.39, 1.8), (x + 0.3, 1.8)])
    for shape in shapes:
        outline = np.array([street.point(t + x, s + y) for x, y in shape])
        scene.ground.append(GroundPatch(outline, colour, alpha=opacity))


def _bicycle(generator: Generator) -> list[list[tuple[float, float]]]:
    """The painted symbol of a cycle lane, drawn out along the road: outlines of (across, along) in metres."""
    stretch, thick, size = (
        generator.uniform(1.2, 2.2),
        generator.uniform(0.05, 0.1),
        generator.uniform(0.7, 1.1),
    )
    radius, angles = 0.36, np.linspace(0, 2 * np.pi, 13)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    wheel = np.concatenate([circle * radius, circle[::-1] * (radius - thick)])
    shapes = [np.add(wheel, (x, radius)) for x in (-0.5, 0.5)]
    saddle, head, crank = (-0.22, 0.8), (0.36, 0.86), (-0.06, radius)
    for (x0, y0), (x1, y1) in (
        ((-0.5, radius), saddle), ((-0.5, radius), crank), (crank, saddle), (crank, head), (saddle, head),
        (head, (0.5, radius)), ((-0.34, 0.9), (-0.1, 0.9)), (head, (0.2, 1.05)),
    ):  # fmt: skip
        along = np.array([x1 - x0, y1 - y0])
        across = np.array([-along[1], along[0]]) / np.hypot(*along) * thick / 2
        start, end = np.array([x0, y0]), np.array([x1, y1])
        shapes.append(np.array([start - across, end - across, end + across, start + across]))
    side = generator.choice([-1, 1])
    return [[(float(side * x * size), float(y * size * stretch)) for x, y in shape] for shape in shapes]
