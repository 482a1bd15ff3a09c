"""The sheet that people, two-wheelers, plants, signs and lights are drawn on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from streets.materials import Colour, Generator, brighten, noise_patch
from streets.raster import Sprite


class Sheet:
    """A drawing sheet in units of its own height: x in 0..aspect, y from 0 (top) to 1 (bottom)."""

    def __init__(self, size: int, aspect: float) -> None:
        self.size = size
        self.rgb = np.zeros((size, max(round(size * aspect), 2), 3), np.uint8)
        self.alpha = np.zeros(self.rgb.shape[:2], np.uint8)
        self.label = np.full(self.rgb.shape[:2], IGNORE, np.uint8)

    def _pixels(self, points: list[tuple[float, float]]) -> NDArray[np.int32]:
        return np.rint(np.asarray(points) * self.size * 16).astype(np.int32)

    def polygon(self, points: list[tuple[float, float]], colour: Colour, train_id: int) -> None:
        fixed = [self._pixels(points)]
        for layer, value in ((self.rgb, colour), (self.alpha, 255), (self.label, train_id)):
            cv2.fillPoly(layer, fixed, value, lineType=cv2.LINE_8, shift=4)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, train_id: int) -> None:
        centre = (round(x * self.size * 16), round(y * self.size * 16))
        axes = (max(round(rx * self.size * 16), 8), max(round(ry * self.size * 16), 8))
        for layer, value in ((self.rgb, colour), (self.alpha, 255), (self.label, train_id)):
            cv2.ellipse(layer, centre, axes, 0, 0, 360, value, -1, cv2.LINE_8, 4)

    def line(self, points: list[tuple[float, float]], width: float, colour: Colour, train_id: int) -> None:
        fixed = [self._pixels(points)]
        thickness = max(round(width * self.size), 1)
        for layer, value in ((self.rgb, colour), (self.alpha, 255), (self.label, train_id)):
            cv2.polylines(layer, fixed, False, value, thickness, cv2.LINE_8, 4)

    def ring(
        self, x: float, y: float, r: float, width: float, colour: Colour, train_id: int, *, fill: bool
    ) -> None:
        """A wheel; with `fill` the label covers the spokes' gaps too."""
        centre = (round(x * self.size), round(y * self.size))
        radius, thickness = max(round(r * self.size), 1), max(round(width * self.size), 1)
        cv2.circle(self.rgb, centre, radius, colour, thickness)
        cv2.circle(self.alpha, centre, radius, 255, thickness)
        cv2.circle(self.label, centre, radius, train_id, thickness)
        if fill:
            cv2.circle(self.label, centre, radius, train_id, -1)

    def shade(self, generator: Generator, strength: float = 0.14) -> Sprite:
        """Finish: soft folds and a darker side."""
        height, width = self.alpha.shape
        noise = noise_patch(generator, height, width, zoom=max(self.size / 40, 0.5))
        side = np.linspace(1 + 0.25 * generator.uniform(-1, 1), 1, width, dtype=np.float32)
        gain = cv2.convertScaleAbs((1 + strength * noise) * side, alpha=127)
        rgb = brighten(self.rgb, gain, one=127)
        return Sprite(rgb, self.alpha, self.label)
