"""The domains: what each one's streets, light and camera are like, as ranges and weights.

A style is data. Ranges are (low, high), drawn uniformly; weights need not add to one. `gtav` is the
source, a game: clear light, strong colour, wide roads. Each target departs from it in palette, layout,
camera and weather; `varied` is a deliberately wide source for models that must work on real photographs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

Range = tuple[float, float]
Weights = tuple[tuple[str, float], ...]


def weights(**shares: float) -> Weights:
    """Names with their shares; they need not add to one."""
    return tuple(shares.items())


_WALLS = weights(brick=3, stone=2, painted=3, concrete=2, dark=0.8)
_FOLIAGE = weights(green=6, dark=1, autumn=0.6, winter=0.4)
_SKY = weights(blue=3, cloudy=3, overcast=2, white=1, dusk=0.3)


@dataclass(frozen=True)
class Style:
    """Everything that differs between domains. Lengths in metres, angles in degrees."""

    # layout
    settings: Weights  # city, suburb, park, boulevard, junction
    road_half: Range = (3.0, 6.5)
    pavement: Range = (1.4, 4.5)
    storeys: Range = (2, 5)
    walls: Weights = _WALLS
    shops: float = 0.5
    trees: float = 1.0
    parked: float = 0.5
    traffic: float = 1.0
    people: float = 1.0
    crossing: float = 1.0  # people on the carriageway, relative to the rest
    riders: float = 1.0
    poles: float = 1.0
    heavy: float = 0.18
    trams: float = 0.15
    modelled: float = 0.0  # share of vehicles and people drawn from models
    left_hand: float = 0.0
    yellow_lines: float = 0.3
    # surfaces
    asphalt: Range = (70, 120)
    paving: Range = (110, 170)
    paved_alike: float = 0.25  # share of streets whose pavement has the tone of the road
    foliage: Weights = _FOLIAGE
    bare: float = 0.1
    texture: Range = (0.7, 1.2)
    ground: float = 1.0  # roughness of the ground, relative to `texture`
    # light
    sky: Weights = _SKY
    sky_gain: Range = (1.0, 1.0)  # how far the sky outshines what the camera is set for
    sun: float = 0.6
    shade: Range = (0.5, 0.75)  # light where the sun does not reach on a sunny day
    haze: Range = (0.0003, 0.002)
    # camera
    field_of_view: Range = (50, 75)
    eye_height: Range = (1.2, 1.7)
    pitch: Range = (-1.0, 5.0)
    yaw: float = 3.0  # standard deviation
    turned: float = 0.08  # share of frames that look well to one side
    bonnet: float = 0.0
    exposure: Range = (0.85, 1.15)
    contrast: Range = (0.95, 1.15)
    pivot: float = 0.45  # the tone (0 to 1) that contrast leaves as it is; lower: bright skies burn out
    saturation: Range = (0.9, 1.1)
    cast: float = 0.03
    noise: Range = (0.5, 3.0)
    blur: Range = (0.0, 0.5)
    sharpening: Range = (0.0, 0.0)  # the camera's own, in multiples of the finest detail; below 0: none
    glare: Range = (0.0, 0.08)
    vignette: Range = (0.0, 0.15)
    jpeg: Range = (85, 98)
    # only of `streets.world`: drawn for every frame, they change the rest; without places there is one street
    places: Weights = ()
    days: Weights = ()
    lenses: Weights = ()


_GAME = Style(
    settings=weights(city=4, suburb=2, park=1, boulevard=3, junction=1.5),
    road_half=(4.0, 8.5),
    storeys=(2, 9),
    walls=weights(painted=4, concrete=3, brick=1.5, glass=1.5, stone=1),
    texture=(0.6, 1.0),
    asphalt=(64, 112),
    sky=weights(blue=5, cloudy=3, overcast=1, dusk=0.8),
    sun=0.75,
    saturation=(1.05, 1.35),
    contrast=(1.0, 1.25),
    noise=(0.0, 1.5),
    jpeg=(92, 98),
    yellow_lines=0.6,
    heavy=0.25,
)

_TARGETS: Mapping[str, Style] = MappingProxyType(
    {
        "cityscapes": Style(
            settings=weights(city=5, suburb=1, park=0.8, boulevard=1.5, junction=1.5),
            walls=weights(stone=3, painted=4, concrete=2, brick=1, dark=0.7),
            storeys=(3, 6),
            foliage=weights(dark=4, green=2, winter=1),
            bare=0.3,
            sky=weights(white=3, overcast=4, cloudy=1),
            sun=0.25,
            asphalt=(58, 92),
            paving=(86, 128),
            saturation=(0.5, 0.75),
            contrast=(0.85, 1.0),
            exposure=(0.62, 0.9),
            cast=0.05,
            glare=(0.03, 0.1),
            field_of_view=(46, 54),
            eye_height=(1.15, 1.3),
            bonnet=0.85,
            riders=2.0,
            people=1.6,
            trams=0.25,
            yellow_lines=0.02,
        ),
        "bdd100k": Style(
            settings=weights(city=3, suburb=2, park=1, boulevard=4, junction=1.5),
            road_half=(4.5, 10),
            walls=weights(brick=3, concrete=3, glass=2, painted=2, dark=1),
            storeys=(2, 8),
            sky=weights(cloudy=3, blue=2, overcast=2, white=2, dusk=3),
            sun=0.5,
            exposure=(0.5, 1.35),
            contrast=(0.8, 1.25),
            cast=0.12,
            saturation=(0.6, 1.1),
            glare=(0.05, 0.2),
            noise=(2, 7),
            blur=(0.3, 1.0),
            vignette=(0.1, 0.4),
            jpeg=(45, 75),
            field_of_view=(54, 70),
            pitch=(-4, 3),
            bonnet=0.3,
            yellow_lines=0.6,
            traffic=1.5,
        ),
        "synthia": Style(
            settings=weights(city=4, suburb=1, park=2, boulevard=2, junction=2),
            walls=weights(painted=3, glass=2, brick=3, concrete=1),
            texture=(0.15, 0.5),
            asphalt=(84, 140),
            sky=weights(blue=3, cloudy=2, white=2, dusk=1),
            foliage=weights(green=3, autumn=2),
            sun=0.6,
            saturation=(0.8, 1.5),
            contrast=(0.75, 1.3),
            cast=0.08,
            noise=(0, 0.5),
            blur=(0, 0.2),
            jpeg=(97, 99),
            field_of_view=(60, 95),
            eye_height=(1.2, 5.0),
            pitch=(0, 16),
            yaw=12,
            turned=0.35,
            people=3.0,
        ),
        "mapillary": Style(
            settings=weights(city=3, suburb=3, park=2, boulevard=2, junction=2),
            sky=weights(blue=2, cloudy=3, overcast=2, white=2, dusk=0.5),
            foliage=weights(green=3, dark=2, autumn=1, winter=1),
            bare=0.25,
            exposure=(0.7, 1.3),
            contrast=(0.8, 1.3),
            saturation=(0.6, 1.4),
            cast=0.1,
            noise=(1, 5),
            blur=(0, 0.7),
            glare=(0, 0.15),
            jpeg=(60, 92),
            field_of_view=(45, 95),
            eye_height=(1.1, 2.6),
            pitch=(-8, 9),
            yaw=10,
            turned=0.25,
            left_hand=0.3,
        ),
    }
)

_VARIED = replace(
    _GAME,
    settings=weights(city=5, suburb=2.2, park=2, boulevard=1.6, junction=2.5),
    road_half=(2.6, 7.0),
    pavement=(1.2, 5.5),
    storeys=(1.4, 6),
    walls=weights(brick=4, stone=2.5, painted=3, concrete=2, dark=2, glass=0.8, timber=0.4),
    shops=0.6,
    trees=1.3,
    people=1.6,
    crossing=0.3,
    riders=2.2,
    traffic=0.45,
    heavy=0.22,
    trams=0.1,
    modelled=0.75,
    parked=0.42,
    poles=0.9,
    asphalt=(40, 125),
    paving=(40, 130),
    paved_alike=0.7,
    foliage=weights(green=4, dark=3, autumn=1, winter=2.5),
    bare=0.65,
    texture=(0.6, 2.0),
    ground=0.55,
    sky=weights(blue=2, cloudy=2.5, overcast=2, white=4, dusk=0.9),
    sky_gain=(1.0, 2.0),
    sun=0.55,
    shade=(0.22, 0.75),
    haze=(0.0002, 0.0035),
    field_of_view=(42, 80),
    eye_height=(1.0, 2.4),
    pitch=(-5, 7),
    yaw=7,
    turned=0.2,
    bonnet=0.15,
    exposure=(0.55, 1.35),
    contrast=(0.9, 1.9),
    pivot=0.36,
    saturation=(0.15, 1.05),
    cast=0.06,
    noise=(0.3, 4.5),
    blur=(0, 0.9),
    sharpening=(-0.5, 1.4),
    glare=(0, 0.14),
    vignette=(0, 0.35),
    jpeg=(50, 97),
    left_hand=0.5,
    yellow_lines=0.3,
)

_WORLD = replace(
    _VARIED,
    places=(
        ("city", 3.8), ("old town", 1.0), ("suburb", 2.5), ("boulevard", 2.2), ("country", 1.1),
        ("forest", 1.0), ("highway", 1.4), ("arterial", 1.8),
    ),
    days=(("clear", 5.0), ("grey", 2.8), ("fog", 0.8), ("rain", 1.2), ("snow", 1.1), ("night", 1.8),
          ("dusk", 0.5)),
    lenses=(("flat", 1.6), ("hard", 2.0), ("phone", 2.2), ("action", 1.8), ("any", 1.4)),
    storeys=(1.4, 7),
    pavement=(1.4, 6.5),
    asphalt=(48, 130),
    paving=(60, 150),
    paved_alike=0.45,
    people=1.6,
    riders=1.0,
    traffic=0.8,
    parked=0.58,
    heavy=0.14,
    trams=0.0,
    trees=1.6,
    foliage=weights(green=6, dark=2, autumn=1.6, winter=1.2),
    bare=0.2,
    texture=(0.6, 1.5),
    ground=0.4,
    haze=(0.0002, 0.0025),
    shade=(0.25, 0.7),
    yaw=7.0,
    turned=0.03,
    left_hand=0.3,
    bonnet=0.0,
)  # fmt: skip

STYLES: Mapping[str, Style] = MappingProxyType(
    {"gtav": _GAME, **_TARGETS, "varied": _VARIED, "world": _WORLD}
)
