"""Who is in the street: vehicles parked and moving, people, riders and their two-wheelers."""

import numpy as np

from streets.materials import choose
from streets.scene import GroundPatch, StreetScene, Upright
from streets.street import BEHIND, Draws, Street
from streets.vehicles import Vehicle


def place_traffic(draws: Draws, scene: StreetScene, street: Street, own_lane: float) -> None:
    generator, style = draws.generator, draws.style
    for side in (-1, 1):
        kerb = street.kerb(side)
        forward = (side > 0) != street.left_hand
        heading = 0.0 if forward else np.pi
        reserved = 0.0
        if draws.chance(style.parked) and abs(kerb) > 3.2:
            reserved = 2.1
            s, close = generator.uniform(-3, 14), generator.uniform(5.4, 8)
            for _ in range(int(generator.integers(2, 16))):
                x, z = street.point(kerb - side * 1.05, s)
                place_vehicle(
                    draws, scene, x, z, heading if draws.chance(0.75) else heading + np.pi, parked=True
                )
                s += generator.uniform(4.9, close) if draws.chance(0.85) else generator.uniform(8, 20)
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
                place_vehicle(draws, scene, x, z, heading + turn, parked=False)
                s += generator.uniform(7, 12) if draws.chance(0.4) else generator.uniform(12, 45)
    if draws.chance(style.trams):
        t = generator.uniform(street.kerb(-1), street.kerb(1)) * 0.6
        if abs(t - own_lane) > 2.6:
            x, z = street.point(t, generator.uniform(14, 55))
            scene.vehicles.append(Vehicle("train", x, z, float(generator.normal(0, 0.05)), draws.seed()))
        for rail in (t - 0.72, t + 0.72):
            scene.ground.append(
                GroundPatch(street.strip(rail - 0.04, rail + 0.04, BEHIND, 90), (60, 58, 56), alpha=0.8)
            )


def place_people(draws: Draws, scene: StreetScene, street: Street, side: int) -> None:
    generator, style = draws.generator, draws.style
    kerb, line = street.kerb(side), street.frontage(side)
    density = {"city": 6.5, "suburb": 2.0, "park": 2.6, "boulevard": 4.5, "junction": 6.0}[draws.setting]
    count = int(generator.poisson(density * style.people * generator.uniform(0.2, 1.4)))
    while count > 0:
        group = min(int(generator.integers(1, 5)), count)
        s = 3.5 + 60 * generator.random() ** 1.3
        t = draws.between(kerb + side * 0.3, line - side * 0.2)
        for _ in range(group):
            x, z = street.point(t + generator.normal(0, 0.5), s + generator.normal(0, 0.7))
            scene.uprights.append(
                Upright("person", x, max(z, 2.0), generator.uniform(1.5, 1.9), draws.seed())
            )
        count -= group
    # somebody crossing
    for s in generator.uniform(6, 50, generator.poisson(0.5 * style.people * style.crossing)):
        x, z = street.point(generator.uniform(street.kerb(-1), street.kerb(1)), s)
        scene.uprights.append(Upright("person", x, z, generator.uniform(1.55, 1.9), draws.seed()))
    if side > 0 and draws.chance(0.08 * style.crossing):
        _group_ahead(
            draws, scene, street, "person", (4, 11), most=4, spread=0.7, nearest=3.0, tall=(1.5, 1.9)
        )
    if side > 0 and draws.chance(0.06 * style.riders):
        _group_ahead(
            draws, scene, street, "cyclist", (5, 22), most=3, spread=1.2, nearest=3.5, tall=(1.6, 1.85)
        )
    for s in 4.5 + 50 * generator.random(generator.poisson(1.1 * style.riders)) ** 1.5:
        t = kerb - side * generator.uniform(0.4, 2.6) if draws.chance(0.85) else (kerb + line) / 2
        x, z = street.point(t, s)
        kind = "cyclist" if draws.chance(0.85) else "motorcyclist"
        scene.uprights.append(Upright(kind, x, z, generator.uniform(1.6, 1.85), draws.seed()))
    for s in generator.uniform(
        4, 45, generator.poisson(0.45 * style.riders)
    ):  # parked two-wheelers, often in rows
        kind = "bicycle" if draws.chance(0.85) else "motorcycle"
        t = draws.between(kerb + side * 0.4, line - side * 0.2)
        for k in range(int(generator.integers(1, 5))):
            x, z = street.point(t, s + k * 0.7)
            scene.uprights.append(Upright(kind, x, z, 1.05, draws.seed()))


def _group_ahead(
    draws: Draws, scene: StreetScene, street: Street, kind: str, distance: tuple[float, float], *,
    most: int, spread: float, nearest: float, tall: tuple[float, float],
) -> None:  # fmt: skip
    """One to `most` of a kind, close together on the carriageway before the camera."""
    generator = draws.generator
    s, t = generator.uniform(*distance), generator.uniform(street.kerb(-1), street.kerb(1))
    for dt, ds in generator.normal(0, spread, (int(generator.integers(1, most + 1)), 2)):
        x, z = street.point(t + dt, max(s + ds, nearest))
        scene.uprights.append(Upright(kind, x, z, generator.uniform(*tall), draws.seed()))


def place_vehicle(
    draws: Draws, scene: StreetScene, x: float, z: float, heading: float, *, parked: bool
) -> None:
    weights = {"saloon": 2.5, "hatch": 3.5, "estate": 1.3, "suv": 2.0, "van": 1.2}
    if not parked or draws.chance(0.05):
        weights |= {"truck": 7 * draws.style.heavy, "bus": 6 * draws.style.heavy}
    kind = choose(draws.generator, weights)
    heading += float(draws.generator.normal(0, 0.03))
    scene.vehicles.append(Vehicle(kind, x, z, heading, draws.seed()))
