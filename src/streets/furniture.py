"""What stands at the kerb: lamps, signs, lights, bollards, railings, boards and trees."""

import numpy as np

from streets.scene import Barrier, Post, StreetScene, Upright
from streets.street import Draws, Street


def furnish(draws: Draws, scene: StreetScene, street: Street, side: int, junctions: list[float]) -> None:
    generator, style = draws.generator, draws.style
    kerb = street.kerb(side)

    def post(kind: str, t: float, s: float, height: float, width: float, reach: float = 0.0) -> None:
        x, z = street.point(t, s)
        scene.posts.append(Post(kind, x, z, float(height), float(width), float(reach), draws.seed()))

    spacing = generator.uniform(16, 36)
    if draws.chance(0.85 * style.poles):
        height, thick = generator.uniform(4.5, 11), generator.uniform(0.07, 0.16)
        reach = -side * generator.uniform(0.6, 2.6)
        for s in np.arange(generator.uniform(2, spacing), 110, spacing):
            post("lamp", kerb + side * 0.5, s, height, thick, reach)
    for s in generator.uniform(3, 75, generator.poisson(3.2 * style.poles)):
        offset = generator.uniform(0.3, max(street.pavement[side] * 0.8, 0.4))
        post("signs", kerb + side * offset, s, generator.uniform(2.0, 3.6), generator.uniform(0.05, 0.09))
    for s in generator.uniform(4, 60, generator.poisson(0.8 * style.poles)):
        post(
            "plain",
            kerb + side * generator.uniform(0.3, 1.5),
            s,
            generator.uniform(3, 9),
            generator.uniform(0.07, 0.22),
        )
    if draws.chance(0.3 * style.poles):
        step = generator.uniform(1.5, 4)
        for s in np.arange(generator.uniform(2, 10), generator.uniform(12, 40), step):
            post("bollard", kerb + side * 0.45, s, generator.uniform(0.8, 1.1), generator.uniform(0.1, 0.2))
    for s in generator.uniform(4, 45, generator.poisson(0.5 * style.poles)):
        offset = generator.uniform(0.4, max(street.pavement[side], 0.6))
        kind = "panel" if draws.chance(0.6) else "banner"
        tall = generator.uniform(1.7, 3.2) if kind == "panel" else generator.uniform(4, 7)
        post(kind, kerb + side * offset, s, tall, 0.1, side if draws.chance(0.5) else -side)
    for s in generator.uniform(4, 60, generator.poisson(1.7)):  # boards hung out from the facades
        post(
            "board",
            street.frontage(side) - side * generator.uniform(0.3, 0.9),
            s,
            generator.uniform(2.6, 6.5),
            0.05,
        )
    lights = [s for s in junctions if s > 6] or ([generator.uniform(8, 45)] if draws.chance(0.4) else [])
    for s in lights[:2]:
        if draws.chance(0.8):
            near, arm = s - generator.uniform(3, 7), -side * generator.uniform(2.0, 5.0)
            post(
                "lights",
                kerb + side * 0.5,
                near,
                generator.uniform(2.6, 4.4),
                generator.uniform(0.08, 0.13),
                arm if draws.chance(0.3) else 0.0,
            )
            for _ in range(int(generator.integers(0, 3))):
                post(
                    "lights",
                    kerb + side * generator.uniform(0.3, 1.2),
                    s + generator.uniform(3, 7),
                    generator.uniform(2.6, 4.0),
                    generator.uniform(0.08, 0.13),
                )
    if draws.chance(0.3):  # lights at the stop line just ahead
        for _ in range(int(generator.integers(1, 3))):
            place, s = kerb + side * generator.uniform(0.2, 0.8), generator.uniform(3, 9)
            post("lights", place, s, generator.uniform(2.6, 3.6), generator.uniform(0.08, 0.13))
    if draws.chance(0.22):  # railing at the kerb
        s0 = generator.uniform(1, 30)
        for start in np.arange(s0, s0 + generator.uniform(6, 24), 6):
            a, b = street.point(kerb + side * 0.3, start), street.point(kerb + side * 0.3, start + 6)
            scene.barriers.append(Barrier("railing", a, b, generator.uniform(0.9, 1.15), draws.seed()))
        for s in s0 + generator.uniform(0, 6, generator.poisson(0.8 * style.riders)):  # leant on it
            x, z = street.point(kerb + side * 0.5, s)
            scene.uprights.append(Upright("bicycle", x, max(z, 2.0), 1.05, draws.seed()))
    if draws.chance(
        {"city": 0.3, "suburb": 0.5, "park": 0.6, "boulevard": 0.6, "junction": 0.35}[draws.setting]
    ):
        step = generator.uniform(6, 16) / max(style.trees, 0.2)
        for s in np.arange(generator.uniform(3, 16), 110, step):
            if draws.chance(0.8):
                place = kerb + side * (min(street.verge[side] / 2, 1.5) + generator.uniform(0.4, 0.9))
                plant_tree(draws, scene, street, place, s, small=False)


def plant_tree(draws: Draws, scene: StreetScene, street: Street, t: float, s: float, *, small: bool) -> None:
    x, z = street.point(t, s)
    bare = scene.bare and draws.chance(0.85)
    kind = "bare tree" if bare else "leafy tree"
    height = draws.generator.uniform(2.0, 5.0) if small else draws.generator.uniform(5, 14)
    if small and draws.chance(0.4):
        kind, height = "bush", draws.generator.uniform(0.7, 2.2)
    scene.uprights.append(Upright(kind, x, z, float(height), draws.seed()))
