"""Draws what belongs to no class: bins, cones, barrels, cabinets, planters."""

import numpy as np

from spn.core.classes import IGNORE
from streets.materials import Colour, Generator, any_colour, jitter
from streets.raster import Canvas, Sprite
from streets.sheet import Sheet
from streets.world.setting import Litter, Setting

_ORANGE: Colour = (226, 92, 36)


def draw_litter(canvas: Canvas, thing: Litter, setting: Setting) -> None:
    """An upright picture facing the camera."""
    foot = np.array([thing.x, 0.0, thing.z])
    depth = float(canvas.camera.to_camera(foot[None])[0, 2])
    if depth < 1.2:
        return
    generator = np.random.default_rng(thing.seed)
    size = int(np.clip(canvas.camera.focal / depth * thing.height, 10, 120))
    sprite = picture(generator, thing.kind, size)
    height, width = sprite.alpha.shape
    shade = setting.scene.light.ambient + setting.scene.light.direct * generator.uniform(0, 0.6)
    wide = thing.height * width / height
    canvas.sprite(sprite, foot, width=wide, height=thing.height, shade=float(shade))


def picture(generator: Generator, kind: str, size: int) -> Sprite:
    """One of them, as large as its sheet."""
    colour: Colour = tuple(any_colour(generator, 20, 200).tolist())
    if kind in ("cone", "barrel"):
        colour = jitter(generator, _ORANGE, 16)
        sheet = Sheet(size, 0.7)
        narrow = 0.06 if kind == "cone" else 0.24
        sheet.polygon(
            [(0.35 - narrow, 0.0), (0.35 + narrow, 0.0), (0.62, 0.92), (0.08, 0.92)], colour, IGNORE
        )
        for y in (0.3, 0.6):
            half = narrow + (0.27 - narrow) * y
            sheet.polygon(
                [(0.35 - half, y), (0.35 + half, y), (0.37 + half, y + 0.15), (0.33 - half, y + 0.15)],
                (232, 230, 226),
                IGNORE,
            )
        sheet.polygon([(0.02, 0.92), (0.68, 0.92), (0.68, 1.0), (0.02, 1.0)], (40, 36, 34), IGNORE)
        return sheet.shade(generator, 0.1)
    aspect = {"bin": 0.6, "cabinet": generator.uniform(0.6, 1.4), "planter": generator.uniform(1.2, 2.5)}[
        kind
    ]
    sheet = Sheet(size, aspect)
    taper = 0.06 if kind == "bin" else 0.0
    sheet.polygon([(0.0, 0.06), (aspect, 0.06), (aspect - taper, 1.0), (taper, 1.0)], colour, IGNORE)
    lid: Colour = tuple(any_colour(generator, 10, 180).tolist())
    sheet.polygon([(0.0, 0.0), (aspect, 0.0), (aspect, 0.12), (0.0, 0.12)], lid, IGNORE)
    if kind == "cabinet" and generator.random() < 0.5:
        sheet.line([(aspect / 2, 0.12), (aspect / 2, 1.0)], 0.02, tuple(0.6 * c for c in colour), IGNORE)  # type: ignore[arg-type]
    return sheet.shade(generator, 0.15)
