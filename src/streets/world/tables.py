"""Places, days and cameras of the style `world`, as changes to a style: data, drawn anew for every frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from streets.styles import Range, Weights, weights


@dataclass(frozen=True)
class Place:
    """road: an open road, without frontages; setts, rails, bridge, wires: shares of frames."""

    changes: Mapping[str, Any]
    road: bool = False
    setts: float = 0.05
    rails: float = 0.12
    bridge: float = 0.03
    wires: float = 0.3


@dataclass(frozen=True)
class Day:
    """sky: weights over `skies.SKIES`; fog: extinction in 1/m; snow, wet: cover and shine;
    falls: share of frames with rain or snow in the air."""

    sky: Weights
    changes: Mapping[str, Any] = field(default_factory=dict)
    sun: float = 0.0
    low_sun: float = 0.0  # share of sunny frames with the sun under 20 degrees
    fog: Range = (0.0, 0.0)
    snow: Range = (0.0, 0.0)
    wet: Range = (0.0, 0.0)
    drops: float = 0.02
    falls: float = 0.0
    night: bool = False


@dataclass(frozen=True)
class Lens:
    """A camera and what is before it. ego: share of frames with some of the own car in view, by kind."""

    changes: Mapping[str, Any]
    ego: Weights = ()
    star: float = 0.0
    reflection: float = 0.05
    dirt: float = 0.1


PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "city": Place(
            {
                "settings": weights(city=5, junction=3),
                "road_half": (2.8, 6.2),
                "pavement": (1.8, 8.0),
                "people": 2.2,
                "trees": 1.2,
            },
            setts=0.1,
            rails=0.3,
            wires=0.4,
        ),
        "old town": Place(
            {
                "settings": weights(city=1),
                "road_half": (2.4, 4.2),
                "pavement": (1.2, 4.5),
                "people": 3.2,
                "walls": weights(painted=5, stone=4, brick=1.5, timber=1, dark=0.5),
                "traffic": 0.3,
            },
            setts=0.6,
            rails=0.2,
        ),
        "suburb": Place(
            {"settings": weights(suburb=5, park=2), "road_half": (2.6, 4.8), "trees": 2.2, "people": 1.0}
        ),
        "boulevard": Place(
            {
                "settings": weights(boulevard=4, junction=2),
                "road_half": (5.0, 9.5),
                "pavement": (2.0, 9.0),
                "storeys": (3, 14),
                "trees": 1.8,
                "traffic": 0.8,
                "walls": weights(concrete=3, glass=3, painted=2, stone=2, brick=1),
            },
            rails=0.3,
            bridge=0.08,
        ),
        "country": Place({"traffic": 0.5, "people": 0.1, "trees": 1.5}, road=True, setts=0.0, rails=0.12),
        "forest": Place({"traffic": 0.5, "people": 0.1}, road=True, setts=0.0, rails=0.04, wires=0.1),
        "highway": Place(
            {"traffic": 1.4, "people": 0.0, "heavy": 0.35},
            road=True,
            setts=0.0,
            rails=0.0,
            bridge=0.35,
            wires=0.1,
        ),
        "arterial": Place(
            {"traffic": 1.0, "people": 0.4, "heavy": 0.3},
            road=True,
            setts=0.0,
            rails=0.3,
            bridge=0.15,
            wires=0.5,
        ),
    }
)

DAYS: Mapping[str, Day] = MappingProxyType(
    {
        "clear": Day(
            weights(blue=4, cumulus=4, cirrus=2, white=1.5), {"shade": (0.25, 0.6)}, sun=0.85, low_sun=0.35
        ),
        "grey": Day(weights(overcast=4, white=5, clouds=1), {"haze": (0.0003, 0.004)}),
        "fog": Day(
            weights(fog=1),
            {"saturation": (0.3, 0.8), "exposure": (0.65, 1.1)},
            fog=(0.003, 0.025),
            wet=(0.0, 0.3),
        ),
        "rain": Day(
            weights(overcast=4, white=3, clouds=0.6),
            {"saturation": (0.35, 0.9), "haze": (0.002, 0.008), "exposure": (0.7, 1.15)},
            wet=(0.35, 1.0),
            drops=0.35,
            falls=0.3,
        ),
        "snow": Day(
            weights(overcast=3, white=3, fog=0.5),
            {"saturation": (0.25, 0.8), "bare": 0.75, "haze": (0.001, 0.008), "exposure": (0.6, 1.1)},
            snow=(0.1, 1.0),
            wet=(0.0, 0.6),
            drops=0.15,
            falls=0.3,
        ),
        "night": Day(weights(night=1), {"people": 0.8}, wet=(0.0, 0.5), drops=0.1, night=True),
        "dusk": Day(weights(dusk=3, clouds=1), {"exposure": (0.45, 0.8)}),
    }
)

LENSES: Mapping[str, Lens] = MappingProxyType(
    {
        "flat": Lens(
            {
                "exposure": (0.68, 1.15),
                "contrast": (0.9, 1.25),
                "saturation": (0.5, 0.95),
                "cast": 0.04,
                "blur": (0.3, 1.1),
                "sharpening": (-1.0, 0.5),
                "noise": (0.3, 2.2),
                "jpeg": (85, 98),
                "glare": (0.0, 0.1),
                "sky_gain": (1.0, 1.5),
                "field_of_view": (42, 65),
                "eye_height": (1.1, 1.6),
                "pitch": (-2, 4),
            },
            ego=weights(bonnet=0.75),
            star=0.6,
        ),
        "hard": Lens(
            {
                "exposure": (0.95, 1.5),
                "contrast": (1.3, 1.9),
                "saturation": (0.7, 1.2),
                "cast": 0.025,
                "blur": (0.1, 0.9),
                "sharpening": (-0.6, 0.8),
                "noise": (0.3, 2.5),
                "jpeg": (85, 98),
                "sky_gain": (1.0, 1.9),
                "field_of_view": (55, 92),
                "eye_height": (1.4, 1.9),
                "pitch": (-2, 5),
            }
        ),
        "phone": Lens(
            {
                "exposure": (0.85, 1.5),
                "contrast": (0.95, 1.45),
                "saturation": (0.8, 1.6),
                "cast": 0.05,
                "blur": (0.0, 0.9),
                "sharpening": (-0.4, 1.3),
                "noise": (0.5, 4.5),
                "jpeg": (40, 90),
                "glare": (0.0, 0.18),
                "field_of_view": (48, 80),
                "eye_height": (1.1, 2.0),
                "pitch": (-6, 3),
                "vignette": (0.0, 0.35),
                "sky_gain": (0.75, 1.15),
            },
            ego=weights(bonnet=0.25, dashboard=0.3),
            reflection=0.35,
            dirt=0.2,
        ),
        "action": Lens(
            {
                "exposure": (0.88, 1.35),
                "contrast": (1.0, 1.35),
                "saturation": (0.4, 1.0),
                "cast": 0.04,
                "blur": (0.5, 1.3),
                "sharpening": (-1.0, 0.4),
                "noise": (0.2, 2.0),
                "jpeg": (60, 95),
                "sky_gain": (0.9, 1.3),
                "field_of_view": (62, 110),
                "eye_height": (1.1, 1.8),
                "pitch": (-7, 4),
            },
            ego=weights(bonnet=0.06, dashboard=0.06),
            reflection=0.08,
            dirt=0.15,
        ),
        "any": Lens(
            {
                "exposure": (0.6, 1.35),
                "contrast": (0.85, 1.7),
                "saturation": (0.2, 1.5),
                "cast": 0.07,
                "blur": (0.0, 1.2),
                "sharpening": (-0.6, 1.5),
                "noise": (0.3, 5.0),
                "jpeg": (40, 97),
                "glare": (0.0, 0.15),
                "vignette": (0.0, 0.3),
                "field_of_view": (40, 105),
                "eye_height": (1.0, 3.0),
                "pitch": (-8, 7),
                "yaw": 9.0,
                "turned": 0.08,
                "sky_gain": (0.8, 1.6),
            },
            ego=weights(bonnet=0.12, dashboard=0.08),
            reflection=0.1,
            dirt=0.15,
        ),
    }
)
