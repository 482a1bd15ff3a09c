"""What the style `world` adds to a street: slabs, wires, litter, and what day it is. Plain records."""

from dataclasses import dataclass, field

import numpy as np

from streets.materials import Colour
from streets.projection import FloatArray
from streets.scene import StreetScene
from streets.world.tables import Day


@dataclass(frozen=True)
class Slab:
    """A flat thing. corners [4, 3]: bottom left, bottom right, top right, top left as seen from the street;
    kind: of `slabs.LABELS`."""

    kind: str
    corners: FloatArray
    seed: int

    @property
    def size(self) -> tuple[float, float]:
        """Length along the lower edge and slant height, in metres."""
        a, b, _, d = self.corners
        return float(np.linalg.norm(b - a)), float(np.linalg.norm(d - a))


@dataclass(frozen=True)
class Litter:
    """A thing of no class in the way: bin, cone, barrel, cabinet, crate or planter."""

    kind: str
    x: float
    z: float
    height: float
    seed: int


@dataclass
class Setting:
    """A street on its day. snow: cover of the ground, 0 to 1; wet: shine of the road, 0 to 1; paved: what the
    carriageway is made of: asphalt, concrete or setts."""

    scene: StreetScene
    day: Day
    lane: float
    grass: Colour
    snow: float
    wet: float
    paved: str
    slabs: list[Slab] = field(default_factory=list)
    wires: list[tuple[FloatArray, float]] = field(default_factory=list)  # points [N, 3], thickness in metres
    litter: list[Litter] = field(default_factory=list)


def upright(
    kind: str, a: tuple[float, float], b: tuple[float, float], low: float, high: float, seed: int
) -> Slab:
    """A slab that stands over the ground line from (X, Z) `a` to `b` between two heights."""
    corners = np.array([(a[0], low, a[1]), (b[0], low, b[1]), (b[0], high, b[1]), (a[0], high, a[1])])
    return Slab(kind, corners, seed)
