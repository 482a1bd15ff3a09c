"""What is far away: the sky, the horizon, and the haze between."""

import cv2
import numpy as np

from streets import materials
from streets.materials import Colour, Generator
from streets.raster import Canvas
from streets.scene import StreetScene

BUILDING, VEGETATION, SKY = 2, 8, 10

_SKIES: dict[str, tuple[Colour, Colour]] = {  # zenith, horizon
    "blue": ((96, 146, 214), (196, 218, 238)),
    "cloudy": ((124, 156, 204), (214, 222, 230)),
    "overcast": ((176, 182, 190), (208, 210, 212)),
    "white": ((242, 244, 248), (252, 252, 252)),
    "dusk": ((112, 122, 150), (206, 196, 188)),
}


def paint_sky(canvas: Canvas, sky: str, generator: Generator, *, gain: float) -> Colour:
    """Fill the frame with sky and clouds, `gain` times as bright; returns the haze's colour at its foot."""
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
    image = image + (bright - image) * cover
    if sky != "blue" and generator.random() < 0.4:  # the dark undersides of clouds
        below = materials.noise_patch(generator, *small, zoom=width / generator.uniform(60, 400))
        depth = np.float32(generator.uniform(0.1, 0.3))
        image = image * (1 - depth * np.clip(cloud + 0.7 * below, 0, 1.5))[..., None]
    picture = np.minimum(image * np.float32(gain), 255).astype(np.uint8)
    cv2.resize(picture, (width, height), dst=canvas.image, interpolation=cv2.INTER_LINEAR)
    canvas.label[:] = SKY
    r, g, bl = horizon
    return float(r), float(g), float(bl)


def paint_backdrop(canvas: Canvas, scene: StreetScene, generator: Generator, haze: Colour) -> None:
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
