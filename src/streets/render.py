"""From a style and a seed to a frame: plan the street, draw it far finer than asked, photograph it.

Order: sky, ground with its paint and shadows, everything upright against the depth buffer, haze, then
reduction to the output size and the camera. Labels and depths are taken at the centre of each pixel.
"""

from spn.core.seeding import numpy_generator
from streets.backdrop import add_haze, paint_backdrop, paint_sky
from streets.frame import Frame
from streets.ground_painter import paint_ground
from streets.layout import plan_street
from streets.materials import choose
from streets.raster import Canvas
from streets.shot import aim_camera, around, draw_bonnet, draw_upright_things, photograph, supersampling
from streets.styles import Style
from streets.world.render import render_world


def render_frame(style: Style, *, seed: int, width: int, height: int) -> Frame:
    """Draw one street. The same style, seed and size give the same frame, bit for bit."""
    generator = numpy_generator(seed, "frame")
    if style.places:
        return render_world(style, generator, width=width, height=height)
    sky = choose(generator, dict(style.sky))
    sunny = sky in ("blue", "cloudy") and generator.random() < style.sun
    scene, lane, _ = plan_street(style, generator, sunny=sunny)
    factor = supersampling(height)
    camera = aim_camera(style, generator, round(width * factor), round(height * factor), lane)
    scene.vehicles = [vehicle for vehicle in scene.vehicles if not around(camera, vehicle)]
    canvas = Canvas(camera)
    haze = paint_sky(canvas, sky, generator, gain=float(generator.uniform(*style.sky_gain)))
    paint_ground(canvas, scene, generator)
    paint_backdrop(canvas, scene, generator, haze)
    draw_upright_things(canvas, scene)
    add_haze(canvas, haze, float(generator.uniform(*style.haze)))
    if generator.random() < style.bonnet:
        draw_bonnet(canvas, generator)
    return photograph(canvas, style, generator, width=width, height=height, dusk=sky == "dusk")
