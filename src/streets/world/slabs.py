"""Flat things of any slope in the scene: banks, edges of woods, noise barriers, bridges, big signs.

A slab is four corners and a kind; the kind says what it looks like and what it is called. What Cityscapes
leaves out of its 19 classes (bridges, guard rails, backs of signs) is void here as well.
"""

from typing import Final

import cv2
import numpy as np

from spn.core.classes import IGNORE
from streets import facades, materials
from streets.materials import Colour, Generator, Image
from streets.raster import Canvas
from streets.world import surfaces
from streets.world.fronts import weather_front
from streets.world.setting import Setting, Slab
from streets.world.signboards import back_of_a_board, direction_board
from streets.world.trees import leaf_colour

BUILDING, WALL, FENCE, SIGN, VEGETATION, TERRAIN = 2, 3, 4, 7, 8, 9

LABELS: Final = {
    "bank": TERRAIN,
    "wood": VEGETATION,
    "hedge": VEGETATION,
    "noise wall": WALL,
    "masonry": WALL,
    "jersey": WALL,
    "guard rail": IGNORE,
    "mesh": FENCE,
    "bridge": IGNORE,
    "lintel": IGNORE,
    "board": SIGN,
    "back of a board": IGNORE,
    "hall": BUILDING,
}


def draw_slab(canvas: Canvas, slab: Slab, setting: Setting) -> None:
    """Its texture as fine as it will be seen; nothing where it is hidden."""
    points = canvas.camera.to_camera(slab.corners)
    if points[:, 2].max() < 0.6 or canvas.hidden(slab.corners):
        return
    generator = np.random.default_rng(slab.seed)
    length, height = slab.size
    depth = max(float(points[:, 2].min()), 2.0)
    affordable = (canvas.label.size / 2 / max(length * height, 1.0)) ** 0.5
    density = min(max(min(canvas.camera.focal / depth, affordable), 1.2), 50.0)
    rows, columns = max(round(height * density), 4), max(round(length * density), 4)
    texture, alpha = _texture(generator, slab.kind, rows, columns, density, setting)
    texture = cv2.convertScaleAbs(texture, alpha=_light(slab, setting, canvas))
    canvas.quad(slab.corners, texture, LABELS[slab.kind], alpha=alpha, solid_label=slab.kind in ("mesh",))


def _light(slab: Slab, setting: Setting, canvas: Canvas) -> float:
    light = setting.scene.light
    if (
        slab.kind in ("lintel", "bridge")
        and slab.corners[:, 1].min() > 3
        and np.ptp(slab.corners[:, 1]) < 0.5
    ):
        return 0.3 * light.ambient  # the underside
    normal = np.cross(slab.corners[1] - slab.corners[0], slab.corners[3] - slab.corners[0])
    normal = normal / (np.linalg.norm(normal) + 1e-9)
    if normal @ (canvas.camera.eye - slab.corners[0]) < 0:
        normal = -normal
    gain = float(light.on(normal))
    return gain * (0.72 if slab.kind in ("wood", "hedge") else 1.0)  # leaves shade each other


def _texture(
    generator: Generator, kind: str, rows: int, columns: int, density: float, setting: Setting
) -> tuple[Image, Image | None]:
    if kind == "bank":
        return _bank(generator, rows, columns, density, setting), None
    if kind in ("wood", "hedge"):
        return _greenery(generator, kind, rows, columns, density, setting)
    if kind == "masonry":
        stuff = materials.choose(
            generator, {"brick": 3, "stone": 5, "concrete": 4, "painted": 1.5, "dark": 0.5}
        )
        texture = facades.masonry(generator, stuff, rows, columns, density, contrast=setting.scene.texture)
        return _weathered(generator, texture, density), None
    if kind == "noise wall":
        return _noise_wall(generator, rows, columns, density), None
    if kind == "board":
        return direction_board(generator, rows, columns), None
    if kind == "back of a board":
        return back_of_a_board(generator, rows, columns), None
    if kind == "guard rail":
        return _guard_rail(generator, rows, columns, density)
    if kind == "mesh":
        only = materials.choose(generator, {"bars": 3, "mesh": 3, "any": 4})
        return materials.railing(
            generator, width=columns / density, height=rows / density, density=density,
            kind=None if only == "any" else only,
        )  # fmt: skip
    if kind == "hall":
        return weather_front(generator, _hall(generator, rows, columns, density), density), None
    return _concrete(generator, rows, columns, density, kind), None


