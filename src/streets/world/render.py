"""Draws a frame of the style `world`: plan, sky, ground, what stands, weather, light, lens."""

from itertools import pairwise

import cv2
import numpy as np

from streets.backdrop import add_haze, paint_backdrop
from streets.frame import Frame
from streets.ground_painter import paint_ground
from streets.materials import Colour, Generator
from streets.models import is_model
from streets.projection import Camera
from streets.raster import Canvas
from streets.scene import Barrier, Building, Post, Upright
from streets.shot import (
    aim_camera,
    around,
    distance_to,
    draw_thing,
    photograph,
    solid_and_soft,
    supersampling,
)
from streets.styles import Style
from streets.uprights import draw_post
from streets.vehicles import Vehicle, footprint
from streets.walls import draw_building
from streets.world import air, litter, signs
from streets.world.before_lens import look_through
from streets.world.fronts import weather_front
from streets.world.ground import dress_ground
from streets.world.heavy import draw_heavy
from streets.world.night import light_the_night
from streets.world.plan import Plan, plan_world
from streets.world.setting import Litter, Slab
from streets.world.skies import paint_sky
from streets.world.slabs import draw_slab
from streets.world.standing import draw_standing

_HEAVY = ("bus", "train", "truck")
_SOLID_SLABS = (
    "bank",
    "noise wall",
    "masonry",
    "jersey",
    "bridge",
    "lintel",
    "board",
    "back of a board",
    "hall",
)
_POLE = 5
Thing = Building | Vehicle | Barrier | Upright | Post | Slab | Litter


def render_world(style: Style, generator: Generator, *, width: int, height: int) -> Frame:
    """One frame; everything in it comes from the generator."""
    plan = plan_world(style, generator, aspect=width / height)
    scene = plan.setting.scene
    factor = supersampling(height)
    camera = aim_camera(
        plan.style, generator, round(width * factor), round(height * factor), plan.setting.lane
    )
    scene.vehicles = [v for v in scene.vehicles if not (around(camera, v) or _blocks_the_view(camera, v))]
    canvas = Canvas(camera)
    night = plan.setting.day.night
    haze = paint_sky(canvas, plan.sky, generator, gain=float(generator.uniform(*plan.style.sky_gain)))
    paint_ground(canvas, scene, generator)
    dress_ground(canvas, plan.setting, generator)
    paint_backdrop(canvas, scene, generator, haze)
    _draw_things(canvas, plan, generator)
    _draw_wires(canvas, plan, generator)
    if not night:
        air.tone_of_daylight(canvas, generator, sunny=scene.sunny)
    _weather(canvas, plan, generator, haze)
    if night:
        light_the_night(canvas, plan.setting, generator)
    if plan.setting.wet > 0.1:
        air.mirror_in_wet_ground(canvas, plan.setting.wet, generator)
    if generator.random() < plan.setting.day.falls:
        air.fall(canvas, generator, snow=plan.setting.snow > 0)
    look_through(canvas, plan, generator)
    return photograph(canvas, plan.style, generator, width=width, height=height, dusk=False)


def _blocks_the_view(camera: Camera, vehicle: Vehicle) -> bool:
    """Whether it stands so close ahead that it would fill most of the picture."""
    corners = footprint(vehicle) - [camera.offset_x, 0.0]
    ahead = corners[:, 1] > 0
    close = bool(ahead.any()) and float(corners[ahead, 1].min()) < 4.5
    return close and float(np.abs(corners[:, 0]).min()) < 1.2 and corners[:, 1].max() > 1


def _weather(canvas: Canvas, plan: Plan, generator: Generator, haze: Colour) -> None:
    thick = float(generator.uniform(*plan.setting.day.fog))
    if thick > 0:
        air.add_fog(canvas, haze, thick, generator)
    elif not plan.setting.day.night:
        add_haze(canvas, haze, float(generator.uniform(*plan.style.haze)))


