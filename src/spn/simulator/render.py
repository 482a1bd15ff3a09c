"""From a style and a seed to a frame: plan the street, draw it far finer than asked, photograph it.

Order: sky, ground with its paint and shadows, everything upright against the depth buffer, haze, then
reduction to the output size and the camera. Labels and depths are taken at the centre of each pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.core.seeding import numpy_generator
from spn.simulator import materials, sprites
from spn.simulator.camera import expose
from spn.simulator.frame import Frame
from spn.simulator.layout import plan_street
from spn.simulator.materials import Colour, Generator, choose
from spn.simulator.projection import Camera, FloatArray
from spn.simulator.raster import Canvas
from spn.simulator.scene import Barrier, Building, Post, Scene, Upright
from spn.simulator.styles import Style
from spn.simulator.vehicles import Vehicle, draw_vehicle, footprint

BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, VEGETATION, TERRAIN, SKY = 2, 3, 4, 5, 6, 7, 8, 9, 10


def render_frame(style: Style, *, seed: int, width: int, height: int) -> Frame:
    """Draw one street. The same style, seed and size give the same frame, bit for bit."""
    generator = numpy_generator(seed, "frame")
    sky = choose(generator, dict(style.sky))
    sunny = sky in ("blue", "cloudy") and generator.random() < style.sun
    scene, lane = plan_street(style, generator, sunny=sunny)
    factor = supersampling(height)
    camera = aim_camera(style, generator, round(width * factor), round(height * factor), lane)
    canvas = Canvas(camera)
    haze = paint_sky(canvas, sky, scene, generator)
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


def draw_upright_things(canvas: Canvas, scene: Scene) -> None:
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


_SKIES: dict[str, tuple[Colour, Colour]] = {  # zenith, horizon
    "blue": ((96, 146, 214), (196, 218, 238)),
    "cloudy": ((124, 156, 204), (214, 222, 230)),
    "overcast": ((176, 182, 190), (208, 210, 212)),
    "white": ((242, 244, 248), (252, 252, 252)),
    "dusk": ((112, 122, 150), (206, 196, 188)),
}


def paint_sky(canvas: Canvas, sky: str, scene: Scene, generator: Generator) -> Colour:
    """Fill the frame with sky and clouds; returns the colour of the haze at the horizon."""
    height, width = canvas.label.shape
    zenith, horizon = (
        np.asarray(materials.jitter(generator, colour, 12), np.float32) for colour in _SKIES[sky]
    )
    a, b, c = canvas.camera.ground_inverse_depth
    horizon_row = np.clip(-(a * width / 2 + c) / b, 8, height * 2)
    small = (max(height // 4, 2), max(width // 4, 2))
    blend = np.clip(np.linspace(0, height, small[0], dtype=np.float32) / horizon_row, 0, 1)[:, None] ** 1.5
    image = (zenith + (horizon - zenith) * blend)[:, None, :]
    amount = {"blue": 0.15, "cloudy": 0.9, "overcast": 0.5, "white": 0.1, "dusk": 0.8}[sky]
    cloud = materials.noise_patch(generator, *small, zoom=width / 400) * 0.6
    cloud = cloud + materials.noise_patch(generator, *small, zoom=width / 140) * 0.5
    cover = (np.clip(cloud + amount - 0.75, 0, 1) * (amount * 0.9))[..., None]
    bright = np.float32(generator.uniform(0.82, 1.05) * (235 if sky != "dusk" else 150))
    picture = (image + (bright - image) * cover).astype(np.uint8)
    cv2.resize(picture, (width, height), dst=canvas.image, interpolation=cv2.INTER_LINEAR)
    canvas.label[:] = SKY
    r, g, bl = horizon
    return float(r), float(g), float(bl)


def _ground_pixels(canvas: Canvas) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    a, b, c = canvas.camera.ground_inverse_depth
    height, width = canvas.label.shape
    row = (a * np.arange(width) + c).astype(np.float32)
    inverse = row[None] + (b * np.arange(height)).astype(np.float32)[:, None]
    return inverse, inverse > 1 / 400


def paint_ground(canvas: Canvas, scene: Scene, generator: Generator) -> None:
    """Surfaces and paint, then grain, stains and shadows over all of them."""
    inverse, below = _ground_pixels(canvas)
    height, width = canvas.label.shape
    colour, train_id = scene.base
    canvas.image[below] = np.asarray(colour).astype(np.uint8)
    canvas.label[below] = train_id
    for patch in scene.ground:
        canvas.ground(patch.outline, patch.colour, patch.train_id, alpha=patch.alpha)
    np.copyto(canvas.inverse_depth, inverse, where=below)
    top = int(np.argmax(below.any(1)))
    if not below[-1].any():
        return
    # grain and stains: two scales of tileable noise laid on the ground plane
    rows = slice(top, height)
    to_ground = canvas.camera.pixel_to_ground @ np.array([[1, 0, 0], [0, 1, top], [0, 0, 1]])
    fade = np.minimum(inverse[rows] * 14, 1) * np.float32(scene.texture)
    fade += fade * (canvas.label[rows] == TERRAIN)  # grass is rougher
    gain = np.ones((height - top, width), np.float32)
    for density, strength in ((60.0, 0.07), (4.0, 0.07)):
        tile = materials.noise_tile(int(generator.integers(8)))
        place = np.array(
            [[density, 0, generator.uniform(0, 512)], [0, density, generator.uniform(0, 512)], [0, 0, 1]]
        )
        layer = cv2.warpPerspective(
            tile, place @ to_ground, (width, height - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        gain += cv2.multiply(layer, fade, scale=strength)
    if scene.sunny:
        shade = ground_shadow(canvas, scene)[rows]
        depth = float(generator.uniform(0.38, 0.62))
        gain *= (1 + 0.12 * scene.light.direct) - shade.astype(np.float32) * np.float32((1 - depth) / 255)
    contact = np.zeros((height, width), np.uint8)  # the dark below every car
    canvas.ground_mask([footprint(vehicle, margin=0.12) for vehicle in scene.vehicles], contact, 255)
    contact = cv2.blur(contact, (3, 3))[rows]
    gain *= 1 - contact.astype(np.float32) * np.float32(0.62 / 255)
    region = canvas.image[rows]
    lit = np.clip(128 * gain, 0, 255).astype(np.uint8)
    lit = np.where(below[rows], lit, 128).astype(np.uint8)
    cv2.multiply(region, cv2.merge([lit, lit, lit]), dst=region, scale=1 / 128)
    if scene.wet > 0:  # wet asphalt mirrors the sky at grazing angles
        shine = np.clip(1 - inverse[rows] * 9, 0, 1) * np.float32(scene.wet * 0.7) * (canvas.label[rows] == 0)
        region[:] = region + (canvas.image[max(top - 2, 0)].mean(0) - region) * shine[..., None]


def ground_shadow(canvas: Canvas, scene: Scene) -> NDArray[np.uint8]:
    """Mask [H, W] of cast shadows on the ground: 255 in full shadow."""
    mask = np.zeros(canvas.label.shape, np.uint8)
    offset = np.asarray(scene.shadow)
    length = float(np.hypot(*offset))
    if length > 3.5:
        offset = offset * (3.5 / length)
    outlines = []
    for building in scene.buildings:
        corners = np.concatenate([building.footprint, building.footprint + offset * building.height])
        hull = cv2.convexHull(corners.astype(np.float32))[:, 0]
        outlines.append(hull.astype(np.float64))
    for vehicle in scene.vehicles:
        corners = footprint(vehicle)
        hull = cv2.convexHull(np.concatenate([corners, corners + offset * 1.4]).astype(np.float32))[:, 0]
        outlines.append(hull.astype(np.float64))
    circle = np.column_stack([np.cos(np.linspace(0, 2 * np.pi, 9)), np.sin(np.linspace(0, 2 * np.pi, 9))])
    for upright in scene.uprights:
        foot = np.array([upright.x, upright.z])
        if upright.kind.endswith("tree"):
            radius = upright.height * (0.22 if upright.kind == "bare tree" else 0.34)
            outlines.append(foot + offset * upright.height * 0.65 + circle * radius)
        else:
            tip = foot + offset * upright.height
            across = np.array([offset[1], -offset[0]]) / (np.hypot(*offset) + 1e-6) * 0.18
            outlines.append(np.array([foot - across, foot + across, tip + across, tip - across]))
    for post in scene.posts:
        foot = np.array([post.x, post.z])
        across = np.array([offset[1], -offset[0]]) / (np.hypot(*offset) + 1e-6) * post.width / 2
        tip = foot + offset * post.height
        outlines.append(np.array([foot - across, foot + across, tip + across, tip - across]))
    canvas.ground_mask(outlines, mask, 255)
    return cv2.blur(mask, (3, 3))


def paint_backdrop(canvas: Canvas, scene: Scene, generator: Generator, haze: Colour) -> None:
    """Distant trees, roofs or hills along the horizon."""
    camera = canvas.camera
    height, width = canvas.label.shape
    a, b, c = camera.ground_inverse_depth
    columns = np.arange(width)
    horizon = -(a * columns + c) / b
    rough = materials.noise_patch(generator, 2, width, zoom=width / 120)[0]
    tall = camera.focal * generator.uniform(0.01, 0.06)
    if scene.backdrop == "skyline":
        step = max(width // int(generator.integers(12, 40)), 2)
        rough = np.repeat(generator.standard_normal(width // step + 1), step)[:width].astype(np.float32)
        train_id, colour = BUILDING, materials.jitter(generator, (136, 132, 128), 30)
    else:
        train_id, colour = VEGETATION, materials.hedge_colour(generator, scene.palette)
    top = horizon - np.clip(tall * (1 + 0.45 * rough), 0, None)
    low = max(int(np.floor(top.min())), 0)
    high = min(int(np.ceil(horizon.max())) + 1, height)
    if high <= low:
        return
    rows = np.arange(low, high)[:, None]
    free = canvas.inverse_depth[low:high] < 1 / 250
    inside = (rows >= top[None]) & (rows <= horizon[None] + 1) & free
    far = 0.45 if scene.backdrop != "hills" else 0.65
    mixed = np.asarray(colour) * (1 - far) + np.asarray(haze) * far
    texture = materials.speckle(generator, materials.flat(high - low, width, tuple(mixed)), 0.12)
    np.copyto(canvas.image[low:high], texture, where=inside[..., None])
    np.copyto(canvas.label[low:high], np.uint8(train_id), where=inside)
    np.copyto(canvas.inverse_depth[low:high], np.float32(1 / 300), where=inside)


def _wall_corners(a: FloatArray, b: FloatArray, low: float, high: float) -> FloatArray:
    return np.array([[a[0], low, a[1]], [b[0], low, b[1]], [b[0], high, b[1]], [a[0], high, a[1]]])


def _faces_camera(canvas: Canvas, a: FloatArray, b: FloatArray) -> bool:
    """Whether the outside of the wall a→b (outside on the left of the direction) is seen."""
    normal = np.array([b[1] - a[1], -(b[0] - a[0])])
    eye = np.array([canvas.camera.offset_x, 0.0])
    return bool(normal @ (eye - a) > 0)


def _nearest_depth(canvas: Canvas, corners: FloatArray) -> float:
    depth = canvas.camera.to_camera(corners)[:, 2]
    return float(np.clip(depth, 1.0, None).min()) if depth.max() > 0.5 else -1.0


def _density(canvas: Canvas, depth: float, area: float, *, highest: float) -> float:
    """Texture pixels per metre for a wall of `area` m² whose nearest point lies at `depth`: as fine as it
    will be seen, but no more pixels in all than half the canvas."""
    affordable = (canvas.label.size / 2 / max(area, 1.0)) ** 0.5
    return float(np.clip(min(canvas.camera.focal / depth * 0.9, affordable), 1.5, highest))


def _brightness(scene: Scene, a: FloatArray, b: FloatArray) -> float:
    normal = np.array([b[1] - a[1], 0.0, -(b[0] - a[0])])
    return scene.light.on(normal / (np.linalg.norm(normal) + 1e-9))


def draw_building(canvas: Canvas, building: Building, scene: Scene) -> None:
    """The visible walls, the roof, and now and then a chimney."""
    generator = np.random.default_rng(building.seed)
    corners = building.footprint
    top_corners = np.column_stack([corners[:, 0], np.full(4, building.height), corners[:, 1]])
    foot_corners = top_corners * (1.0, 0.0, 1.0)
    if canvas.hidden(np.concatenate([top_corners, foot_corners])):
        return
    seen = 0
    for index in range(4):
        a, b = corners[index], corners[(index + 1) % 4]
        if not _faces_camera(canvas, a, b):
            continue
        world = _wall_corners(a, b, 0.0, building.height)
        depth = _nearest_depth(canvas, world)
        if depth < 0 or canvas.hidden(world):
            continue
        length = float(np.hypot(*(b - a)))
        density = _density(canvas, depth, length * building.height, highest=24)
        front = index == 0
        shop = building.shop and (front or generator.random() < 0.4)
        if not front and generator.random() < 0.35:
            rows, columns = max(round(building.height * density), 4), max(round(length * density), 4)
            texture = materials.masonry(
                generator, building.kind, rows, columns, density, contrast=scene.texture
            )
        else:
            texture = materials.facade(
                generator, building.kind, width=length, height=building.height, density=density, shop=shop,
                contrast=scene.texture,
            )  # fmt: skip
        gain = _brightness(scene, a, b)
        if scene.sunny and gain > 0.9 and generator.random() < 0.4:  # the shadow of the houses opposite
            cut = round(texture.shape[0] * generator.uniform(0.25, 0.9))
            texture[cut:] = cv2.convertScaleAbs(texture[cut:], alpha=0.62)
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), BUILDING)
        seen += 1
    if building.pitched and seen:
        rise, depth_m = generator.uniform(1.5, 3.5), 5.0
        a, b, c, d = corners
        inward = (d - a) / (np.linalg.norm(d - a) + 1e-9)
        ridge_a, ridge_b = a + inward * depth_m, b + inward * depth_m
        top = building.height
        slope = np.array(
            [
                [a[0], top, a[1]],
                [b[0], top, b[1]],
                [ridge_b[0], top + rise, ridge_b[1]],
                [ridge_a[0], top + rise, ridge_a[1]],
            ]
        )
        tiles = materials.roof(generator, 24, 48, contrast=scene.texture)
        tiles = cv2.convertScaleAbs(tiles, alpha=scene.light.on(np.array([0.0, 1.0, 0.0])))
        canvas.quad(slope, tiles, BUILDING)
        base = materials.jitter(generator, (140, 110, 92), 25)
        for start, ridge, end in ((a, ridge_a, d), (b, ridge_b, c)):
            gable = np.array(
                [[start[0], top, start[1]], [end[0], top, end[1]], [ridge[0], top + rise, ridge[1]]]
            )
            canvas.polygon(gable, base, BUILDING)
        if generator.random() < 0.5:
            place = ridge_a + (ridge_b - ridge_a) * generator.uniform(0.05, 0.95)
            half = np.array([0.5, 0.0])
            stack = _wall_corners(place - half, place + half, top + rise - 0.6, top + rise + 1.3)
            canvas.polygon(stack, materials.jitter(generator, (120, 84, 70), 20), BUILDING)


def draw_barrier(canvas: Canvas, barrier: Barrier, scene: Scene) -> None:
    """A wall, a fence that can be seen through, or a hedge, standing along a line."""
    generator = np.random.default_rng(barrier.seed)
    a, b = np.asarray(barrier.start), np.asarray(barrier.end)
    world = _wall_corners(a, b, 0.0, barrier.height)
    depth = _nearest_depth(canvas, world)
    if depth < 0 or canvas.hidden(world):
        return
    length = float(np.hypot(*(b - a)))
    density = min(_density(canvas, depth, length * barrier.height, highest=60), 700 / length)
    rows, columns = max(round(barrier.height * density), 3), max(round(length * density), 4)
    gain = max(_brightness(scene, a, b), _brightness(scene, b, a) * 0.9)
    if barrier.kind == "wall":
        kind = choose(generator, {"brick": 4, "stone": 3, "concrete": 2, "painted": 1})
        texture = materials.masonry(generator, kind, rows, columns, density, contrast=scene.texture)
        texture[: max(rows // 12, 1)] = materials.jitter(generator, (160, 156, 148), 30)
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), WALL)
    elif barrier.kind == "hedge":
        colour = materials.hedge_colour(generator, "dark" if generator.random() < 0.4 else scene.palette)
        texture = materials.foliage(generator, rows, columns, colour, contrast=scene.texture)
        ragged = np.full((rows, columns), 255, np.uint8)
        edge = np.clip(
            rows * (0.08 + 0.05 * materials.noise_patch(generator, 2, columns, zoom=2)[0]), 0, rows
        )
        ragged[np.arange(rows)[:, None] < edge[None]] = 0
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), VEGETATION, alpha=ragged)
    elif barrier.kind == "guardrail":
        texture = materials.flat(rows, columns, materials.jitter(generator, (170, 172, 172), 20))
        beam = np.zeros((rows, columns), np.uint8)
        beam[: max(rows // 2, 1)] = 255
        beam[:, :: max(int(2 * density), 3)] = 255
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), FENCE, alpha=beam)
    else:
        texture, bars = materials.railing(generator, width=length, height=barrier.height, density=density)
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), FENCE, alpha=bars, solid_label=True)


_LOWEST_DETAIL, _HIGHEST_DETAIL = 16, 180  # rows of a sprite's own drawing
_SMALLEST = 4.0  # canvas rows below which a thing is left out


def draw_upright(canvas: Canvas, upright: Upright, scene: Scene) -> None:
    """A person, rider, two-wheeler or plant, drawn at about the size it will be seen."""
    foot = np.array([upright.x, upright.y, upright.z])
    base = canvas.camera.to_camera(foot[None])[0]
    if base[2] < 1.2 or abs(base[0]) > base[2] * 2.2 + 6:
        return
    generator = np.random.default_rng(upright.seed)
    seen = canvas.camera.focal / base[2] * upright.height
    fine = 0.7 if upright.kind == "leafy tree" else 1.1
    size = int(np.clip(seen * fine, _LOWEST_DETAIL, _HIGHEST_DETAIL))
    across = canvas.camera.rotation.T[:, 0] * (upright.height * 0.6)
    top = foot + np.array([0.0, upright.height, 0.0])
    if seen < _SMALLEST or canvas.hidden(
        np.array([foot - across, foot + across, top + across, top - across])
    ):
        return
    instance = 0
    if upright.kind == "person":
        sprite, instance = sprites.person(generator, size), canvas.new_object()
    elif upright.kind == "leafy tree":
        sprite = sprites.leafy_tree(generator, size, scene.palette, contrast=scene.texture)
    elif upright.kind == "bare tree":
        sprite = sprites.bare_tree(generator, size)
    elif upright.kind == "bush":
        sprite = sprites.bush(generator, size, scene.palette, contrast=scene.texture)
    else:
        motor = upright.kind.startswith("motor")
        ridden = upright.kind.endswith("ist")
        instance = canvas.new_object()
        side = generator.random() < (0.35 if ridden else 0.75)
        sprite = sprites.two_wheeler(generator, size, motor=motor, ridden=ridden, side=side)
        if ridden:
            canvas.new_object()
    if generator.random() < 0.5:
        flipped = (np.ascontiguousarray(layer[:, ::-1]) for layer in (sprite.rgb, sprite.alpha, sprite.label))
        sprite = sprites.Sprite(*flipped)
    height, width = sprite.alpha.shape
    shade = scene.light.ambient + scene.light.direct * generator.uniform(0.0, 0.55)
    canvas.sprite(
        sprite,
        foot,
        width=upright.height * width / height,
        height=upright.height,
        shade=float(shade),
        instance=instance,
    )


def draw_post(canvas: Canvas, post: Post, scene: Scene) -> None:
    """A pole and its lamp, signs, lights, gantry or hanging board."""
    base = canvas.camera.to_camera(np.array([[post.x, 0.0, post.z]]))[0]
    if base[2] < 1.5 or abs(base[0]) > base[2] * 2 + 4:
        return
    if post.width * canvas.camera.focal < 0.4 * base[2]:
        return  # thinner than anybody would label
    sideways = canvas.camera.rotation.T[:, 0] * (abs(post.reach) + 1.0)
    foot, top = np.array([post.x, 0.0, post.z]), np.array([post.x, post.height + 1.8, post.z])
    if canvas.hidden(np.array([foot - sideways, foot + sideways, top + sideways, top - sideways])):
        return
    generator = np.random.default_rng(post.seed)
    tone = generator.uniform(24, 80) if generator.random() < 0.55 else generator.uniform(110, 185)
    light = scene.light.ambient + scene.light.direct * 0.35
    colour = materials.jitter(generator, (tone * light, tone * light * 1.01, tone * light), 8)
    if post.kind == "bollard" and generator.random() < 0.3:
        colour = materials.jitter(generator, (210, 190, 90), 25)
    across = canvas.camera.rotation.T @ np.array([1.0, 0.0, 0.0])  # parallel to the image rows
    across = np.array([across[0], 0.0, across[2]])
    place = np.array([post.x, 0.0, post.z])
    pixel = base[2] / canvas.camera.focal
    width = max(post.width, pixel * 0.9)

    def upright(x: float, low: float, high: float, w: float, paint: Colour) -> None:
        left, right = place + across * (x - w / 2), place + across * (x + w / 2)
        world = np.array([left, right, right, left])
        world[:, 1] = (low, low, high, high)
        canvas.polygon(world, paint, POLE)

    def arm(x0: float, x1: float, y0: float, y1: float, w: float) -> None:
        world = np.array([place + across * x0, place + across * x1, place + across * x1, place + across * x0])
        world[:, 1] = (y0 - w / 2, y1 - w / 2, y1 + w / 2, y0 + w / 2)
        canvas.polygon(world, colour, POLE)

    seen = canvas.camera.focal / base[2]

    def mount(sprite: sprites.Sprite, x: float, y: float, *, width: float, height: float) -> None:
        foot = place + across * x
        foot[1] = y
        nearer = (
            foot * (1 - 0.15 / base[2])
            + np.array([canvas.camera.offset_x, canvas.camera.eye_height, 0]) * 0.15 / base[2]
        )
        canvas.sprite(sprite, nearer, width=width, height=height, shade=light, instance=canvas.new_object())

    if post.kind != "board":
        upright(0.0, 0.0, post.height, width, colour)
        if post.width > 1.2 * pixel:  # a lit edge makes a round pole
            edge: Colour = (
                min(colour[0] * 1.45, 255),
                min(colour[1] * 1.45, 255),
                min(colour[2] * 1.45, 255),
            )
            upright(post.width * 0.22, 0.0, post.height, post.width * 0.3, edge)
    if post.kind == "lamp":
        rise = generator.uniform(0.0, 0.6)
        arm(0.0, post.reach, post.height, post.height + rise, max(0.09, pixel * 0.8))
        end = post.reach + np.sign(post.reach) * 0.5
        arm(post.reach, end, post.height + rise, post.height + rise, max(0.16, pixel))
    elif post.kind == "signs":
        y = post.height
        for _ in range(int(generator.integers(1, 4))):
            sprite, aspect = sprites.traffic_sign(generator, int(np.clip(seen * 0.8, 8, 120)))
            tall = generator.uniform(0.5, 0.95)
            if y - tall < 1.1:
                break
            mount(sprite, 0.0, y - tall, width=tall * aspect, height=tall)
            y -= tall + 0.06
    elif post.kind == "lights":
        for x, y in ((0.0, post.height - 1.0), (post.reach, post.height + 0.6)):
            if x == 0.0 or abs(post.reach) > 1:
                tall = generator.uniform(0.85, 1.15)
                mount(
                    sprites.traffic_light(generator, int(np.clip(seen * 1.0, 10, 130))),
                    x,
                    y,
                    width=tall * 0.42,
                    height=tall,
                )
        if abs(post.reach) > 1:
            upright(0.0, post.height, post.height + 1.7, width, colour)
            arm(0.0, post.reach, post.height + 1.7, post.height + 1.7, max(0.1, pixel))
    elif post.kind == "board":
        sprite, aspect = sprites.traffic_sign(generator, int(np.clip(seen * 0.9, 8, 120)))
        tall = generator.uniform(0.5, 1.1)
        mount(sprite, 0.0, post.height, width=tall * aspect, height=tall)


def add_haze(canvas: Canvas, haze: Colour, density: float) -> None:
    """Aerial perspective: a fraction exp(-density * depth) of the colour is left at each depth."""
    inverse = canvas.inverse_depth
    weight = np.exp(-density / np.maximum(inverse, 1 / 400), dtype=np.float32)
    weight[inverse <= 0] = 1
    kept = (weight * 255).astype(np.uint8)
    kept = cv2.merge([kept, kept, kept])
    veil = np.empty_like(canvas.image)
    veil[:] = np.asarray(haze).astype(np.uint8)
    near = cv2.multiply(canvas.image, kept, scale=1 / 255)
    cv2.add(near, cv2.multiply(veil, cv2.bitwise_not(kept), scale=1 / 255), dst=canvas.image)


def draw_bonnet(canvas: Canvas, generator: Generator) -> None:
    """The own car's bonnet along the lower edge; nobody labels it."""
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
