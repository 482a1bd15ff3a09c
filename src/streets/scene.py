"""What a street is made of: plain records that the layout places and the renderer draws.

Ground shapes are outlines [N, 2] of (X, Z) in metres; upright things stand at (x, z) on the ground.
"""

from dataclasses import dataclass, field

from streets.materials import Colour
from streets.projection import FloatArray
from streets.vehicles import Light, Vehicle


@dataclass(frozen=True)
class GroundPatch:
    """Paint on the ground, in drawing order; train_id None keeps the label below (markings)."""

    outline: FloatArray
    colour: Colour
    train_id: int | None = None
    alpha: float = 1.0


@dataclass(frozen=True)
class Building:
    """An upright box on a rectangular footprint [4, 2], front edge first (corner 0 to corner 1)."""

    footprint: FloatArray
    height: float
    kind: str
    shop: bool
    pitched: bool
    seed: int


@dataclass(frozen=True)
class Barrier:
    """A wall, fence, railing, hedge or arcade along a line from `start` to `end`, (X, Z) each."""

    kind: str  # wall, railing (any), bars, mesh, guardrail, hedge or arcade
    start: tuple[float, float]
    end: tuple[float, float]
    height: float
    seed: int


@dataclass(frozen=True)
class Upright:
    """Anything drawn as a picture facing the camera; height in metres.

    kind: person, cyclist, motorcyclist, bicycle, motorcycle, leafy tree, bare tree or bush.
    """

    kind: str
    x: float
    z: float
    height: float
    seed: int
    y: float = 0.0


@dataclass(frozen=True)
class Post:
    """A pole with what it carries: nothing, lamp, signs, lights, gantry, board, banner, panel or bollard."""

    kind: str
    x: float
    z: float
    height: float
    width: float
    reach: float  # metres of arm towards positive X
    seed: int


@dataclass
class StreetScene:
    """One street; `backdrop` names what closes the view at the horizon."""

    light: Light
    sunny: bool
    shadow: tuple[float, float]  # ground offset of a shadow for each metre of height
    base: tuple[Colour, int]
    road_colour: Colour
    backdrop: str
    palette: str
    bare: bool
    texture: float
    ground_roughness: float  # of the ground, relative to `texture`
    wet: float
    snow: float = field(default=0.0, kw_only=True)  # cover of the roofs, 0 to 1
    modelled: float = field(default=0.0, kw_only=True)  # share of vehicles and people drawn from models
    ground: list[GroundPatch] = field(default_factory=list)
    buildings: list[Building] = field(default_factory=list)
    barriers: list[Barrier] = field(default_factory=list)
    uprights: list[Upright] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    vehicles: list[Vehicle] = field(default_factory=list)
