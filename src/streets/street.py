"""The carriageway that everything stands along, and the random choices that shape it.

The street runs along s (metres from the camera, forward) with a gentle bend; t is the offset to the right of
its middle.
"""

from dataclasses import dataclass

import numpy as np

from streets.materials import Colour, Generator, choose, jitter
from streets.projection import FloatArray
from streets.styles import Style
from streets.vehicles import Light

ROAD, SIDEWALK, TERRAIN = 0, 1, 9
FAR = 130.0  # metres: where the street is closed
BEHIND = -8.0


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


class Draws:
    """The random choices of one street: a style, a generator, and the setting drawn first."""

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
        ambient = self.uniform(self.style.shade) if sunny else self.generator.uniform(0.85, 1.0)
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
        for side in (-1, 1):
            if self.chance(0.4 * green):  # grass up to the kerb, no footpath
                verge[side], pavement[side] = max(verge[side], 1.5), 0.0
        lanes = 1 if half[-1] + half[1] < 8 else 2
        return Street(bend, half, verge, pavement, lanes, self.chance(self.style.left_hand))

    def grass(self, palette: str) -> Colour:
        base: Colour = {
            "green": (92, 116, 54),
            "autumn": (128, 116, 62),
            "dark": (62, 80, 44),
            "winter": (112, 110, 72),
        }[palette]
        return jitter(self.generator, base, 16)