def _bank(generator: Generator, rows: int, columns: int, density: float, setting: Setting) -> Image:
    r, g, b = materials.jitter(generator, setting.grass, 12)
    clumps = surfaces.surface(generator, rows, columns, slope=1.0, zoom=max(density / 8, 0.3))
    fine = surfaces.surface(generator, rows, columns, slope=0.4, zoom=0.8)
    tone = np.clip(1 + 0.16 * clumps + 0.16 * fine, 0.2, 2).astype(np.float32)
    texture = surfaces.paint(tone, (r, g, b), warm=0.1 * np.clip(clumps, -1.5, 1.5))
    if setting.snow > 0:
        lies = np.clip(0.5 * clumps + 0.3 * fine + 4 * setting.snow - 1.2, 0, 1)[..., None]
        texture = (texture + (np.float32(225) - texture) * lies).astype(np.uint8)
    return texture


def _greenery(
    generator: Generator, kind: str, rows: int, columns: int, density: float, setting: Setting
) -> tuple[Image, Image]:
    """The edge of a wood: the colours of several trees, dark below, a ragged top; or a clipped hedge."""
    palette, contrast = setting.scene.palette, setting.scene.texture
    wide = generator.uniform(2.5, 7) if kind == "wood" else generator.uniform(0.5, 1.5)
    texture = surfaces.leaves(
        generator,
        rows,
        columns,
        leaf_colour(generator, palette),
        scale=0.55 * wide * density,
        contrast=contrast,
    )
    step = max(round(wide * density), 2)
    for start in range(0, columns, step):  # neighbours differ
        r, g, b = generator.uniform(0.75, 1.25) * generator.uniform(0.88, 1.12, 3)
        part = texture[:, start : start + step]
        part[:] = cv2.merge(
            [cv2.convertScaleAbs(c, alpha=a) for c, a in zip(cv2.split(part), (r, g, b), strict=True)]
        )
    fall = np.linspace(1.15, generator.uniform(0.3, 0.75), rows, dtype=np.float32)[:, None] ** (
        1.0 if kind == "wood" else 0.5
    )
    gain = np.repeat(cv2.convertScaleAbs(fall, alpha=127), columns, axis=1)
    texture = materials.brighten(texture, gain, one=127)
    if kind == "wood" and generator.random() < 0.6:
        for x in generator.uniform(0, columns, generator.poisson(columns / density / 1.6)):
            thick = max(round(generator.uniform(0.12, 0.35) * density), 1)
            tone = generator.uniform(0.3, 2.2)
            bark: Colour = (60 * tone, 54 * tone, 46 * tone)
            top = rows * generator.uniform(0.35, 0.8)
            materials.rectangle(texture, x, top, x + thick, rows, bark)
    if setting.snow > 0.25:
        lies = np.clip(
            surfaces.surface(generator, rows, columns, zoom=0.8) * 0.5 + setting.snow - 0.4, 0, 0.8
        )[..., None]
        texture = (texture + (np.float32(215) - texture) * lies).astype(np.uint8)
    rough = 0.3 if kind == "wood" else 0.05
    crest = rows * (rough * (1 + surfaces.ragged(generator, columns, bump=wide * density)) * 0.6)
    fine = surfaces.surface(generator, rows, columns, slope=0.6, zoom=0.7) * min(rows * 0.05, 0.35 * density)
    alpha = ((np.arange(rows)[:, None] + fine) > crest[None]).astype(np.uint8) * 255
    return texture, alpha


