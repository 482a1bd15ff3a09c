"""The ground's surfaces: grain and wear of asphalt, setts, grass, soil, leaves, snow; shade under trees."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streets.materials import Colour, Generator
from streets.raster import Canvas
from streets.street import ROAD, SIDEWALK, TERRAIN
from streets.world import surfaces
from streets.world.setting import Setting
from streets.world.surfaces import Layer


class _Plane:
    """The part of the picture below the horizon, and tiles laid on it."""

    def __init__(self, canvas: Canvas, generator: Generator) -> None:
        height, width = canvas.label.shape
        inverse = canvas.inverse_depth
        rows = np.flatnonzero((inverse > 1 / 400).any(1))
        self.top, self.generator = (int(rows[0]) if len(rows) else height), generator
        self.size = (width, height - self.top)
        self.to_ground = canvas.camera.pixel_to_ground @ np.array([[1, 0, 0], [0, 1, self.top], [0, 0, 1]])
        self.inverse = inverse[self.top :]

    def lay(self, tile: Layer, density: float, *, along: float | None = None, reach: float) -> Layer:
        """`tile` at `density` pixels a metre (`along` the road another), fading out beyond `reach` metres."""
        shift = self.generator.uniform(0, 512, 2)
        place = np.array([[density, 0, shift[0]], [0, along or density, shift[1]], [0, 0, 1]])
        layer = cv2.warpPerspective(
            tile, place @ self.to_ground, self.size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        return layer * np.clip(self.inverse * np.float32(reach), 0, 1)


def dress_ground(canvas: Canvas, setting: Setting, generator: Generator) -> None:
    """After the patches are painted, before anything stands on them."""
    plane = _Plane(canvas, generator)
    if plane.size[1] < 4:
        return
    label, image = canvas.label[plane.top :], canvas.image[plane.top :]
    index = int(generator.integers(surfaces.TILES))
    fine = plane.lay(surfaces.spectral_tile(index, 0.6), 70.0, reach=7)
    middle = plane.lay(surfaces.spectral_tile((index + 1) % 4, 1.0), 14.0, reach=25)
    coarse = plane.lay(surfaces.spectral_tile((index + 2) % 4, 1.2), 2.0, reach=90)
    gain = np.ones(label.shape, np.float32)
    road, walk, soil = label == ROAD, label == SIDEWALK, (label == TERRAIN) | (label == 255)
    strength = generator.uniform(0.4, 1.3)
    wear = plane.lay(
        surfaces.spectral_tile(index, 1.2), 5.0, along=0.35, reach=60
    )  # drawn out along the road
    np.copyto(
        gain,
        1 + np.float32(strength) * (0.035 * fine + 0.04 * middle + 0.05 * coarse + 0.06 * wear),
        where=road | walk,
    )
    if setting.paved == "setts":
        _setts(plane, gain, road if generator.random() < 0.7 else road | walk, generator)
    if generator.random() < 0.4:
        _setts(plane, gain, walk, generator)
    rough = 1 + 0.14 * fine + 0.12 * middle + 0.10 * coarse
    np.copyto(gain, rough, where=soil)
    if setting.scene.sunny:
        gain *= np.float32(1 + generator.uniform(0, 0.6) * setting.scene.light.direct)  # dry and pale
    if setting.scene.sunny and generator.random() < 0.5:
        gain *= _canopy(plane, generator)
    dressed = cv2.multiply(image.astype(np.float32), cv2.merge([gain] * 3))
    hue = np.where(soil, 0.09 * coarse + 0.05 * middle, 0.012 * coarse).astype(np.float32)
    dressed[..., 0] *= 1 + hue
    dressed[..., 2] *= 1 - hue
    if soil.any() and generator.random() < 0.4:  # fallen leaves, tufts
        tuft = plane.lay(surfaces.leaf_tile(index), generator.uniform(60, 160), reach=9)
        litter = soil | (walk if generator.random() < 0.4 else soil)
        dressed *= np.where(litter, 1 + 0.16 * tuft, 1)[..., None].astype(np.float32)
    if generator.random() < 0.6:
        _wear_off_the_paint(
            dressed, road, setting.scene.road_colour, 0.6 * fine + 0.8 * middle + 0.5 * wear, generator
        )
    if setting.snow > 0:
        _snow(plane, dressed, label, setting.snow, generator, (fine, middle, coarse, wear))
    np.clip(dressed, 0, 255, out=dressed)
    image[:] = dressed.astype(np.uint8)


def _wear_off_the_paint(
    picture: Layer, road: NDArray[np.bool_], colour: Colour, wear: Layer, generator: Generator
) -> None:
    """Old markings let the asphalt show through."""
    painted = road & (picture.max(2) > max(colour) + 40)
    lost = np.clip((wear - generator.uniform(-0.3, 1.5)) * 1.2, 0, 0.95) * painted
    asphalt = np.asarray(colour, np.float32)
    picture += (asphalt - picture) * lost[..., None].astype(np.float32)


def _setts(plane: _Plane, gain: Layer, where: NDArray[np.bool_], generator: Generator) -> None:
    """Stones 8 to 45 cm wide in courses."""
    stone = generator.uniform(0.08, 0.45) * generator.uniform(0.4, 1)
    layer = plane.lay(surfaces.stone_tile(int(generator.integers(4))), 16 / stone, reach=3 / stone**0.5 * 2.2)
    np.add(gain, np.float32(generator.uniform(0.08, 0.22)) * layer, out=gain, where=where)


def _canopy(plane: _Plane, generator: Generator) -> Layer:
    """Dappled shade of trees that are not in the picture."""
    shade = plane.lay(
        surfaces.spectral_tile(int(generator.integers(4)), 1.2),
        generator.uniform(6, 20),
        along=generator.uniform(2, 14),
        reach=200,
    )
    cover = np.clip((shade - generator.uniform(-0.5, 1.2)) * generator.uniform(1.5, 4), 0, 1)
    return 1 - np.float32(generator.uniform(0.35, 0.65)) * cover


def _snow(
    plane: _Plane, picture: Layer, label: NDArray[np.uint8], cover: float, generator: Generator,
    layers: tuple[Layer, Layer, Layer, Layer],
) -> None:  # fmt: skip
    """White on grass and pavements, slush and tracks on the road."""
    fine, middle, coarse, wear = layers
    lumps = 0.25 * fine + 0.35 * middle + 0.5 * coarse
    amount = np.zeros(label.shape, np.float32)
    for train_id, bias in (
        (TERRAIN, 0.6),
        (SIDEWALK, generator.uniform(-0.8, 0.6)),
        (ROAD, generator.uniform(-2.6, -0.4)),
        (255, 0.2),
    ):
        np.copyto(amount, lumps + np.float32(3.0 * cover + bias - 1.0), where=label == train_id)
    np.subtract(amount, 0.9 * wear + 0.4, out=amount, where=label == ROAD)
    amount = np.clip(
        amount * np.float32(generator.uniform(0.8, 2.0)), 0, np.float32(generator.uniform(0.8, 1.0))
    )
    white = np.float32(generator.uniform(190, 245)) * (1 + 0.04 * middle + 0.03 * fine)
    tint = np.array([0.97, 0.99, 1.02], np.float32)
    picture += (white[..., None] * tint - picture) * amount[..., None]
