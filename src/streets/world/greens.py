"""Greenery of streets: rows of big trees, hedges, shrubs, trees behind the houses."""

import numpy as np

from streets.scene import Upright
from streets.street import BEHIND, FAR, Draws, Street
from streets.world.roadsides import line
from streets.world.setting import Setting


def add_greens(draws: Draws, setting: Setting, street: Street, name: str) -> None:
    """Each side of its own; suburbs have the most."""
    generator = draws.generator
    lush = {"suburb": 1.2, "boulevard": 0.9, "city": 0.7, "old town": 0.35}.get(name, 0.8)
    for side in (-1, 1):
        kerb, front = street.kerb(side), street.frontage(side)
        if draws.chance(0.42 * lush):  # along the kerb, crowns over the road
            step, tall = generator.uniform(5, 13), generator.uniform(6, 17)
            for s in np.arange(generator.uniform(2, step), 100, step):
                _plant(
                    draws, setting, street, "leafy tree", kerb + side * generator.uniform(0.6, 2.2), s, tall
                )
        if draws.chance(0.3 * lush):  # a hedge or shrubs along the front
            tall, s0 = generator.uniform(0.6, 2.6), generator.uniform(BEHIND, 20)
            t = front - side * generator.uniform(0.0, 0.6)
            line(draws, setting, street, "hedge", t, s0, s0 + generator.uniform(12, 70), 0.0, tall)
        for s in generator.uniform(3, 60, generator.poisson(2.5 * lush)):
            _plant(
                draws,
                setting,
                street,
                "bush",
                front - side * generator.uniform(-1.5, 1.0),
                s,
                generator.uniform(0.6, 3.0),
            )
        if draws.chance(0.45 * lush):  # a mass of trees behind, or right at the pavement
            back = front + side * (
                generator.uniform(0.3, 3) if draws.chance(0.3 * lush) else generator.uniform(4, 20)
            )
            s0 = generator.uniform(BEHIND, 40)
            line(
                draws,
                setting,
                street,
                "wood",
                back,
                s0,
                min(s0 + generator.uniform(30, 140), FAR),
                0.0,
                generator.uniform(6, 18),
            )


def _plant(
    draws: Draws, setting: Setting, street: Street, kind: str, t: float, s: float, tall: float
) -> None:
    if kind == "leafy tree" and setting.scene.bare and draws.chance(0.85):
        kind = "bare tree"
    x, z = street.point(t, s)
    high = tall * draws.generator.uniform(0.75, 1.2)
    setting.scene.uprights.append(Upright(kind, x, z, float(high), draws.seed()))
