"""Where things stand: plans a whole street, its ground first, then both sides, then what moves."""

from typing import NamedTuple

from streets.frontage import build_side, close_view
from streets.furniture import furnish
from streets.ground import lay_island, lay_surface, paint_markings
from streets.materials import Colour, Generator, choose, jitter
from streets.scene import StreetScene
from streets.street import SIDEWALK, TERRAIN, Draws, Street
from streets.styles import Style
from streets.traffic import place_people, place_traffic


class PlannedStreet(NamedTuple):
    """A scene, the offset of the camera's lane from the middle of the street in metres, and its shape."""

    scene: StreetScene
    lane: float
    street: Street


def plan_street(style: Style, generator: Generator, *, sunny: bool) -> PlannedStreet:
    """The ground, then both sides, then what moves."""
    draws = Draws(style, generator)
    light, shadow = draws.light(sunny)
    palette = choose(generator, dict(style.foliage))
    asphalt = draws.uniform(style.asphalt)
    tint = generator.normal(0, 3, 2)
    road_colour: Colour = (asphalt + float(tint[0]), asphalt, asphalt + float(tint[1]))
    tone = draws.uniform(style.paving)
    paving: Colour = (tone * generator.uniform(0.98, 1.1), tone, tone * generator.uniform(0.86, 1.02))
    if draws.chance(style.paved_alike):
        paving = jitter(generator, road_colour, 14)
    rural = draws.setting in ("suburb", "park")
    base = (draws.grass(palette), TERRAIN) if rural else (paving, SIDEWALK)
    scene = StreetScene(
        light=light,
        sunny=sunny,
        shadow=shadow,
        base=base,
        road_colour=road_colour,
        backdrop=choose(generator, {"trees": 3, "skyline": 3, "hills": 1}),
        palette=palette,
        bare=draws.chance(style.bare),
        texture=draws.uniform(style.texture),
        ground_roughness=style.ground,
        modelled=style.modelled,
        wet=float(generator.uniform(0.3, 0.8)) if draws.chance(0.12) else 0.0,
    )
    street = draws.street()
    lay_surface(draws, scene, street, paving)
    first_marking = len(scene.ground)
    junctions = {side: build_side(draws, scene, street, side, paving) for side in (-1, 1)}
    yards, scene.ground[first_marking:] = scene.ground[first_marking:], []
    scene.ground.extend(yards)
    paint_markings(draws, scene, street)
    if draws.chance(0.15):
        lay_island(draws, scene, street, paving)
    side = -1 if street.left_hand else 1
    lane = abs(street.kerb(side)) * (0.5 if street.lanes == 1 else float(generator.choice([0.3, 0.5, 0.65])))
    own_lane = side * lane
    for each in (-1, 1):
        furnish(draws, scene, street, each, junctions[each])
        place_people(draws, scene, street, each)
    place_traffic(draws, scene, street, own_lane)
    close_view(draws, scene, street)
    return PlannedStreet(scene, own_lane, street)