def _draw_things(canvas: Canvas, plan: Plan, generator: Generator) -> None:
    """Solid things nearest first, then what has holes or soft edges, farthest first."""
    setting = plan.setting
    of_any_style = solid_and_soft(plan.setting.scene)
    solids: list[Thing] = [*of_any_style[0], *setting.litter]
    soft: list[Thing] = [*of_any_style[1]]
    for slab in setting.slabs:
        (solids if slab.kind in _SOLID_SLABS else soft).append(slab)
    for thing in sorted(solids, key=lambda thing: _distance(canvas, thing)):
        _draw(canvas, thing, plan)
    air.gloss(canvas, generator)
    for thing in sorted(soft, key=lambda thing: -_distance(canvas, thing)):
        _draw(canvas, thing, plan)


def _distance(canvas: Canvas, thing: Thing) -> float:
    if isinstance(thing, Slab):
        middle = thing.corners[:2].mean(0) - canvas.camera.eye
        return float(np.hypot(middle[0], middle[2]))
    if isinstance(thing, Litter):
        return float(np.hypot(thing.x - canvas.camera.offset_x, thing.z))
    return distance_to(canvas, thing)


def _draw(canvas: Canvas, thing: Thing, plan: Plan) -> None:
    setting = plan.setting
    if isinstance(thing, Slab):
        draw_slab(canvas, thing, setting)
    elif isinstance(thing, Litter):
        litter.draw_litter(canvas, thing, setting)
    elif (
        isinstance(thing, Vehicle)
        and thing.kind in _HEAVY
        and not is_model(canvas, thing, setting.scene.modelled)
    ):
        draw_heavy(canvas, thing, setting.scene.light, canvas.new_object())
    elif isinstance(thing, Building):
        draw_building(canvas, thing, setting.scene, finish=weather_front)
    elif isinstance(thing, Upright):
        draw_standing(canvas, thing, setting)
    elif isinstance(thing, Post):
        draw_post(canvas, thing, setting.scene, sign=signs.sign, light_of=signs.light)
    elif isinstance(thing, Barrier) and thing.kind == "guardrail":
        return  # slabs of their own, void
    else:
        draw_thing(canvas, thing, setting.scene)


def _draw_wires(canvas: Canvas, plan: Plan, generator: Generator) -> None:
    """Thin and dark before the sky; nobody labels them. A beam of a gantry is as thick as a pole, and one."""
    tone = generator.uniform(20, 90)
    for points, thick in plan.setting.wires:
        for start, end in pairwise(points):
            pair = canvas.camera.to_camera(np.array([start, end]))
            if pair[:, 2].min() < 1.0:
                continue
            (u0, v0), (u1, v1) = np.clip(canvas.camera.to_pixels(pair), -4000, 4000).tolist()
            seen = thick * canvas.camera.focal / float(pair[:, 2].mean())
            if seen < 0.12:
                continue
            if thick > 0.1:
                _beam(canvas, np.array([start, end]), thick, tone + 60)
                continue
            box = canvas.box_around(np.array([(u0, v0), (u1, v1)]))
            if box is None:
                continue
            mask = np.zeros((box.size[1], box.size[0]), np.uint8)
            p, q = (
                (round((u0 - box.left) * 16), round((v0 - box.top) * 16)),
                (round((u1 - box.left) * 16), round((v1 - box.top) * 16)),
            )
            cv2.line(mask, p, q, round(255 * min(seen, 1.0)), 1, cv2.LINE_AA, 4)
            free = canvas.inverse_depth[box.slices] < 1 / float(pair[:, 2].mean())
            weight = (mask * free)[..., None].astype(np.float32) / 255
            region = canvas.image[box.slices]
            region[:] = (region + (np.float32(tone) - region) * weight).astype(np.uint8)


def _beam(canvas: Canvas, ends: np.ndarray, thick: float, tone: float) -> None:
    a, b = ends
    low = np.array([0, thick / 2, 0])
    canvas.polygon(np.array([a - low, b - low, b + low, a + low]), (tone, tone, tone), _POLE)
