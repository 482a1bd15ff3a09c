"""Wheels of cars and heavy vehicles: arch, tyre, rim and spokes on one side of the vehicle."""

import numpy as np

from streets.materials import Generator
from streets.projection import FloatArray

_CORNERS = 12
_ANGLES = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
_DISC = np.column_stack([np.sin(_ANGLES), np.cos(_ANGLES)])


def wheels(
    generator: Generator, *, side: int, plane: float, places: tuple[float, ...], radius: float, detailed: bool
) -> tuple[FloatArray, FloatArray]:
    """Discs [N, 12, 3] in vehicle space and their colours [N, 3], in drawing order.

    side: 1 right, -1 left; plane: distance from the middle in metres; places: of the axles along z; detailed:
    with gaps in the rim, as between spokes.
    """
    metal = generator.uniform(60, 200)
    rim = generator.uniform(0.6, 0.74)
    layers = [(1.16, 11.0), (1.0, 24.0), (rim, metal)]
    if detailed:
        layers += [(rim * 0.88, metal * generator.uniform(0.3, 0.9)), (rim * 0.3, metal)]
    rings: list[tuple[FloatArray, float]] = [(_DISC * share, tone) for share, tone in layers]
    if detailed and generator.random() < 0.7:
        gaps, dark = int(generator.integers(4, 8)), generator.uniform(10, 36)
        rings += [(_gap(turn, 2 * np.pi / gaps, rim), dark) for turn in range(gaps)]
    discs, colours = [], []
    for place in places:
        for outline, tone in rings:
            ring = outline * radius
            discs.append(
                np.column_stack([np.full(_CORNERS, side * plane), ring[:, 0] + radius, ring[:, 1] + place])
            )
            colours.append((tone, tone, tone * 1.03))
    return np.array(discs), np.array(colours)


def _gap(turn: int, step: float, rim: float) -> FloatArray:
    """One of the dark gaps between spokes, [12, 2], in units of the tyre's radius."""
    angles = (turn + np.linspace(0.18, 0.82, _CORNERS // 2)) * step
    edge = np.column_stack([np.sin(angles), np.cos(angles)])
    return np.concatenate([edge * (0.86 * rim), edge[::-1] * (0.3 * rim)])
