"""What spans, crosses and clutters streets: bridges, gantries, wires, tram tracks, bins and cones."""

import numpy as np

from streets.materials import Colour, jitter
from streets.scene import GroundPatch, Post
from streets.street import BEHIND, FAR, Draws, Street
from streets.world.setting import Litter, Setting, Slab, upright
from streets.world.tables import Place

VOID = 255


def add_structures(draws: Draws, setting: Setting, street: Street, place: Place, name: str) -> None:
    """Each with the share its place gives it."""
    reach = max(street.half.values())
    if draws.chance(place.rails):
        _tracks(draws, setting, street, road=place.road)
    if draws.chance(place.bridge):
        near = draws.chance(0.2)
        _bridge(
            draws,
            setting,
            street,
            reach,
            draws.generator.uniform(2, 9) if near else draws.generator.uniform(14, 90),
        )
    if draws.chance({"highway": 0.5, "arterial": 0.35, "boulevard": 0.25, "country": 0.05}.get(name, 0.08)):
        _gantry(draws, setting, street, reach, whole=name == "highway")
    if draws.chance(0.3 if name in ("boulevard", "arterial", "city") else 0.05):
        _mast_arm(draws, setting, street)
    _wear(draws, setting, street, reach)
    if draws.chance(place.wires):
        _wires(draws, setting, street, reach)
    if draws.chance(0.45 if not place.road else 0.2):
        _clutter(draws, setting, street)


def _wear(draws: Draws, setting: Setting, street: Street, reach: float) -> None:
    """Seams of tar along and across, mended strips, covers of manholes and drains."""
    generator, ground = draws.generator, setting.scene.ground
    r, g, b = setting.scene.road_colour
    for _ in range(int(generator.poisson(1.2))):
        t, wide = generator.uniform(-reach, reach), generator.uniform(0.03, 0.1)
        tone = generator.uniform(0.35, 0.8) if draws.chance(0.8) else 1.3
        strip = street.strip(t, t + wide, BEHIND, generator.uniform(20, 90))
        ground.append(GroundPatch(strip, (r * tone, g * tone, b * tone), alpha=generator.uniform(0.4, 0.9)))
    for s in generator.uniform(2, 40, generator.poisson(1.2)):
        tone, bow = generator.uniform(0.35, 0.8), generator.normal(0, 0.6)
        ends = [(-reach, s), (reach, s + bow), (reach, s + bow + 0.08), (-reach, s + 0.08)]
        outline = np.array([street.point(t, along) for t, along in ends])
        ground.append(GroundPatch(outline, (r * tone, g * tone, b * tone), alpha=0.7))
    if draws.chance(0.3):  # a strip mended lengthwise
        t, wide, tone = (
            generator.uniform(-reach, reach),
            generator.uniform(0.8, 2.5),
            generator.uniform(0.65, 1.35),
        )
        strip = street.strip(t, t + wide, BEHIND, generator.uniform(10, 100))
        ground.append(GroundPatch(strip, (r * tone, g * tone, b * tone), alpha=0.5))
    circle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for s in generator.uniform(3, 35, generator.poisson(1.5)):
        t, size, tone = (
            generator.uniform(-reach, reach),
            generator.uniform(0.25, 0.4),
            generator.uniform(0.4, 1.2),
        )
        for grow, gain in ((1.25, 0.7), (1.0, tone)):
            points = [street.point(t + size * grow * np.sin(a), s + size * grow * np.cos(a)) for a in circle]
            ground.append(GroundPatch(np.array(points), (r * gain, g * gain, b * gain), alpha=0.8))


