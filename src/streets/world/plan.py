"""Plans a frame of the style `world`: draws a place, a day and a lens, then the street and what is on it."""

from dataclasses import dataclass, replace

import numpy as np

from streets.layout import plan_street
from streets.materials import Colour, Generator, choose, jitter
from streets.scene import StreetScene
from streets.street import SIDEWALK, TERRAIN, Draws
from streets.styles import Style
from streets.vehicles import Light
from streets.world.greens import add_greens
from streets.world.guests import add_guests
from streets.world.roads import plan_road
from streets.world.setting import Setting
from streets.world.structures import add_structures
from streets.world.tables import DAYS, LENSES, PLACES, Day, Lens, Place


@dataclass(frozen=True)
class Plan:
    """What a frame shows and how it is taken; `sky` is a key of `skies.SKIES`."""

    setting: Setting
    style: Style
    lens: Lens
    sky: str


def plan_world(style: Style, generator: Generator, *, aspect: float) -> Plan:
    """Place, day and lens each change the style; what several of them change, the later one decides.

    aspect: width over height of the picture.
    """
    name = choose(generator, dict(style.places))
    place, day = PLACES[name], DAYS[choose(generator, dict(style.days))]
    lens = LENSES[choose(generator, dict(style.lenses))]
    own = replace(style, **{**place.changes, **lens.changes, **day.changes})
    view = np.tan(np.radians(generator.uniform(*own.field_of_view)) / 2)  # of a picture twice as wide as high
    field_of_view = float(np.degrees(2 * np.arctan(view * aspect / 2)))
    own = replace(own, field_of_view=(field_of_view, field_of_view))
    sky = choose(generator, dict(day.sky))
    sunny = bool(sky in ("blue", "cumulus", "cirrus", "white") and generator.random() < day.sun)
    setting = _setting(own, generator, name, place, day, sunny=sunny, reach=max(0.8 / float(view), 1.0))
    if day.night:  # daylight as a clear measure of surfaces; `night.py` lights them
        own = replace(
            own,
            exposure=(0.9, 1.15),
            contrast=(1.0, 1.25),
            sky_gain=(1.0, 1.0),
            glare=(0.0, 0.03),
            saturation=(0.9, 1.5),
        )
    return Plan(setting, own, lens, sky)


def _setting(
    style: Style, generator: Generator, name: str, place: Place, day: Day, *, sunny: bool, reach: float
) -> Setting:
    """reach: how many times farther than a wide lens this one sees."""
    draws = Draws(style, generator)
    grass = _grass(draws)
    if place.road:
        setting = _dressed(draws, _bare_scene(draws, grass, sunny=sunny), place, day, grass)
        street, setting.lane = plan_road(draws, setting, name)
    else:
        scene, lane, street = plan_street(style, generator, sunny=sunny)
        setting = _dressed(draws, scene, place, day, grass)
        setting.lane = lane
        _recolour(draws, setting)
        add_greens(draws, setting, street, name)
    if sunny and draws.chance(day.low_sun):
        setting.scene.light, setting.scene.shadow = _low_sun(draws)
    add_structures(draws, setting, street, place, name)
    add_guests(draws, setting, street, road=place.road, reach=reach)
    return setting


def _bare_scene(draws: Draws, grass: Colour, *, sunny: bool) -> StreetScene:
    """An open land with nothing on it yet."""
    style, generator = draws.style, draws.generator
    light, shadow = draws.light(sunny)
    asphalt = draws.uniform(style.asphalt)
    tint = generator.normal(0, 4)
    return StreetScene(
        light=light,
        sunny=sunny,
        shadow=shadow,
        base=(grass, TERRAIN),
        road_colour=(asphalt + tint, asphalt, asphalt - tint),
        backdrop=choose(generator, {"trees": 4, "skyline": 1, "hills": 2}),
        palette=choose(generator, dict(style.foliage)),
        bare=draws.chance(style.bare),
        texture=draws.uniform(style.texture),
        ground_roughness=style.ground,
        modelled=style.modelled,
        wet=0.0,
    )


def _dressed(draws: Draws, scene: StreetScene, place: Place, day: Day, grass: Colour) -> Setting:
    """A scene on its day: how wet or snowed under it is, and what the road is made of."""
    snow, wet = draws.uniform(day.snow), draws.uniform(day.wet)
    paved = "setts" if draws.chance(place.setts) else "concrete" if draws.chance(0.12) else "asphalt"
    scene.wet, scene.snow = 0.0, snow
    if wet > 0.2:  # water darkens asphalt
        r, g, b = (channel * (1 - 0.35 * wet) for channel in scene.road_colour)
        scene.road_colour = (r, g, b)
    if not scene.sunny:  # dull and dark
        r, g, b = (channel * draws.generator.uniform(0.55, 0.95) for channel in grass)
        grass = (r, 0.5 * (g + r), b)
    return Setting(scene, day, 0.0, grass, snow, wet, paved)


def _grass(draws: Draws) -> Colour:
    """Lush, dull, dry or brown."""
    options: tuple[Colour, ...] = (
        (78, 96, 46), (94, 108, 56), (66, 82, 44), (118, 118, 68), (140, 126, 84), (104, 92, 66),
        (86, 100, 62),
    )  # fmt: skip
    weights = (3.0, 3.0, 2.0, 1.5, 1.0, 0.7, 2.0)
    index = int(draws.generator.choice(7, p=[weight / sum(weights) for weight in weights]))
    colour = np.array(options[index], float)
    r, g, b = (colour + draws.generator.uniform(0.1, 0.6) * (colour.mean() - colour)).tolist()
    return jitter(draws.generator, (r, g, b), 12)


def _recolour(draws: Draws, setting: Setting) -> None:
    """Verges, lawns, pavements and paint of a street in the colours of this style."""
    stones: tuple[Colour, ...] = (
        (1, 1, 1),
        (1, 1, 1),
        (1.25, 0.98, 0.86),
        (1.1, 1.02, 0.88),
        (1.3, 1.28, 1.22),
    )
    tint = np.array(stones[int(draws.generator.integers(len(stones)))])
    yellow, dark = draws.chance(0.2), 1 - 0.4 * setting.wet
    for index, patch in enumerate(setting.scene.ground):
        colour = np.array(patch.colour)
        if patch.train_id == TERRAIN:
            colour = np.array(jitter(draws.generator, setting.grass, 9))
        elif patch.train_id == SIDEWALK:
            colour = np.minimum(colour * tint * dark, 235)
        elif patch.train_id is None and yellow and colour.min() > 150:
            colour = colour * (1.0, 0.82, 0.3)
        r, g, b = colour.tolist()
        setting.scene.ground[index] = replace(patch, colour=(r, g, b))
    if setting.scene.base[1] == TERRAIN:
        setting.scene.base = (setting.grass, TERRAIN)


def _low_sun(draws: Draws) -> tuple[Light, tuple[float, float]]:
    """Sun 6 to 20 degrees high, most often ahead or aside: long shadows, dark fronts."""
    azimuth = draws.generator.normal(0, 1.1)
    elevation = np.radians(draws.generator.uniform(6, 20))
    sun = np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
    )
    ambient, direct = draws.generator.uniform(0.2, 0.5), draws.generator.uniform(0.6, 0.95)
    x, z = (-sun[[0, 2]] / sun[1]).tolist()
    return Light(sun, float(direct), float(ambient)), (x, z)
