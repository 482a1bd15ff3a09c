"""Where things stand: a street with kerbs, frontages, side roads, traffic, people and furniture.

The street runs along s (metres from the camera, forward) with a gentle bend; t is the offset to the
right of its middle. `plan_street` walks both sides once and returns a `Scene`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spn.simulator.materials import Colour, Generator, choose, jitter
from spn.simulator.projection import FloatArray
from spn.simulator.scene import Barrier, Building, GroundPatch, Post, Scene, Upright
from spn.simulator.styles import Style
from spn.simulator.vehicles import Light, Vehicle

ROAD, SIDEWALK, TERRAIN = 0, 1, 9
FAR = 130.0  # metres: where the street is closed
BEHIND = -8.0

_FRONTAGES: dict[str, dict[str, float]] = {
    "city": {"terrace": 8, "side": 1.0, "setback": 0.6, "open": 0.5, "gap": 0.3},
    "suburb": {"setback": 6, "terrace": 1, "open": 2, "side": 0.8, "gap": 0.8},
    "park": {"open": 6, "setback": 1.5, "terrace": 1.2, "side": 0.6, "gap": 0.4},
    "boulevard": {"terrace": 4, "open": 2.2, "setback": 1, "side": 0.8, "gap": 1.5},
    "junction": {"terrace": 4, "side": 2.4, "open": 1.2, "setback": 1, "gap": 1},
}


@dataclass(frozen=True)
class Street:
    """Shape and measures; `bend` is curvature in 1/m, half-widths and pavements by side (-1, +1)."""

    bend: float
    half: dict[int, float]
    verge: dict[int, float]
    pavement: dict[int, float]
    lanes: int
    left_hand: bool

    def point(self, t: float, s: float) -> tuple[float, float]:
        """(X, Z) of offset t at distance s."""
        return t + 0.5 * self.bend * s * s * np.sign(s), s

    def strip(self, t0: float, t1: float, s0: float, s1: float) -> FloatArray:
        """Outline of the band t0..t1, s0..s1, following the bend."""
        steps = 2 if self.bend == 0 else max(int((s1 - s0) / 9) + 2, 2)
        along = np.linspace(s0, s1, steps)
        shift = 0.5 * self.bend * along * np.abs(along)
        left = np.column_stack([t0 + shift, along])
        right = np.column_stack([t1 + shift, along])
        return np.concatenate([left, right[::-1]])

    def kerb(self, side: int) -> float:
        return side * self.half[side]

    def frontage(self, side: int) -> float:
        """Offset of the building line."""
        return side * (self.half[side] + self.verge[side] + self.pavement[side])


class _Planner:
    def __init__(self, style: Style, generator: Generator) -> None:
        self.style, self.generator = style, generator
        self.setting = choose(generator, dict(style.settings))

    def uniform(self, bounds: tuple[float, float]) -> float:
        return float(self.generator.uniform(*bounds))

    def between(self, a: float, b: float) -> float:
        return float(self.generator.uniform(min(a, b), max(a, b)))

    def chance(self, probability: float) -> bool:
        return bool(self.generator.random() < probability)

    def seed(self) -> int:
        return int(self.generator.integers(1 << 31))

    def light(self, sunny: bool) -> tuple[Light, tuple[float, float]]:
        azimuth = self.generator.uniform(0, 2 * np.pi)
        elevation = np.radians(self.generator.uniform(14, 60))
        sun = np.array(
            [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
        )
        ambient = self.generator.uniform(0.5, 0.75) if sunny else self.generator.uniform(0.85, 1.0)
        direct = self.generator.uniform(0.5, 0.85) if sunny else 0.08
        offset = -sun[[0, 2]] / sun[1]
        return Light(sun, float(direct), float(ambient)), (float(offset[0]), float(offset[1]))

    def street(self) -> Street:
        wide = self.setting in ("boulevard", "junction")
        low, high = self.style.road_half
        half = {}
        for side in (-1, 1):
            half[side] = self.uniform((low, high)) * (1.15 if wide else 1.0)
        bend = 0.0 if self.chance(0.35) else float(self.generator.normal(0, 0.0035))
        green = {"city": 0.1, "suburb": 0.45, "park": 0.5, "boulevard": 0.35, "junction": 0.2}[self.setting]
        verge = {side: self.uniform((0.8, 4.0)) if self.chance(green) else 0.0 for side in (-1, 1)}
        pavement = {side: self.uniform(self.style.pavement) for side in (-1, 1)}
        lanes = 1 if half[-1] + half[1] < 8 else 2
        return Street(bend, half, verge, pavement, lanes, self.chance(self.style.left_hand))

    # -- ground ------------------------------------------------------------------------------------

    def markings(self, scene: Scene, street: Street) -> None:
        """Centre and lane lines, kerb lines, stop lines, crossings, arrows, boxes, patches and covers."""
        generator = self.generator
        tone = generator.uniform(165, 235)
        white: Colour = (tone, tone, tone * 0.98)
        yellow: Colour = (tone, tone * generator.uniform(0.72, 0.85), 70)
        paint = yellow if self.chance(self.style.yellow_lines * 0.5) else white
        opacity = float(generator.uniform(0.5, 1.0))
        width = generator.uniform(0.08, 0.18)

        def line(t: float, s0: float, s1: float, colour: Colour, w: float = width) -> None:
            scene.ground.append(
                GroundPatch(street.strip(t - w / 2, t + w / 2, s0, s1), colour, alpha=opacity)
            )

        if self.chance(0.85):
            if self.chance(0.65):
                dash, gap = generator.uniform(1.5, 4.5), generator.uniform(2, 7)
                for s in np.arange(generator.uniform(-4, 2), 75, dash + gap):
                    line(0.0, s, s + dash, paint)
            else:
                line(0.0, BEHIND, 100, paint)
                if self.chance(0.5):
                    line(0.3, BEHIND, 100, paint)
        for side in (-1, 1):
            kerb = street.kerb(side)
            if abs(kerb) > 5.5 and self.chance(0.7):
                for s in np.arange(generator.uniform(-4, 2), 70, 7):
                    line(kerb / 2, s, s + 2.8, white)
            roll = generator.random()
            if roll < self.style.yellow_lines:
                line(kerb - side * 0.3, BEHIND, 90, yellow, 0.09)
                if self.chance(0.6):
                    line(kerb - side * 0.55, BEHIND, 90, yellow, 0.09)
            elif roll < 0.6:
                line(kerb - side * 0.35, BEHIND, 90, white, 0.12)
            gutter = jitter(generator, scene.road_colour, 12)
            shade: Colour = (gutter[0] * 0.82, gutter[1] * 0.82, gutter[2] * 0.82)
            gutter_strip = street.strip(kerb - side * 0.35, kerb, BEHIND, 90)
            scene.ground.append(GroundPatch(gutter_strip, shade, alpha=0.5))
        for s in generator.uniform(3, 60, generator.poisson(0.7)):  # zebra or dotted crossings
            step = generator.uniform(0.4, 0.65)
            for t in np.arange(street.kerb(-1) + 0.4, street.kerb(1) - 0.4, 2 * step):
                scene.ground.append(GroundPatch(street.strip(t, t + step, s, s + 2.8), white, alpha=opacity))
        for s in generator.uniform(3, 50, generator.poisson(0.8)):  # stop or give-way line
            side = 1 if self.chance(0.5) else -1
            t0, t1 = sorted((0.0, street.kerb(side)))
            scene.ground.append(GroundPatch(street.strip(t0, t1, s, s + 0.35), white, alpha=opacity))
        for _ in range(int(generator.poisson(1.2))):  # arrows, letters, cycle symbols
            t, s = generator.uniform(street.kerb(-1), street.kerb(1)) * 0.75, generator.uniform(4, 30)
            self._symbol(scene, street, t, s, white, opacity)
        if self.chance(0.08):  # yellow box
            s0, size = generator.uniform(5, 20), generator.uniform(5, 9)
            for k in np.linspace(-1, 1, 9):
                for slant in (-1, 1):
                    a = np.array(
                        [[k * size, s0], [k * size + 0.12, s0], [k * size + slant * size, s0 + size]]
                    )
                    scene.ground.append(GroundPatch(a, yellow, alpha=opacity))
        if self.chance(0.1):  # coloured cycle lane or bus lane
            side = 1 if self.chance(0.5) else -1
            t0, t1 = sorted((street.kerb(side), street.kerb(side) - side * generator.uniform(1.2, 2.6)))
            colour = ((130, 62, 52), (66, 104, 74), (70, 84, 120))[int(generator.integers(3))]
            scene.ground.append(GroundPatch(street.strip(t0, t1, BEHIND, 80), colour, alpha=0.7))
        for _ in range(int(generator.poisson(2.5))):  # repairs and covers
            t, s = generator.uniform(street.kerb(-1), street.kerb(1)), generator.uniform(1, 25)
            w, l = generator.uniform(0.3, 2.2), generator.uniform(0.4, 8)
            tone = generator.uniform(0.55, 1.35)
            r, g, b = scene.road_colour
            patch = street.strip(t - w / 2, t + w / 2, s, s + l)
            scene.ground.append(GroundPatch(patch, (r * tone, g * tone, b * tone), alpha=0.5))

    def _symbol(
        self, scene: Scene, street: Street, t: float, s: float, colour: Colour, opacity: float
    ) -> None:
        roll = self.generator.random()
        if roll < 0.5:  # arrow
            shapes = [
                [(-0.08, 0), (0.08, 0), (0.08, 2.2), (-0.08, 2.2)],
                [(-0.35, 2.2), (0.35, 2.2), (0.0, 3.4)],
            ]
            if self.chance(0.4):
                shapes.append([(0.0, 1.2), (0.6, 1.5), (0.6, 1.9), (0.0, 1.5)])
        else:  # strokes of letters or of a painted bicycle
            shapes = []
            for k in range(int(self.generator.integers(2, 6))):
                x = (k - 2) * 0.5
                kind = self.generator.integers(3)
                if kind != 1:
                    shapes.append([(x, 0), (x + 0.09, 0), (x + 0.09, 1.8), (x, 1.8)])
                if kind != 0:
                    y = self.generator.uniform(0, 1.6)
                    shapes.append([(x, y), (x + 0.4, y), (x + 0.4, y + 0.25), (x, y + 0.25)])
                shapes.append([(x + 0.3, 0), (x + 0.39, 0), (x + 0.39, 1.8), (x + 0.3, 1.8)])
        for shape in shapes:
            outline = np.array([street.point(t + x, s + y) for x, y in shape])
            scene.ground.append(GroundPatch(outline, colour, alpha=opacity))

    def surface(self, scene: Scene, street: Street, paving: Colour) -> None:
        """Pavements, verges, the carriageway and its kerbs."""
        grass = self.grass(scene.palette)
        for side in (-1, 1):
            kerb, line = street.kerb(side), street.frontage(side)
            t0, t1 = sorted((kerb, line))
            scene.ground.append(
                GroundPatch(street.strip(t0, t1, BEHIND, FAR), jitter(self.generator, paving, 8), SIDEWALK)
            )
            if street.verge[side] > 0:
                if self.chance(0.6):  # grass between kerb and footpath, or between footpath and gardens
                    edge = kerb + side * street.verge[side]
                    a, b = sorted((kerb + side * 0.15, edge))
                else:
                    edge = line - side * street.verge[side]
                    a, b = sorted((edge, line))
                scene.ground.append(GroundPatch(street.strip(a, b, BEHIND, FAR), grass, TERRAIN))
        road = street.strip(street.kerb(-1), street.kerb(1), BEHIND - 4, FAR)
        scene.ground.append(GroundPatch(road, scene.road_colour, ROAD))
        stone = jitter(self.generator, (146, 144, 138), 30)
        for side in (-1, 1):
            t0, t1 = sorted((street.kerb(side), street.kerb(side) + side * 0.15))
            scene.ground.append(GroundPatch(street.strip(t0, t1, BEHIND, 90), stone, SIDEWALK))
        if self.chance(0.1):  # slabs
            step = self.generator.uniform(0.6, 1.5)
            dark: Colour = (paving[0] * 0.8, paving[1] * 0.8, paving[2] * 0.8)
            for side in (-1, 1):
                t0, t1 = sorted((street.kerb(side), street.frontage(side)))
                for s in np.arange(1.5, 22, step):
                    scene.ground.append(GroundPatch(street.strip(t0, t1, s, s + 0.04), dark, alpha=0.7))

    def grass(self, palette: str) -> Colour:
        base: Colour = {
            "green": (92, 116, 54),
            "autumn": (128, 116, 62),
            "dark": (62, 80, 44),
            "winter": (112, 110, 72),
        }[palette]
        return jitter(self.generator, base, 16)

    # -- the two sides -----------------------------------------------------------------------------

    def side_of_street(self, scene: Scene, street: Street, side: int, paving: Colour) -> list[float]:
        """Fill one side with frontages; returns the distances of its side roads."""
        generator, style = self.generator, self.style
        junctions: list[float] = []
        weights = _FRONTAGES[self.setting]
        height = self.uniform(style.storeys) * 3.1 + 1.5
        wall = choose(generator, dict(style.walls))
        s = BEHIND + generator.uniform(0, 6)
        if self.setting == "junction" and self.chance(0.7):
            s = self._side_road(scene, street, side, generator.uniform(2, 14), paving, junctions)
        previous = "side"
        while s < FAR:
            kind = choose(generator, weights)
            if kind == "side" and (previous == "side" or s < 4):
                kind = "terrace"
            if kind == "terrace":
                for _ in range(int(generator.integers(1, 5))):
                    length = (
                        generator.uniform(4.5, 15)
                        if self.setting != "boulevard"
                        else generator.uniform(8, 26)
                    )
                    tall = max(height + generator.normal(0, 1.4), 4.0)
                    if self.chance(0.3):
                        wall = choose(generator, dict(style.walls))
                    self._building(
                        scene, street, side, s, length, tall, wall, 0.0, shop=self.chance(style.shops)
                    )
                    s += length + (generator.uniform(0.5, 3) if self.chance(0.12) else 0)
                    if s > FAR:
                        break
            elif kind == "setback":
                length = generator.uniform(7, 16)
                back = generator.uniform(2.5, 9)
                self._yard(scene, street, side, s, length, back)
                tall = generator.uniform(5.5, 9.5) if self.setting != "boulevard" else height
                self._building(scene, street, side, s + 0.5, length - 1.5, tall, wall, back, shop=False)
                s += length
            elif kind == "open":
                length = generator.uniform(10, 45)
                self._open(scene, street, side, s, length)
                s += length
            elif kind == "gap":
                length = generator.uniform(8, 24)
                self._car_park(scene, street, side, s, length)
                s += length
            else:
                s = self._side_road(scene, street, side, s, paving, junctions)
            previous = kind
        return junctions

    def _building(
        self, scene: Scene, street: Street, side: int, s: float, length: float, height: float, kind: str,
        back: float,
        *, shop: bool,
    ) -> None:  # fmt: skip
        if s > FAR:
            return
        line = street.frontage(side) + side * (back + (0.02 if back else self.generator.uniform(0, 0.25)))
        depth = self.generator.uniform(8, 14)
        a, b = (s, s + length) if side < 0 else (s + length, s)
        corners = [street.point(line, a), street.point(line, b)]
        corners += [street.point(line + side * depth, b), street.point(line + side * depth, a)]
        pitched = kind in ("brick", "painted", "timber", "stone") and height < 14 and self.chance(0.75)
        scene.buildings.append(Building(np.array(corners), height, kind, shop, pitched, self.seed()))

    def _barrier(
        self, scene: Scene, street: Street, t: float, s0: float, s1: float, *, soft: float = 0.4
    ) -> None:
        kind = choose(self.generator, {"wall": 2.2, "railing": 3.4, "hedge": soft * 6, "guardrail": 0.3})
        height = {
            "wall": self.generator.uniform(0.5, 2.4),
            "railing": self.generator.uniform(0.8, 2.0),
            "hedge": self.generator.uniform(0.6, 2.2),
            "guardrail": 0.8,
        }[kind]
        for start in np.arange(s0, s1, 12.0):
            end = min(start + 12.0, s1)
            a, b = street.point(t, start), street.point(t, end)
            scene.barriers.append(Barrier(kind, a, b, height, self.seed()))
            if kind == "wall" and height < 1.2 and self.chance(0.4):
                scene.barriers.append(Barrier("railing", a, b, height + 0.9, self.seed()))

    def _yard(self, scene: Scene, street: Street, side: int, s: float, length: float, back: float) -> None:
        line = street.frontage(side)
        if self.chance(0.75):
            t0, t1 = sorted((line, line + side * back))
            scene.ground.append(
                GroundPatch(street.strip(t0, t1, s, s + length), self.grass(scene.palette), TERRAIN)
            )
        if self.chance(0.8):
            gate = self.generator.uniform(1, 3)
            self._barrier(scene, street, line + side * 0.1, s, s + length - gate, soft=0.6)
        for _ in range(int(self.generator.poisson(0.9 * self.style.trees))):
            t = line + side * self.generator.uniform(0.8, max(back - 0.5, 1.0))
            self._tree(scene, street, t, s + self.generator.uniform(0, length), small=True)
        if self.chance(0.15):
            x, z = street.point(line + side * back * 0.5, s + length / 2)
            self._vehicle(scene, x, z, float(np.pi / 2) * side, parked=True)

    def _open(self, scene: Scene, street: Street, side: int, s: float, length: float) -> None:
        line = street.frontage(side)
        t0, t1 = sorted((line, line + side * 60))
        scene.ground.append(
            GroundPatch(street.strip(t0, t1, s, s + length), self.grass(scene.palette), TERRAIN)
        )
        if self.chance(0.7):
            self._barrier(scene, street, line + side * 0.1, s, s + length)
        count = int(self.generator.poisson(length / 5.0 * self.style.trees))
        for _ in range(min(count, 14)):
            t = line + side * (0.8 + 18 * self.generator.random() ** 1.6)
            self._tree(scene, street, t, s + self.generator.uniform(0, length), small=self.chance(0.25))
        if self.chance(0.5):  # houses behind the trees
            self._building(
                scene, street, side, s, length, self.generator.uniform(5, 11), "brick", 22.0, shop=False
            )

    def _car_park(self, scene: Scene, street: Street, side: int, s: float, length: float) -> None:
        line = street.frontage(side)
        t0, t1 = sorted((line, line + side * 30))
        colour = jitter(self.generator, scene.road_colour, 16)
        scene.ground.append(
            GroundPatch(street.strip(t0, t1, s, s + length), colour, ROAD if self.chance(0.5) else SIDEWALK)
        )
        if self.chance(0.5):
            self._barrier(scene, street, line + side * 0.1, s, s + length * 0.7, soft=0.2)
        for place in np.arange(s + 1.5, s + length - 1.5, 2.7):
            if self.chance(0.5):
                x, z = street.point(line + side * 5, float(place))
                self._vehicle(scene, x, z, float(np.pi / 2) * side, parked=True)
        kind = choose(self.generator, dict(self.style.walls))
        tall = self.generator.uniform(4, 12)
        self._building(
            scene, street, side, s, length, tall, kind, self.generator.uniform(12, 28), shop=self.chance(0.5)
        )

    def _side_road(
        self, scene: Scene, street: Street, side: int, s: float, paving: Colour, junctions: list[float]
    ) -> float:
        width = self.generator.uniform(5, 10)
        walk = self.generator.uniform(1.2, 2.6)
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
                length = self.generator.uniform(7, 14)
                if self.chance(0.8):
                    z0, z1 = row, row + 8.0
                    front = (
                        [(x, z0), (x + side * length, z0)] if row > s else [(x + side * length, z1), (x, z1)]
                    )
                    back = (
                        [(x + side * length, z1), (x, z1)] if row > s else [(x, z0), (x + side * length, z0)]
                    )
                    corners = np.array(front + back)
                    kind = choose(self.generator, dict(self.style.walls))
                    tall = self.uniform(self.style.storeys) * 3 + 1
                    scene.buildings.append(
                        Building(corners, tall, kind, self.chance(0.3), self.chance(0.5), self.seed())
                    )
                x += side * length
        for _ in range(int(self.generator.poisson(0.8))):
            x = start + side * self.generator.uniform(4, 30)
            self._vehicle(
                scene, x, middle + self.generator.uniform(-0.3, 0.3) * width, np.pi / 2 * side, parked=False
            )
        return s + width + 2 * walk

    # -- furniture, plants, people, traffic --------------------------------------------------------

    def _tree(self, scene: Scene, street: Street, t: float, s: float, *, small: bool) -> None:
        x, z = street.point(t, s)
        bare = scene.bare and self.chance(0.85)
        kind = "bare tree" if bare else "leafy tree"
        height = self.generator.uniform(2.0, 5.0) if small else self.generator.uniform(5, 14)
        if small and self.chance(0.4):
            kind, height = "bush", self.generator.uniform(0.7, 2.2)
        scene.uprights.append(Upright(kind, x, z, float(height), self.seed()))

    def _vehicle(self, scene: Scene, x: float, z: float, heading: float, *, parked: bool) -> None:
        weights = {"saloon": 3.0, "hatch": 3.5, "suv": 2.0, "van": 1.2}
        if not parked or self.chance(0.05):
            weights |= {"truck": 7 * self.style.heavy, "bus": 6 * self.style.heavy}
        kind = choose(self.generator, weights)
        heading += float(self.generator.normal(0, 0.03))
        scene.vehicles.append(Vehicle(kind, x, z, heading, self.seed()))

    def furniture(self, scene: Scene, street: Street, side: int, junctions: list[float]) -> None:
        generator, style = self.generator, self.style
        kerb = street.kerb(side)

        def post(kind: str, t: float, s: float, height: float, width: float, reach: float = 0.0) -> None:
            x, z = street.point(t, s)
            scene.posts.append(Post(kind, x, z, float(height), float(width), float(reach), self.seed()))

        spacing = generator.uniform(16, 36)
        if self.chance(0.85 * style.poles):
            height, thick = generator.uniform(4.5, 10), generator.uniform(0.10, 0.2)
            reach = -side * generator.uniform(0.6, 2.6)
            for s in np.arange(generator.uniform(2, spacing), 110, spacing):
                post("lamp", kerb + side * 0.5, s, height, thick, reach)
        for s in generator.uniform(3, 75, generator.poisson(3.2 * style.poles)):
            offset = generator.uniform(0.3, max(street.pavement[side] * 0.8, 0.4))
            post("signs", kerb + side * offset, s, generator.uniform(2.0, 3.6), generator.uniform(0.06, 0.1))
        for s in generator.uniform(4, 60, generator.poisson(0.8 * style.poles)):
            post(
                "plain",
                kerb + side * generator.uniform(0.3, 1.5),
                s,
                generator.uniform(3, 9),
                generator.uniform(0.08, 0.28),
            )
        if self.chance(0.3 * style.poles):
            step = generator.uniform(1.5, 4)
            for s in np.arange(generator.uniform(2, 10), generator.uniform(12, 40), step):
                post(
                    "bollard", kerb + side * 0.45, s, generator.uniform(0.8, 1.1), generator.uniform(0.1, 0.2)
                )
        for s in generator.uniform(4, 60, generator.poisson(0.8)):  # boards hung out from the facades
            post(
                "board",
                street.frontage(side) - side * generator.uniform(0.3, 0.9),
                s,
                generator.uniform(2.6, 4.6),
                0.05,
            )
        lights = [s for s in junctions if s > 6] or ([generator.uniform(8, 45)] if self.chance(0.4) else [])
        for s in lights[:2]:
            if self.chance(0.8):
                near, arm = s - generator.uniform(3, 7), -side * generator.uniform(2.0, 5.0)
                post(
                    "lights",
                    kerb + side * 0.5,
                    near,
                    generator.uniform(2.6, 4.4),
                    0.12,
                    arm if self.chance(0.3) else 0.0,
                )
                if self.chance(0.6):
                    post(
                        "lights",
                        kerb + side * 0.6,
                        s + generator.uniform(3, 7),
                        generator.uniform(2.6, 4.0),
                        0.12,
                    )
        if self.chance(0.18):  # railing at the kerb
            s0 = generator.uniform(1, 30)
            for start in np.arange(s0, s0 + generator.uniform(6, 24), 6):
                a, b = street.point(kerb + side * 0.3, start), street.point(kerb + side * 0.3, start + 6)
                scene.barriers.append(Barrier("railing", a, b, generator.uniform(0.9, 1.15), self.seed()))
        if self.chance(
            {"city": 0.3, "suburb": 0.5, "park": 0.6, "boulevard": 0.6, "junction": 0.35}[self.setting]
        ):
            step = generator.uniform(6, 16) / max(style.trees, 0.2)
            for s in np.arange(generator.uniform(3, 16), 110, step):
                if self.chance(0.8):
                    place = kerb + side * (min(street.verge[side] / 2, 1.5) + generator.uniform(0.4, 0.9))
                    self._tree(scene, street, place, s, small=False)

    def people(self, scene: Scene, street: Street, side: int) -> None:
        generator, style = self.generator, self.style
        kerb, line = street.kerb(side), street.frontage(side)
        density = {"city": 6.5, "suburb": 2.0, "park": 2.6, "boulevard": 4.5, "junction": 6.0}[self.setting]
        count = int(generator.poisson(density * style.people * generator.uniform(0.2, 1.4)))
        while count > 0:
            group = min(int(generator.integers(1, 5)), count)
            s = 3.5 + 60 * generator.random() ** 1.3
            t = self.between(kerb + side * 0.3, line - side * 0.2)
            for _ in range(group):
                x, z = street.point(t + generator.normal(0, 0.5), s + generator.normal(0, 0.7))
                scene.uprights.append(
                    Upright("person", x, max(z, 2.0), generator.uniform(1.5, 1.9), self.seed())
                )
            count -= group
        for s in generator.uniform(6, 50, generator.poisson(0.5 * style.people)):  # somebody crossing
            x, z = street.point(generator.uniform(street.kerb(-1), street.kerb(1)), s)
            scene.uprights.append(Upright("person", x, z, generator.uniform(1.55, 1.9), self.seed()))
        for s in 4.5 + 50 * generator.random(generator.poisson(0.9 * style.riders)) ** 1.5:
            t = kerb - side * generator.uniform(0.4, 2.6) if self.chance(0.85) else (kerb + line) / 2
            x, z = street.point(t, s)
            kind = "cyclist" if self.chance(0.7) else "motorcyclist"
            scene.uprights.append(Upright(kind, x, z, generator.uniform(1.6, 1.85), self.seed()))
        for s in generator.uniform(
            4, 45, generator.poisson(0.45 * style.riders)
        ):  # parked two-wheelers, often in rows
            kind = "bicycle" if self.chance(0.7) else "motorcycle"
            t = self.between(kerb + side * 0.4, line - side * 0.2)
            for k in range(int(generator.integers(1, 5))):
                x, z = street.point(t, s + k * 0.7)
                scene.uprights.append(Upright(kind, x, z, 1.05, self.seed()))

    def traffic(self, scene: Scene, street: Street, own_lane: float) -> None:
        generator, style = self.generator, self.style
        for side in (-1, 1):
            kerb = street.kerb(side)
            forward = (side > 0) != street.left_hand
            heading = 0.0 if forward else np.pi
            reserved = 0.0
            if self.chance(style.parked) and abs(kerb) > 3.2:
                reserved = 2.1
                s = generator.uniform(-3, 14)
                for _ in range(int(generator.integers(2, 14))):
                    x, z = street.point(kerb - side * 1.05, s)
                    self._vehicle(scene, x, z, heading if self.chance(0.75) else heading + np.pi, parked=True)
                    s += generator.uniform(5.2, 8) if self.chance(0.8) else generator.uniform(8, 20)
            lanes = max(int((abs(kerb) - reserved) / 3.0), 1)
            for lane in range(lanes):
                t = side * (abs(kerb) - reserved) * (lane + 0.5) / lanes
                blocked = forward and abs(t - own_lane) < 1.7
                s = generator.uniform(7 if blocked else (2 if abs(t - own_lane) > 2.2 else 7), 40)
                for _ in range(int(generator.poisson(1.9 * style.traffic))):
                    if s > 110:
                        break
                    x, z = street.point(t + generator.normal(0, 0.2), s)
                    turn = street.bend * s
                    self._vehicle(scene, x, z, heading + turn, parked=False)
                    s += generator.uniform(7, 12) if self.chance(0.4) else generator.uniform(12, 45)
        if self.chance(style.trams):
            t = generator.uniform(street.kerb(-1), street.kerb(1)) * 0.6
            if abs(t - own_lane) > 2.6:
                x, z = street.point(t, generator.uniform(14, 55))
                scene.vehicles.append(Vehicle("train", x, z, float(generator.normal(0, 0.05)), self.seed()))
            for rail in (t - 0.72, t + 0.72):
                scene.ground.append(
                    GroundPatch(street.strip(rail - 0.04, rail + 0.04, BEHIND, 90), (60, 58, 56), alpha=0.8)
                )

    def end_of_street(self, scene: Scene, street: Street) -> None:
        """Close the view: a row of buildings, trees, or nothing but the backdrop."""
        roll = self.generator.random()
        s = self.generator.uniform(38, FAR) if roll < 0.3 else FAR
        if roll < 0.55:
            t = -40.0
            while t < 40:
                width = self.generator.uniform(6, 16)
                (x0, _), (x1, _) = street.point(t, s), street.point(t + width, s)
                corners = np.array([[x0, s], [x1, s], [x1, s + 10], [x0, s + 10]])
                kind = choose(self.generator, dict(self.style.walls))
                tall = self.uniform(self.style.storeys) * 3 + 2
                scene.buildings.append(
                    Building(corners, tall, kind, self.chance(0.4), self.chance(0.5), self.seed())
                )
                t += width
        elif roll < 0.85:
            for _ in range(10):
                self._tree(
                    scene,
                    street,
                    self.generator.uniform(-30, 30),
                    s + self.generator.uniform(-15, 5),
                    small=False,
                )


def plan_street(style: Style, generator: Generator, *, sunny: bool) -> tuple[Scene, float]:
    """A scene and the offset of the camera's lane from the middle of the street, in metres."""
    planner = _Planner(style, generator)
    light, shadow = planner.light(sunny)
    palette = choose(generator, dict(style.foliage))
    asphalt = planner.uniform(style.asphalt)
    tint = generator.normal(0, 3, 2)
    road_colour: Colour = (asphalt + float(tint[0]), asphalt, asphalt + float(tint[1]))
    tone = planner.uniform(style.paving)
    paving: Colour = (tone * generator.uniform(0.98, 1.1), tone, tone * generator.uniform(0.86, 1.02))
    if planner.chance(style.paved_alike):
        paving = jitter(generator, road_colour, 14)
    rural = planner.setting in ("suburb", "park")
    base = (planner.grass(palette), TERRAIN) if rural else (paving, SIDEWALK)
    scene = Scene(
        light=light,
        sunny=sunny,
        shadow=shadow,
        base=base,
        road_colour=road_colour,
        backdrop=choose(generator, {"trees": 3, "skyline": 3, "hills": 1}),
        palette=palette,
        bare=planner.chance(style.bare),
        texture=planner.uniform(style.texture),
        wet=float(generator.uniform(0.3, 0.8)) if planner.chance(0.12) else 0.0,
    )
    street = planner.street()
    planner.surface(scene, street, paving)
    first_marking = len(scene.ground)
    junctions = {side: planner.side_of_street(scene, street, side, paving) for side in (-1, 1)}
    yards, scene.ground[first_marking:] = scene.ground[first_marking:], []
    scene.ground.extend(yards)
    planner.markings(scene, street)
    side = -1 if street.left_hand else 1
    lane = abs(street.kerb(side)) * (0.5 if street.lanes == 1 else float(generator.choice([0.3, 0.5, 0.65])))
    own_lane = side * lane
    for each in (-1, 1):
        planner.furniture(scene, street, each, junctions[each])
        planner.people(scene, street, each)
    planner.traffic(scene, street, own_lane)
    planner.end_of_street(scene, street)
    return scene, own_lane
