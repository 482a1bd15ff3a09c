"""What is between the street and the picture: the own car, the windscreen and what it mirrors, dirt, drops,
the sun's veil, motion."""

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from streets.materials import Generator, choose
from streets.raster import Canvas
from streets.world import surfaces
from streets.world.plan import Plan


def look_through(canvas: Canvas, plan: Plan, generator: Generator) -> None:
    """In the order of the light's path; only the own car changes labels."""
    lens, day = plan.lens, plan.setting.day
    if plan.setting.scene.sunny and plan.setting.scene.light.sun[2] > 0.2 and generator.random() < 0.5:
        _veil_of_the_sun(canvas, plan, generator)
    if generator.random() < 0.12:
        _rush(canvas, generator)
    if lens.ego:
        kind = choose(
            generator, {**dict(lens.ego), "none": max(1 - sum(share for _, share in lens.ego), 0.0)}
        )
        if kind == "bonnet":
            _bonnet(canvas, generator, star=generator.random() < lens.star, dark=0.25 if day.night else 1.0)
        elif kind == "dashboard":
            _dashboard(canvas, generator, dark=0.2 if day.night else 1.0)
    if generator.random() < lens.reflection:
        _windscreen(canvas, generator)
    if generator.random() < day.drops:
        _drops(canvas, generator)
    if generator.random() < lens.dirt:
        _dirt(canvas, generator)


