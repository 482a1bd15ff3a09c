"""From a style and a seed to a frame: plan the street, draw it far finer than asked, photograph it.

Order: sky, ground with its paint and shadows, everything upright against the depth buffer, haze, then
reduction to the output size and the camera. Labels and depths are taken at the centre of each pixel.
"""

import cv2
import numpy as np

from spn.core.classes import IGNORE
from spn.core.seeding import numpy_generator
from streets.backdrop import add_haze, paint_backdrop, paint_sky
from streets.camera import expose
from streets.frame import Frame
from streets.ground_painter import paint_ground
from streets.layout import plan_street
from streets.materials import Generator, choose
from streets.projection import Camera
from streets.raster import Canvas
from streets.scene import Barrier, Building, Post, StreetScene, Upright
from streets.styles import Style
from streets.uprights import draw_post, draw_upright
from streets.vehicle_painter import draw_vehicle
from streets.vehicles import Vehicle, footprint
from streets.walls import draw_barrier, draw_building


def render_frame(style: Style, *, seed: int, width: int, height: int) -> Frame:
    """Draw one street. The same style, seed and size give the same frame, bit for bit."""
    generator = numpy_generator(seed, "frame")
    sky = choose(generator, dict(style.sky))
    sunny = sky in ("blue", "cloudy") and generator.random() < style.sun
    scene, lane = plan_street(style, generator, sunny=sunny)
    factor = supersampling(height)
    camera = aim_camera(style, generator, round(width * factor), round(height * factor), lane)
    scene.vehicles = [vehicle for vehicle in scene.vehicles if not _around(camera, vehicle)]
    canvas = Canvas(camera)
    haze = paint_sky(canvas, sky, generator, gain=float(generator.uniform(*style.sky_gain)))
    paint_ground(canvas, scene, generator)
    paint_backdrop(canvas, scene, generator, haze)
    draw_upright_things(canvas, scene)
    add_haze(canvas, haze, float(generator.uniform(*style.haze)))
    if generator.random() < style.bonnet:
        draw_bonnet(canvas, generator)
    return photograph(canvas, style, generator, width=width, height=height, dusk=sky == "dusk")


def supersampling(height: int) -> float:
    """How much finer than the output the street is drawn: thin poles need it at small sizes."""
    return 1.25 if height <= 500 else 1.0


def draw_upright_things(canvas: Canvas, scene: StreetScene) -> None:
    """Solid things first, nearest first, so that what they hide is never drawn; then, farthest first,
    everything with holes or soft edges, which must blend with what is behind it."""
    solids: list[Building | Vehicle | Barrier] = [*scene.buildings, *scene.vehicles]
    soft: list[Barrier | Upright | Post] = [*scene.uprights, *scene.posts]
    for barrier in scene.barriers:
        (solids if barrier.kind == "wall" else soft).append(barrier)
    for solid in sorted(solids, key=lambda thing: _distance(canvas, thing)):
        if isinstance(solid, Building):
            draw_building(canvas, solid, scene)
        elif isinstance(solid, Vehicle):
            draw_vehicle(canvas, solid, scene.light)
        else:
            draw_barrier(canvas, solid, scene)
    for thing in sorted(soft, key=lambda thing: -_distance(canvas, thing)):
        if isinstance(thing, Barrier):
            draw_barrier(canvas, thing, scene)
        elif isinstance(thing, Upright):
            draw_upright(canvas, thing, scene)
        else:
            draw_post(canvas, thing, scene)


def _distance(canvas: Canvas, thing: Building | Vehicle | Barrier | Upright | Post) -> float:
    """Metres over the ground from the camera to the nearest corner or the foot of a thing."""
    x0 = canvas.camera.offset_x
    if isinstance(thing, Building):
        corners = thing.footprint
        return float(np.hypot(corners[:, 0] - x0, corners[:, 1]).min())
    if isinstance(thing, Barrier):
        return float(np.hypot((thing.start[0] + thing.end[0]) / 2 - x0, (thing.start[1] + thing.end[1]) / 2))
    return float(np.hypot(thing.x - x0, thing.z))


def _around(camera: Camera, vehicle: Vehicle) -> bool:
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
