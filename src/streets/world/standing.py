"""Places what faces the camera: trees and shrubs, people, riders and their two-wheelers."""

import numpy as np

from streets.bodies import body
from streets.materials import Generator, choose
from streets.raster import Canvas, Sprite
from streets.scene import Upright
from streets.world import trees
from streets.world.setting import Setting

_TREES = {"broad": 5.0, "round": 3.0, "tall": 1.5, "conifer": 1.5, "birch": 0.6, "palm": 0.25}


def draw_standing(canvas: Canvas, upright: Upright, setting: Setting) -> None:
    """At about the size it will be seen; nothing where it is hidden, tiny or far to the side."""
    foot = np.array([upright.x, upright.y, upright.z])
    base = canvas.camera.to_camera(foot[None])[0]
    if base[2] < 1.2 or abs(base[0]) > base[2] * 2.2 + 6:
        return
    seen = canvas.camera.focal / base[2] * upright.height
    across = canvas.camera.rotation.T[:, 0] * (upright.height * 0.6)
    top = foot + np.array([0.0, upright.height, 0.0])
    if seen < 4 or canvas.hidden(np.array([foot - across, foot + across, top + across, top - across])):
        return
    generator, instance = np.random.default_rng(upright.seed), 0
    light = setting.scene.light
    if upright.kind in ("leafy tree", "bare tree", "bush"):
        sprite = _plant(generator, upright.kind, int(min(max(seen * 0.7, 16), 170)), setting)
        shade = light.ambient * generator.uniform(0.5, 0.95) + light.direct * generator.uniform(0.0, 0.7)
    else:
        sprite = body(generator, upright.kind, int(min(max(seen * 1.1, 12), 240)))
        instance = canvas.new_object()
        shade = light.ambient + light.direct * generator.uniform(0.0, 0.55)
        shade *= generator.uniform(0.4, 0.9) if generator.random() < 0.25 else 1.0
    if generator.random() < 0.5:
        sprite = sprite.mirrored()
    height, width = sprite.alpha.shape
    wide = upright.height * width / height
    canvas.sprite(sprite, foot, width=wide, height=upright.height, shade=float(shade), instance=instance)


def _plant(generator: Generator, kind: str, size: int, setting: Setting) -> Sprite:
    species = {"bare tree": "bare", "bush": "shrub"}.get(kind) or choose(generator, _TREES)
    scene = setting.scene
    return trees.tree(
        generator, species, size, palette=scene.palette, contrast=scene.texture, snow=setting.snow
    )