def _veil_of_the_sun(canvas: Canvas, plan: Plan, generator: Generator) -> None:
    """Glare around the sun where it stands before the camera."""
    height, width = canvas.label.shape
    sun = canvas.camera.rotation @ plan.setting.scene.light.sun
    if sun[2] < 0.2:
        return
    u, v = canvas.camera.focal * sun[:2] / sun[2] + canvas.camera.centre
    if not (-0.6 * width < u < 1.6 * width and -0.9 * height < v < height):
        return
    y, x = np.mgrid[0 : height // 4, 0 : width // 4].astype(np.float32) * 4
    away = np.hypot(x - u, y - v) / width
    veil = 200 * np.exp(-away / generator.uniform(0.05, 0.2)) + generator.uniform(5, 60) * np.exp(-away / 0.7)
    veil = cv2.resize(veil, (width, height))[..., None] * np.array([1.0, 0.97, 0.9], np.float32)
    canvas.image[:] = np.clip(canvas.image + veil, 0, 255).astype(np.uint8)


def _rush(canvas: Canvas, generator: Generator) -> None:
    """Motion blur: radial by driving, or sideways by turning."""
    height, width = canvas.label.shape
    image = canvas.image
    if generator.random() < 0.5:
        size = int(generator.uniform(0.006, 0.03) * width) | 1
        if size >= 3:
            canvas.image[:] = cv2.blur(image, (size, 1))
        return
    total = image.astype(np.float32)
    growth = generator.uniform(0.006, 0.025)
    for step in (1, 2, 3):
        zoom = 1 + growth * step / 3
        place = np.array([[zoom, 0, width / 2 * (1 - zoom)], [0, zoom, height * 0.48 * (1 - zoom)]])
        total += cv2.warpAffine(image, place, (width, height), borderMode=cv2.BORDER_REPLICATE)
    canvas.image[:] = (total / 4).astype(np.uint8)


def _void(canvas: Canvas, mask: NDArray[np.bool_]) -> None:
    canvas.label[mask] = IGNORE
    canvas.instance[mask] = 0
    canvas.inverse_depth[mask] = 0.6


def _bonnet(canvas: Canvas, generator: Generator, *, star: bool, dark: float) -> None:
    """A bonnet that mirrors the sky, its edge bowed; some with a star."""
    height, width = canvas.label.shape
    top = height * (1 - generator.uniform(0.03, 0.17))
    x = (np.arange(width, dtype=np.float32) / width - generator.uniform(0.4, 0.6)) * 2
    edge = top + np.abs(x) ** generator.uniform(1.6, 3) * height * generator.uniform(0.02, 0.12)
    rows = np.arange(height, dtype=np.float32)[:, None]
    mask = rows > edge[None]
    down = np.clip((rows - edge[None]) / max(height - top, 1), 0, 1)
    tone, sky = generator.uniform(8, 110), generator.uniform(10, 120) * dark
    smear = surfaces.surface(generator, height, width, slope=1.4, zoom=max(width / 120, 0.5))
    light = (tone * dark + sky * (1 - down) * (1 + 0.3 * smear)) * (1 + 0.05 * smear)
    paint = cv2.merge([cv2.convertScaleAbs(light, alpha=c) for c in generator.uniform(0.9, 1.08, 3).tolist()])
    np.copyto(canvas.image, paint, where=mask[..., None])
    if generator.random() < 0.5:
        cv2.polylines(
            canvas.image, [np.column_stack([np.arange(width), edge]).astype(np.int32)], False, (20, 20, 20), 1
        )
    _void(canvas, mask)
    if star:
        u, radius = (
            round(width * generator.uniform(0.45, 0.62)),
            max(round(height * generator.uniform(0.025, 0.05)), 2),
        )
        v = round(float(edge[min(u, width - 1)])) - radius
        grey = generator.uniform(60, 190) * dark
        cv2.circle(canvas.image, (u, v), radius, (grey, grey, grey), 1, cv2.LINE_AA)
        for angle in (90, 210, 330):
            end = round(u + radius * np.cos(np.radians(angle))), round(v - radius * np.sin(np.radians(angle)))
            cv2.line(canvas.image, (u, v), end, (grey, grey, grey), 1, cv2.LINE_AA)


def _dashboard(canvas: Canvas, generator: Generator, *, dark: float) -> None:
    """A dashboard along the lower edge, now and then wipers, a mirror, a screen or the pillars."""
    height, width = canvas.label.shape
    mask = np.zeros((height, width), np.uint8)
    top = height * (1 - generator.uniform(0.04, 0.24))
    knots = np.sort(generator.uniform(0, width, 4))
    xs = np.concatenate([[0], knots, [width]])
    ys = top + height * generator.normal(0, 0.012, 6)
    outline = np.concatenate([np.column_stack([xs, ys]), [[width, height], [0, height]]]).astype(np.int32)
    cv2.fillPoly(mask, [outline], 1)
    if generator.random() < 0.35:  # the mirror and what holds it
        w, h = width * generator.uniform(0.15, 0.35), height * generator.uniform(0.05, 0.16)
        u = width * generator.uniform(0, 1)
        cv2.ellipse(mask, (round(u), 0), (round(w / 2), round(h)), 0, 0, 360, 1, -1)
    if generator.random() < 0.2:  # a pillar
        side = generator.integers(2) * width
        inner = abs(side - width * generator.uniform(0.03, 0.14))
        cv2.fillPoly(mask, [np.array([(side, 0), (inner, 0), (side, height * 0.7)], np.int32)], 1)
    if generator.random() < 0.3:  # a phone or a navigator
        u, w, h = (
            generator.uniform(0, 0.8) * width,
            width * generator.uniform(0.08, 0.2),
            height * generator.uniform(0.08, 0.2),
        )
        cv2.rectangle(mask, (round(u), round(top - h * 0.6)), (round(u + w), height), 1, -1)
    if generator.random() < 0.4:  # a wiper
        u = generator.uniform(0, 0.7) * width
        cv2.line(
            mask,
            (round(u), round(top + 2)),
            (round(u + width * 0.35), round(top - height * 0.03)),
            1,
            max(height // 120, 1),
        )
    tone = generator.uniform(6, 60) * dark
    rough = surfaces.surface(generator, height, width, slope=1.2, zoom=max(width / 200, 0.5))
    light = tone * (1 + 0.25 * rough) + 0.3 * tone * np.linspace(0, 1, width, dtype=np.float32)[None]
    paint = cv2.merge([cv2.convertScaleAbs(light, alpha=c) for c in generator.uniform(0.85, 1.1, 3).tolist()])
    inside = mask.astype(bool)
    np.copyto(canvas.image, paint, where=inside[..., None])
    _void(canvas, inside)


def _windscreen(canvas: Canvas, generator: Generator) -> None:
    """The dashboard mirrored in the glass: pale shapes over the lower half, a haze over all."""
    height, width = canvas.label.shape
    shapes = surfaces.surface(generator, height, width, slope=1.4, zoom=max(width / 100, 0.5))
    cover = np.clip(shapes + generator.uniform(-0.5, 0.6), 0, 1)
    ramp = np.linspace(generator.uniform(0, 0.4), 1, height, dtype=np.float32)[:, None]
    veil = generator.uniform(8, 55) * cover * ramp + generator.uniform(0, 22)
    paint = veil[..., None] * generator.uniform(0.85, 1.1, 3).astype(np.float32)
    lost = 1 - np.float32(generator.uniform(0, 0.2)) * (cover * ramp)[..., None]
    canvas.image[:] = np.clip(canvas.image * lost + paint, 0, 255).astype(np.uint8)


def _drops(canvas: Canvas, generator: Generator) -> None:
    """Drops on the glass: small lenses that show the view upside down and soft."""
    height, width = canvas.label.shape
    soft = cv2.blur(canvas.image, (max(width // 30, 3),) * 2)[::-1]
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(generator.integers(4, 70))):
        u, v = generator.uniform(0, width), generator.uniform(0, height)
        radius = width * generator.uniform(0.002, 0.012) * (3 if generator.random() < 0.06 else 1)
        axes = (max(round(radius), 1), max(round(radius * generator.uniform(0.8, 2.0)), 1))
        cv2.ellipse(
            mask,
            (round(u), round(v)),
            axes,
            generator.normal(0, 15),
            0,
            360,
            int(generator.integers(70, 220)),
            -1,
        )
    weight = cv2.blur(mask, (3, 3)).astype(np.float32)[..., None] / 255
    bright = np.float32(generator.uniform(0.85, 1.15))
    canvas.image[:] = np.clip(canvas.image + (soft * bright - canvas.image) * weight, 0, 255).astype(np.uint8)


def _dirt(canvas: Canvas, generator: Generator) -> None:
    """Dust and smears on the lens: soft spots, darker or paler."""
    height, width = canvas.label.shape
    spots = np.zeros((max(height // 2, 2), max(width // 2, 2)), np.float32)
    for _ in range(int(generator.integers(2, 14))):
        centre = round(generator.uniform(0, spots.shape[1])), round(generator.uniform(0, spots.shape[0]))
        radius = max(round(width / 2 * generator.uniform(0.005, 0.05)), 1)
        cv2.circle(spots, centre, radius, float(generator.uniform(0.1, 0.6)), -1)
    spots = cv2.GaussianBlur(spots, (0, 0), max(width / 2 * 0.012, 0.8))
    weight = cv2.resize(spots, (width, height))[..., None] * np.float32(generator.uniform(0.2, 0.9))
    tone = np.float32(generator.uniform(20, 200))
    canvas.image[:] = np.clip(canvas.image + (tone - canvas.image) * weight, 0, 255).astype(np.uint8)