def _tracks(draws: Draws, setting: Setting, street: Street, *, road: bool) -> None:
    """Two tracks in the asphalt, or beside an open road in gravel or grass: those are rail track, void."""
    generator, scene = draws.generator, setting.scene
    own = road and draws.chance(0.7)
    side = generator.choice([-1, 1])
    middle = side * (street.half[side] + generator.uniform(4, 8)) if own else generator.normal(0, 1.0)
    if own:
        gravel: Colour = jitter(generator, (108, 98, 88) if draws.chance(0.7) else setting.grass, 16)
        scene.ground.append(GroundPatch(street.strip(middle - 3.4, middle + 3.4, BEHIND, FAR), gravel, VOID))
        if draws.chance(0.7):
            step = generator.uniform(0.6, 0.8)
            for s in np.arange(1, 26, step):
                for t in (middle - 1.8, middle + 1.8):
                    tie = jitter(generator, (96, 90, 84), 10)
                    scene.ground.append(
                        GroundPatch(street.strip(t - 1.2, t + 1.2, s, s + 0.26), tie, alpha=0.8)
                    )
    elif draws.chance(0.3):  # a strip of concrete or setts between the rails
        tone = generator.uniform(0.75, 1.35)
        r, g, b = scene.road_colour
        for t in (middle - 1.6, middle + 1.6):
            patch = street.strip(t - 1.1, t + 1.1, BEHIND, FAR)
            scene.ground.append(GroundPatch(patch, (r * tone, g * tone, b * tone), alpha=0.8))
    for t in (middle - 1.6, middle + 1.6):
        for rail in (t - 0.72, t + 0.72):
            tone = generator.uniform(40, 190)
            strip = street.strip(rail - 0.045, rail + 0.045, BEHIND, 110)
            scene.ground.append(GroundPatch(strip, (tone, tone * 0.97, tone * 0.94), alpha=0.85))
            dark = street.strip(rail + 0.05, rail + 0.1, BEHIND, 60)
            scene.ground.append(GroundPatch(dark, (24, 22, 22), alpha=0.7))
    if draws.chance(0.7):  # the wire over each track, and what it hangs from
        for t in (middle - 1.6, middle + 1.6):
            _hang(setting, street, t, 5.6, 0.0, 0.02)
        for s in np.arange(generator.uniform(4, 25), 110, generator.uniform(22, 35)):
            (x0, _), (x1, _) = (street.point(middle + end * (street.half[end] + 4), s) for end in (-1, 1))
            setting.wires.append((np.array([(x0, 6.4, s), (middle, 5.8, s), (x1, 6.4, s)]), 0.015))
    setting.scene.ground.sort(key=lambda patch: patch.train_id is None)  # surfaces first, paint over them


def _hang(setting: Setting, street: Street, t: float, height: float, sag: float, thick: float) -> None:
    along = np.linspace(2, 110, 24)
    points = [(*street.point(t, s), s) for s in along]
    low = sag * np.sin(np.linspace(0, 4 * np.pi, 24)) ** 2
    setting.wires.append(
        (np.array([(x, height - d, z) for (x, z, _), d in zip(points, low, strict=True)]), thick)
    )


def _bridge(draws: Draws, setting: Setting, street: Street, reach: float, s: float) -> None:
    """A deck across the road on piers; the dark underside shows where it is near."""
    generator = draws.generator
    clear, deep, wide = generator.uniform(4.5, 6.5), generator.uniform(0.9, 2.2), generator.uniform(5, 22)
    (x, z), far = street.point(0, s), 46.0
    slant = generator.normal(0, 0.12)
    a, b = (x - far, z + slant * -far), (x + far, z + slant * far)
    seed = draws.seed()
    setting.slabs.append(upright("bridge", a, b, clear, clear + deep, seed))
    back = np.array([(a[0], clear, a[1] + wide), (b[0], clear, b[1] + wide)])
    under = np.array([(a[0], clear, a[1]), (b[0], clear, b[1]), *back[::-1]])
    setting.slabs.append(Slab("lintel", under, draws.seed()))
    shade = street.strip(-reach - 8, reach + 8, s, s + wide)
    setting.scene.ground.append(GroundPatch(shade, (18, 18, 20), alpha=generator.uniform(0.3, 0.65)))
    for t in (-reach - generator.uniform(0.8, 3), reach + generator.uniform(0.8, 3)):
        for depth in (0.5, wide - 0.5):
            px, pz = street.point(t, s + depth)
            setting.slabs.append(upright("bridge", (px - 0.5, pz), (px + 0.5, pz), 0.0, clear, seed))
            setting.slabs.append(upright("bridge", (px, pz), (px, pz + 1.0), 0.0, clear, seed))
    if draws.chance(0.5):  # embankments up to it
        for side in (-1, 1):
            p, q = street.point(side * (reach + 4), s + 0.5), street.point(side * (reach + 40), s + 0.5)
            first, last = (p, q) if side > 0 else (q, p)
            setting.slabs.append(
                upright("wood", first, last, 0.0, clear * generator.uniform(0.5, 1.0), draws.seed())
            )


