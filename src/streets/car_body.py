"""Bodies of cars and vans: a smooth shell of facets whose paint and glass mirror the street.

Vehicle space: x to the right, y up, z forward, the origin on the ground below the middle; metres. A body is
a row of cross-sections from rear to front; between two neighbours lies a ring of facets. What a facet looks
like follows from its normal: daylight on the paint, and by Schlick's approximation (1994) of Fresnel's
equations a mirror image of sky, houses or road.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from streets.materials import Colour, Generator, jitter
from streets.projection import FloatArray

PAINT, GLASS, TRIM, LAMP = range(4)

_PAINTS: tuple[tuple[float, Colour], ...] = (
    (20, (24, 25, 28)), (17, (62, 65, 70)), (17, (128, 132, 138)), (17, (186, 189, 193)),
    (14, (228, 228, 226)), (9, (26, 38, 84)), (6, (122, 22, 26)), (3, (70, 96, 140)), (3, (40, 66, 54)),
    (3, (92, 78, 62)), (1, (196, 170, 60)), (1, (190, 90, 30)),
)  # fmt: skip

# Cross-sections, rear to front: place along the length, half width, belt, top, half width of the top edge;
# fractions of length, half width and height. Then the intervals with glass on top and on the sides.
_Section = tuple[float, float, float, float, float]
_SECTIONS: dict[str, tuple[tuple[_Section, ...], tuple[int, ...], tuple[int, ...]]] = {
    "hatch": (
        ((-0.5, 0.8, 0.58, 0.61, 0.72), (-0.475, 0.94, 0.62, 0.66, 0.78), (-0.44, 0.99, 0.64, 0.7, 0.8),
         (-0.34, 1, 0.64, 0.96, 0.72), (-0.28, 1, 0.64, 0.985, 0.71), (-0.1, 1, 0.63, 1, 0.71),
         (-0.06, 1, 0.63, 1, 0.71), (0.07, 1, 0.62, 0.975, 0.7), (0.26, 1, 0.61, 0.655, 0.83),
         (0.4, 0.98, 0.57, 0.6, 0.8), (0.46, 0.92, 0.52, 0.545, 0.74), (0.5, 0.76, 0.45, 0.47, 0.62)),
        (2, 7), (3, 4, 6, 7),
    ),
    "saloon": (
        ((-0.5, 0.8, 0.6, 0.62, 0.72), (-0.475, 0.94, 0.645, 0.67, 0.78), (-0.36, 1, 0.655, 0.69, 0.79),
         (-0.21, 1, 0.65, 0.96, 0.69), (-0.15, 1, 0.65, 0.985, 0.68), (-0.03, 1, 0.64, 1, 0.68),
         (0.0, 1, 0.64, 1, 0.68), (0.1, 1, 0.64, 0.97, 0.68), (0.27, 1, 0.62, 0.66, 0.82),
         (0.41, 0.98, 0.57, 0.6, 0.78), (0.465, 0.92, 0.52, 0.54, 0.73), (0.5, 0.76, 0.45, 0.47, 0.62)),
        (2, 7), (3, 4, 6, 7),
    ),
    "estate": (
        ((-0.5, 0.84, 0.58, 0.62, 0.74), (-0.48, 0.95, 0.62, 0.68, 0.78), (-0.46, 0.99, 0.64, 0.76, 0.77),
         (-0.4, 1, 0.64, 0.955, 0.71), (-0.33, 1, 0.64, 0.975, 0.7), (-0.12, 1, 0.63, 1, 0.7),
         (-0.09, 1, 0.63, 1, 0.7), (0.09, 1, 0.62, 0.975, 0.7), (0.26, 1, 0.61, 0.65, 0.83),
         (0.41, 0.98, 0.56, 0.59, 0.8), (0.465, 0.92, 0.51, 0.535, 0.74), (0.5, 0.76, 0.45, 0.47, 0.62)),
        (2, 7), (3, 4, 6, 7),
    ),
    "suv": (
        ((-0.5, 0.86, 0.58, 0.61, 0.78), (-0.485, 0.96, 0.61, 0.66, 0.82), (-0.465, 0.99, 0.62, 0.74, 0.82),
         (-0.42, 1, 0.62, 0.955, 0.76), (-0.35, 1, 0.62, 0.985, 0.75), (-0.12, 1, 0.62, 1, 0.75),
         (-0.09, 1, 0.62, 1, 0.75), (0.1, 1, 0.62, 0.975, 0.74), (0.24, 1, 0.61, 0.67, 0.85),
         (0.42, 0.98, 0.59, 0.63, 0.82), (0.475, 0.93, 0.54, 0.57, 0.78), (0.5, 0.8, 0.47, 0.5, 0.68)),
        (2, 7), (3, 4, 6, 7),
    ),
    "van": (
        ((-0.5, 0.92, 0.52, 0.6, 0.86), (-0.497, 0.97, 0.53, 0.93, 0.86), (-0.47, 1, 0.53, 0.98, 0.86),
         (-0.3, 1, 0.53, 0.995, 0.87), (-0.1, 1, 0.53, 1, 0.87), (0.05, 1, 0.53, 1, 0.87),
         (0.09, 1, 0.53, 1, 0.87), (0.22, 1, 0.52, 0.97, 0.84), (0.36, 0.99, 0.51, 0.585, 0.84),
         (0.45, 0.95, 0.46, 0.5, 0.8), (0.48, 0.9, 0.41, 0.44, 0.74), (0.5, 0.78, 0.36, 0.39, 0.66)),
        (7,), (6, 7),
    ),
}  # fmt: skip
KINDS = tuple(_SECTIONS)


@dataclass(frozen=True)
class Shell:
    """facets [N, 4, 3], clockwise seen from outside, for a car of 1 x 1 x 1; material [N]; end [N]: -1 on
    the flat rear face, 1 on the front, 0 between."""

    facets: FloatArray
    material: NDArray[np.int64]
    end: NDArray[np.int64]


@cache
def shell(kind: str) -> Shell:
    """The body of this kind, in fractions of length, half width and height."""
    sections, top_glass, side_glass = _SECTIONS[kind]
    rings = np.stack([_ring(section) for section in sections])
    intervals = len(sections) - 1
    near, far = rings[:-1], rings[1:]
    facets = np.stack([near[:, :-1], far[:, :-1], far[:, 1:], near[:, 1:]], axis=2)
    material = np.full((intervals, facets.shape[1]), PAINT)
    material[:, [0, -1]] = TRIM
    for interval in side_glass:
        material[interval, [3, -4]] = GLASS
    for interval in top_glass:
        material[interval, 4:-4] = GLASS
    for interval in (0, intervals - 1):
        material[interval, [2, -3]] = LAMP
    caps, cap_material = zip(_cap(rings[0], flip=False), _cap(rings[-1], flip=True), strict=True)
    count = len(cap_material[0])
    return Shell(
        np.concatenate([facets.reshape(-1, 4, 3), *caps]),
        np.concatenate([material.reshape(-1), *cap_material]),
        np.repeat([0, -1, 1], [material.size, count, count]),
    )


def _ring(section: _Section) -> FloatArray:
    """One cross-section, from the right sill over the roof to the left sill: [13, 3]."""
    place, half, belt, top, edge = section
    right = [
        (0.9 * half, 0.14), (0.985 * half, 0.25), (half, 0.25 + 0.5 * (belt - 0.25)), (0.97 * half, belt),
        (edge * half, top - 0.03 - 0.04 * (top - belt)), (0.6 * edge * half, top - 0.006), (0.0, top),
    ]  # fmt: skip
    both = right + [(-x, y) for x, y in reversed(right[:-1])]
    return np.array([(x, y, place) for x, y in both])


def _cap(ring: FloatArray, *, flip: bool) -> tuple[FloatArray, NDArray[np.int64]]:
    """The flat rear or front face: a strip from left to right between neighbouring heights."""
    right, left = ring[:7], ring[:5:-1]
    facets, material = [], []
    for row in range(6):
        corners = [left[row], right[row], right[row + 1], left[row + 1]]
        facets.append(corners[::-1] if flip else corners)
        material.append(TRIM if row == 0 else PAINT)
    return np.array(facets), np.array(material)


def choose_paint(generator: Generator) -> Colour:
    """Mostly black, greys, silver and white, as cars are."""
    shares = np.array([share for share, _ in _PAINTS], float)
    return jitter(generator, _PAINTS[int(generator.choice(len(shares), p=shares / shares.sum()))][1], 12)


@dataclass(frozen=True)
class Surroundings:
    """What a car mirrors: brightness (0..255) straight up, low in the sky, of the houses and of the road."""

    zenith: float
    low_sky: float
    houses: float
    road: float

    def seen(self, height: FloatArray) -> FloatArray:
        """Brightness in directions whose vertical part is `height`, -1 (down) to 1 (up)."""
        return np.interp(
            height,
            (-1.0, -0.12, -0.02, 0.25, 0.45, 1.0),
            (0.5 * self.road, self.road, self.houses, self.houses, self.low_sky, self.zenith),
        )


def look_around(generator: Generator, daylight: float) -> Surroundings:
    """Surroundings of one car; daylight: the brightness of a white thing, about 1."""
    sky = 235 * min(daylight, 1.1)
    return Surroundings(
        zenith=sky * generator.uniform(0.55, 1),
        low_sky=sky * generator.uniform(0.7, 1.1),
        houses=sky * generator.uniform(0.1, 0.5),
        road=sky * generator.uniform(0.2, 0.45),
    )


def reflectance(cosine: FloatArray, straight: FloatArray) -> FloatArray:
    """Schlick's share of mirrored light at these cosines between view and normal; `straight`: at cosine 1."""
    return straight + (1 - straight) * (1 - cosine) ** 5


def unit_normals(facets: FloatArray) -> FloatArray:
    """Unit outward normals [N, 3] of quadrilaterals [N, 4, 3]; those without area have length 0."""
    normal = np.cross(facets[:, 3] - facets[:, 1], facets[:, 2] - facets[:, 0])
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
