"""Classes that are rare in streets, placed so that each is often seen at a useful size."""

import numpy as np

from streets.scene import Barrier, Post, Upright
from streets.street import Draws, Street
from streets.vehicles import Vehicle
from streets.world.setting import Setting


def add_guests(draws: Draws, setting: Setting, street: Street, *, road: bool, reach: float) -> None:
    """Heavy vehicles, riders and parked two-wheelers, walls, fences, signs, lights; each now and then.

    reach: how many times farther than a wide lens the camera sees; things stand as much farther away.
    """
    for kind, share in (("bus", 0.2), ("train", 0.2), ("truck", 0.22), ("van", 0.14), ("pickup", 0.1)):
        if draws.chance(share):
            _heavy(draws, setting, street, reach, kind)
    if draws.chance(0.36):
        _two_wheelers(draws, setting, street, reach, "motorcycle", near=not road)
    if draws.chance(0.12 if road else 0.2):
        _riders(draws, setting, street, reach)
    if not road and draws.chance(0.25):
        _two_wheelers(draws, setting, street, reach, "bicycle", near=True)
    if not road and draws.chance(0.55):
        _walls(draws, setting, street)
    if draws.chance(0.35):
        _signs(draws, setting, street, reach)
    if not road and draws.chance(0.5):
        _people(draws, setting, street, reach)


def _clear(setting: Setting, x: float, z: float, reach: float) -> None:
    """Take away the vehicles that stand where a longer one is to be."""
    vehicles = setting.scene.vehicles
    setting.scene.vehicles = [v for v in vehicles if abs(v.x - x) > 2.6 or abs(v.z - z) > reach]


def _heavy(draws: Draws, setting: Setting, street: Street, reach: float, kind: str) -> None:
    """Ahead in the own lane, oncoming, beside, or crossing; seldom far."""
    generator = draws.generator
    own, way = setting.lane, generator.random()
    s = (7 + 32 * generator.random() ** 1.3) * reach
    if kind == "train":
        s += 6
    if way < 0.4:
        t, heading = own + generator.normal(0, 0.3), 0.0
        s += 5
    elif way < 0.82 or kind == "train":
        side = -np.sign(own) or 1
        t, heading = own + side * generator.uniform(3.2, 5.5), np.pi if draws.chance(0.75) else 0.0
    elif way < 0.92:  # at the kerb
        side = np.sign(own) or 1
        t, heading = side * (street.half[int(side)] - 1.3), 0.0
        if abs(t - own) < 2.6:
            t = own + side * 3.0
    else:
        t, heading, s = generator.uniform(-6, 6), np.pi / 2 * generator.choice([-1, 1]), s + 8
    x, z = street.point(t, s)
    _clear(setting, x, z, 17 if kind == "train" else 10)
    heading += street.bend * s + generator.normal(0, 0.04)
    setting.scene.vehicles.append(Vehicle(kind, x, z, float(heading), draws.seed()))


def _two_wheelers(
    draws: Draws, setting: Setting, street: Street, reach: float, kind: str, *, near: bool
) -> None:
    """A row of them parked at the kerb, or one or two ridden ahead."""
    generator = draws.generator
    side = int(generator.choice([-1, 1]))
    s = (4 + 18 * generator.random() ** 1.4) * reach
    if near and draws.chance(0.65):
        t = street.kerb(side) + side * generator.uniform(-0.6, 1.2)
        for k in range(int(generator.integers(2, 9))):
            x, z = street.point(t + generator.normal(0, 0.15), s + k * generator.uniform(0.45, 0.9))
            setting.scene.uprights.append(
                Upright(kind, x, z, float(generator.uniform(1.0, 1.25)), draws.seed())
            )
        return
    for _ in range(int(generator.integers(1, 3))):
        x, z = street.point(setting.lane + generator.uniform(-2.5, 2.5), s + generator.uniform(1, 8))
        name = "motorcyclist" if kind == "motorcycle" else "cyclist"
        setting.scene.uprights.append(Upright(name, x, z, float(generator.uniform(1.55, 1.85)), draws.seed()))


def _riders(draws: Draws, setting: Setting, street: Street, reach: float) -> None:
    generator = draws.generator
    for _ in range(int(generator.integers(1, 4))):
        side = int(generator.choice([-1, 1]))
        x, z = street.point(
            street.kerb(side) - side * generator.uniform(-0.5, 1.6),
            (4.5 + 18 * generator.random() ** 1.3) * reach,
        )
        kind = "cyclist" if draws.chance(0.7) else "motorcyclist"
        setting.scene.uprights.append(Upright(kind, x, z, float(generator.uniform(1.55, 1.85)), draws.seed()))


def _people(draws: Draws, setting: Setting, street: Street, reach: float) -> None:
    """A group near by on the pavement, or crossing."""
    generator = draws.generator
    side = int(generator.choice([-1, 1]))
    t = street.kerb(side) + side * generator.uniform(-2.0, 1.5)
    s = generator.uniform(4, 16) * reach
    for _ in range(int(generator.integers(1, 6))):
        x, z = street.point(t + generator.normal(0, 0.8), s + generator.normal(0, 0.8))
        height = generator.uniform(1.0, 1.9) if draws.chance(0.15) else generator.uniform(1.55, 1.9)
        setting.scene.uprights.append(Upright("person", x, max(z, 2.5), float(height), draws.seed()))


def _walls(draws: Draws, setting: Setting, street: Street) -> None:
    """A wall or a fence along the back of the pavement, or a low one at its edge."""
    generator = draws.generator
    side = int(generator.choice([-1, 1]))
    t = street.frontage(side) - side * generator.uniform(0.05, 0.4)
    s0, kind = generator.uniform(-6, 12), "wall" if draws.chance(0.6) else "railing"
    seed, high = draws.seed(), generator.uniform(0.5, 2.8)
    for s in np.arange(s0, s0 + generator.uniform(10, 45), 12.0):
        a, b = street.point(t, s), street.point(t, s + 12)
        setting.scene.barriers.append(Barrier(kind, a, b, float(high), seed))
        if draws.chance(0.3):
            over = street.point(t + side * 0.5, s), street.point(t + side * 0.5, s + 12)
            setting.scene.barriers.append(
                Barrier("hedge", *over, float(high * generator.uniform(1.1, 1.7)), draws.seed())
            )


def _signs(draws: Draws, setting: Setting, street: Street, reach: float) -> None:
    """Signs and lights close by, so that they are seen large as well."""
    generator = draws.generator
    for _ in range(int(generator.integers(1, 4))):
        side = int(generator.choice([-1, 1]))
        x, z = street.point(
            street.kerb(side) + side * generator.uniform(0.3, 1.5), generator.uniform(3.5, 14) * reach
        )
        kind = "signs" if draws.chance(0.6) else "lights"
        reach = -side * generator.uniform(2, 4) if kind == "lights" and draws.chance(0.3) else 0.0
        high = generator.uniform(2.2, 4.0)
        setting.scene.posts.append(
            Post(kind, x, z, float(high), float(generator.uniform(0.06, 0.13)), float(reach), draws.seed())
        )
