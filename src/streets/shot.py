"""Between a planned street and its frame: the camera's aim, what stands drawn in order, the picture taken."""

import cv2
import numpy as np

from spn.core.classes import IGNORE
from streets.camera import expose
from streets.frame import Frame
from streets.materials import Generator
from streets.projection import Camera
from streets.raster import Canvas
from streets.scene import Barrier, Building, Post, StreetScene, Upright
from streets.styles import Style
from streets.uprights import draw_post, draw_upright
from streets.vehicle_painter import draw_vehicle
from streets.vehicles import Vehicle, footprint
from streets.walls import draw_barrier, draw_building

Thing = Building | Vehicle | Barrier | Upright | Post


def supersampling(height: int) -> float:
    """How much finer than the output the street is drawn: thin poles need it at small sizes."""
    return 1.25 if height <= 500 else 1.0


def draw_upright_things(canvas: Canvas, scene: StreetScene) -> None:
    """Solid things first, nearest first, so that what they hide is never drawn; then, farthest first,
    everything with holes or soft edges, which must blend with what is behind it."""
    solids, soft = solid_and_soft(scene)
    for thing in sorted(solids, key=lambda thing: distance_to(canvas, thing)):
        draw_thing(canvas, thing, scene)
    for thing in sorted(soft, key=lambda thing: -distance_to(canvas, thing)):
        draw_thing(canvas, thing, scene)


def solid_and_soft(scene: StreetScene) -> tuple[list[Thing], list[Thing]]:
    """What hides all that is behind it, and what has holes or soft edges, as barriers have but for walls."""
    solids: list[Thing] = [*scene.buildings, *scene.vehicles]
    soft: list[Thing] = [*scene.uprights, *scene.posts]
    for barrier in scene.barriers:
        (solids if barrier.kind == "wall" else soft).append(barrier)
    return solids, soft


def draw_thing(canvas: Canvas, thing: Thing, scene: StreetScene) -> None:
    """Anything upright."""
    if isinstance(thing, Building):
        draw_building(canvas, thing, scene)
    elif isinstance(thing, Vehicle):
        draw_vehicle(canvas, thing, scene.light, modelled=scene.modelled)
    elif isinstance(thing, Barrier):
        draw_barrier(canvas, thing, scene)
    elif isinstance(thing, Upright):
        draw_upright(canvas, thing, scene)
    else:
        draw_post(canvas, thing, scene)


def distance_to(canvas: Canvas, thing: Thing) -> float:
    """Metres over the ground from the camera to the nearest corner or the foot of a thing."""
    x0 = canvas.camera.offset_x
    if isinstance(thing, Building):
        corners = thing.footprint
        return float(np.hypot(corners[:, 0] - x0, corners[:, 1]).min())
    if isinstance(thing, Barrier):
        return float(np.hypot((thing.start[0] + thing.end[0]) / 2 - x0, (thing.start[1] + thing.end[1]) / 2))
    return float(np.hypot(thing.x - x0, thing.z))


def around(camera: Camera, vehicle: Vehicle) -> bool:
    """Whether the camera would stand in the vehicle, or almost touch it."""
    outline = footprint(vehicle, margin=0.6).astype(np.float32)
    return cv2.pointPolygonTest(outline, (camera.offset_x, 0.0), False) >= 0


def aim_camera(style: Style, generator: Generator, width: int, height: int, lane: float) -> Camera:
    """A camera in its lane, looking along the street or, in some frames, well to one side."""
    field_of_view = np.radians(generator.uniform(*style.field_of_view))
    yaw = generator.normal(0, style.yaw)
    if generator.random() < style.turned:
        yaw = generator.choice([-1, 1]) * generator.uniform(15, 55)
    return Camera(
        width=width,
        height=height,
        focal=float(width / 2 / np.tan(field_of_view / 2)),
        offset_x=float(lane + generator.normal(0, 0.4)),
        eye_height=float(generator.uniform(*style.eye_height)),
        yaw=float(np.radians(yaw)),
        pitch=float(np.radians(generator.uniform(*style.pitch))),
        roll=float(np.radians(generator.normal(0, 0.8))),
    )


def draw_bonnet(canvas: Canvas, generator: Generator) -> None:
    """The ego vehicle's bonnet along the lower edge; nobody labels it."""
    height, width = canvas.label.shape
    top = height * (1 - generator.uniform(0.04, 0.12))
    x = np.linspace(0, width, 24)
    bulge = top + (2 * (x / width - 0.5)) ** 2 * height * generator.uniform(0.03, 0.1)
    outline = np.concatenate([np.column_stack([x, bulge]), [[width, height], [0, height]]]).astype(np.int32)
    tone = generator.uniform(14, 110)
    cv2.fillPoly(canvas.image, [outline], (tone, tone, tone * 1.04), lineType=cv2.LINE_AA)
    cv2.fillPoly(canvas.label, [outline], IGNORE)
    cv2.fillPoly(canvas.inverse_depth, [outline], 0.6)
    cv2.fillPoly(canvas.instance, [outline], 0)


def photograph(
    canvas: Canvas, style: Style, generator: Generator, *, width: int, height: int, dusk: bool
) -> Frame:
    """Reduce to the output size and apply the camera."""
    big_height, big_width = canvas.label.shape
    rows = ((np.arange(height) + 0.5) * big_height / height).astype(int)
    columns = ((np.arange(width) + 0.5) * big_width / width).astype(int)
    pick = np.ix_(rows, columns)
    image = canvas.image
    if (big_height, big_width) != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    inverse = canvas.inverse_depth[pick]
    with np.errstate(divide="ignore"):
        depth = np.where(inverse > 0, 1 / inverse, np.inf).astype(np.float32)
    return Frame(
        image=expose(image, style, generator, dusk=dusk),
        label=np.ascontiguousarray(canvas.label[pick]),
        instance=np.ascontiguousarray(canvas.instance[pick]),
        depth=depth,
        distance=depth * canvas.camera.ray_length[pick],
    )