def _gantry(draws: Draws, setting: Setting, street: Street, reach: float, *, whole: bool) -> None:
    """Signs over the road on a beam from side to side, or on an arm."""
    generator = draws.generator
    s, high = generator.uniform(14, 70), generator.uniform(5.0, 6.8)
    side = -1 if street.left_hand else 1
    whole = whole and draws.chance(0.6)
    ends = (
        (-reach - 1.0, reach + 1.0)
        if whole
        else (side * (reach + 1.0), side * (reach - generator.uniform(2, 5)))
    )
    thick = generator.uniform(0.18, 0.4)
    for t in ends if whole else ends[:1]:
        x, z = street.point(t, s)
        setting.scene.posts.append(Post("plain", x, z, high + 1.5, thick, 0.0, draws.seed()))
    a, b = street.point(min(ends), s), street.point(max(ends), s)
    setting.wires.append((np.array([(a[0], high + 0.6, s), (b[0], high + 0.6, s)]), thick))
    setting.wires.append((np.array([(a[0], high + 1.3, s), (b[0], high + 1.3, s)]), thick * 0.7))
    t = min(ends) + generator.uniform(0.5, 1.5)
    while t < max(ends) - 1:
        wide, tall = generator.uniform(2.2, 5.5), generator.uniform(1.4, 3.0)
        (x0, z0), (x1, _) = street.point(t, s - 0.3), street.point(min(t + wide, max(ends)), s - 0.3)
        kind = "back of a board" if draws.chance(0.12) else "board"
        setting.slabs.append(upright(kind, (x0, z0), (x1, z0), high, high + tall, draws.seed()))
        t += wide + generator.uniform(0.3, 5)


def _mast_arm(draws: Draws, setting: Setting, street: Street) -> None:
    """Traffic lights that hang over the lanes from a long arm, as in America and Asia."""
    generator = draws.generator
    side, s = generator.choice([-1, 1]), generator.uniform(9, 45)
    x, z = street.point(side * (street.half[side] + 0.8), s)
    for share in np.linspace(0.45, 0.95, int(generator.integers(1, 4))):
        reach = -side * share * generator.uniform(0.9, 1.3) * street.half[side]
        setting.scene.posts.append(
            Post("lights", x, z, generator.uniform(4.6, 5.4), 0.2, float(reach), draws.seed())
        )


def _wires(draws: Draws, setting: Setting, street: Street, reach: float) -> None:
    """Poles of timber or concrete with wires between them, and some wires across the street."""
    generator = draws.generator
    side = generator.choice([-1, 1])
    t, high, step = (
        side * (reach + generator.uniform(1, 4)),
        generator.uniform(7, 11),
        generator.uniform(22, 40),
    )
    for s in np.arange(generator.uniform(3, step), 120, step):
        x, z = street.point(t, s)
        setting.scene.posts.append(Post("plain", x, z, high, generator.uniform(0.2, 0.34), 0.0, draws.seed()))
    for _ in range(int(generator.integers(1, 6))):
        _hang(
            setting,
            street,
            t + generator.normal(0, 0.5),
            high - generator.uniform(0.1, 1.6),
            generator.uniform(0.2, 0.9),
            0.015,
        )
    for s in generator.uniform(5, 80, generator.poisson(1.5)):
        a, b = street.point(-reach - 4, s), street.point(reach + 4, s + generator.normal(0, 6))
        points = np.array(
            [(a[0], high * 0.9, a[1]), ((a[0] + b[0]) / 2, high * 0.82, s), (b[0], high * 0.9, b[1])]
        )
        setting.wires.append((points, 0.02))


def _clutter(draws: Draws, setting: Setting, street: Street) -> None:
    """Bins, cones, barrels, cabinets, planters: no evaluated class, but on every street."""
    generator = draws.generator
    for _ in range(int(generator.integers(1, 6))):
        side = generator.choice([-1, 1])
        kind = ("bin", "cone", "barrel", "cabinet", "planter")[
            int(generator.choice(5, p=(0.35, 0.2, 0.1, 0.2, 0.15)))
        ]
        across = (
            generator.uniform(0.3, 2.2) if kind not in ("cone", "barrel") else generator.uniform(-1.2, 0.6)
        )
        x, z = street.point(side * (street.half[side] + across), 3 + 35 * generator.random() ** 1.4)
        height = {
            "bin": (0.8, 1.3),
            "cone": (0.5, 0.8),
            "barrel": (0.9, 1.1),
            "cabinet": (1.0, 1.6),
            "planter": (0.5, 0.9),
        }[kind]
        setting.litter.append(Litter(kind, x, z, generator.uniform(*height), draws.seed()))