def _weathered(generator: Generator, texture: Image, density: float) -> Image:
    """Stains that run down, moss at the foot, a coping."""
    rows, columns = texture.shape[:2]
    stains = surfaces.surface(generator, 2, columns, slope=0.8, zoom=max(density / 6, 0.3))[0]
    fall = np.linspace(0, 1, rows, dtype=np.float32)[:, None] ** generator.uniform(0.3, 1.5)
    gain = np.clip(
        1 - 0.12 * np.clip(stains, -1, 2)[None] * (1 - fall) - generator.uniform(0, 0.35) * fall, 0.3, 1.3
    )
    texture = materials.brighten(texture, cv2.convertScaleAbs(gain, alpha=127), one=127)
    if generator.random() < 0.6:
        texture[: max(rows // 14, 1)] = materials.jitter(generator, (156, 152, 144), 34)
    return cv2.convertScaleAbs(texture, alpha=generator.uniform(0.5, 1.05))


def _noise_wall(generator: Generator, rows: int, columns: int, density: float) -> Image:
    """Panels between posts, of concrete, timber, metal or green paint, ribbed or plain."""
    options: tuple[Colour, ...] = (
        (150, 146, 136),
        (122, 96, 70),
        (100, 118, 96),
        (138, 142, 146),
        (168, 150, 120),
    )
    base = materials.jitter(generator, options[int(generator.integers(len(options)))], 20)
    texture = materials.flat(rows, columns, base)
    rib = generator.uniform(0.12, 0.5) * density
    if rib > 2:
        for y in np.arange(0, rows, rib):
            materials.rectangle(texture, 0, y, columns, y + max(0.3 * rib, 1), tuple(0.8 * c for c in base))  # type: ignore[arg-type]
    for x in np.arange(generator.uniform(0, 4) * density, columns, generator.uniform(3, 5) * density):
        materials.rectangle(texture, x, 0, x + max(0.15 * density, 1), rows, tuple(0.7 * c for c in base))  # type: ignore[arg-type]
    texture = materials.speckle(generator, texture, 0.06, zoom=max(density / 4, 0.5))
    return _graffiti(generator, _weathered(generator, texture, density), density)


def _graffiti(generator: Generator, texture: Image, density: float) -> Image:
    rows, columns = texture.shape[:2]
    if generator.random() < 0.25:
        for x in generator.uniform(0, columns, generator.integers(1, 5)):
            ink = tuple(materials.any_colour(generator, 20, 240))
            size = generator.uniform(0.3, 0.7) * rows
            materials.lettering(generator, texture, x, rows * 0.95 - size, x + 3 * size, rows * 0.95, ink)
    return texture


def _concrete(generator: Generator, rows: int, columns: int, density: float, kind: str) -> Image:
    tone = generator.uniform(105, 190)
    texture = materials.flat(rows, columns, (tone, tone * 0.98, tone * generator.uniform(0.9, 1.0)))
    if kind == "jersey":
        if generator.random() < 0.25:  # plastic, red or orange and white
            step = max(round(generator.uniform(1, 2) * density), 2)
            for start in range(0, columns, 2 * step):
                texture[:, start : start + step] = materials.jitter(generator, (222, 84, 40), 20)
        profile = np.interp(np.linspace(0, 1, rows), (0, 0.55, 0.8, 1), (1.08, 1.0, 0.8, 0.62)).astype(
            np.float32
        )
        gain = np.repeat(cv2.convertScaleAbs(profile[:, None], alpha=127), columns, axis=1)
        texture = materials.brighten(texture, gain, one=127)
    elif generator.random() < 0.5 and rows > 6:  # a parapet above the beam
        texture[: rows // 3] = cv2.convertScaleAbs(texture[: rows // 3], alpha=generator.uniform(0.6, 1.25))
        texture[rows // 3 : rows // 3 + 1] = 50
    joint = generator.uniform(2, 8) * density
    if joint > 4:
        for x in np.arange(0, columns, joint):
            texture[:, int(x) : int(x) + 1] = cv2.convertScaleAbs(texture[:, int(x) : int(x) + 1], alpha=0.6)
    texture = materials.speckle(generator, texture, 0.05, zoom=max(density / 4, 0.5))
    return _weathered(generator, texture, density)


def _guard_rail(generator: Generator, rows: int, columns: int, density: float) -> tuple[Image, Image]:
    tone = generator.uniform(120, 200)
    texture = materials.flat(rows, columns, (tone, tone, tone * 1.02))
    wave = (1 + 0.25 * np.sin(np.linspace(0, 9, rows, dtype=np.float32)))[:, None]
    texture = materials.brighten(
        texture, np.repeat(cv2.convertScaleAbs(wave, alpha=110), columns, axis=1), one=127
    )
    alpha = np.zeros((rows, columns), np.uint8)
    alpha[: max(round(rows * 0.48), 1)] = 255
    step, thick = max(round(generator.uniform(1.5, 4) * density), 3), max(round(0.1 * density), 1)
    for start in range(0, columns, step):
        alpha[:, start : start + thick] = 255
    return texture, alpha


def _hall(generator: Generator, rows: int, columns: int, density: float) -> Image:
    """A shed, supermarket or factory: ribbed cladding, a band, gates, few windows."""
    base = tuple(materials.any_colour(generator, 90, 225))
    texture = materials.flat(rows, columns, base)
    rib = max(generator.uniform(0.15, 0.6) * density, 2.5)
    for x in np.arange(0, columns, rib):
        texture[:, int(x) : int(x) + 1] = cv2.convertScaleAbs(texture[:, int(x) : int(x) + 1], alpha=0.82)
    if generator.random() < 0.6:
        band = tuple(materials.any_colour(generator, 20, 235))
        materials.rectangle(texture, 0, 0, columns, rows * generator.uniform(0.1, 0.3), band)
    for x in generator.uniform(0, columns, generator.poisson(columns / density / 9)):
        wide, tall = generator.uniform(2, 5) * density, generator.uniform(2, 4) * density
        dark = generator.uniform(20, 110)
        materials.rectangle(texture, x, rows - tall, x + wide, rows, (dark, dark, dark * 1.06))
    if generator.random() < 0.6:
        size = generator.uniform(0.15, 0.3) * rows
        ink = tuple(materials.any_colour(generator, 10, 250))
        x = generator.uniform(0, 0.6) * columns
        materials.lettering(generator, texture, x, 0.05 * rows, x + 6 * size, 0.05 * rows + size, ink)
    return materials.speckle(generator, texture, 0.05, zoom=max(density / 3, 0.5))
