"""What lens, sensor and file do: glare, exposure, tone, colour, vignette, blur, sharpening, noise, JPEG.

Works on uint8 RGB [H, W, 3] at output size; every amount comes from the domain's style.
"""

import cv2
import numpy as np

from streets.materials import Generator, Image, brighten
from streets.styles import Style

_TOE = 0.12  # the tone below which the curve flattens towards black


def expose(image: Image, style: Style, generator: Generator, *, dusk: bool) -> Image:
    """The picture as the domain's camera would store it."""
    height, width = image.shape[:2]
    gain = generator.uniform(*((0.28, 0.6) if dusk else style.exposure))
    balance = 1 + generator.normal(0, style.cast, 3)
    contrast = generator.uniform(*style.contrast)
    level = np.arange(256, dtype=np.float32) / 255
    tables = []
    for channel in range(3):
        light = np.clip(level**2.2 * gain ** (2.2 * 0.6) * balance[channel], 0, None)
        tone = np.clip(light, 0, 1) ** (1 / 2.2)
        tone = (tone - style.pivot) * contrast + style.pivot
        dark = _TOE * np.exp(np.minimum(tone / _TOE - 1, 0))  # what is dark keeps its shapes
        tables.append(np.clip(np.maximum(tone, dark), 0, 1) * 255)
    table = np.stack(tables, -1).astype(np.uint8)[None]
    picture = cv2.LUT(image, table)
    saturation = generator.uniform(*style.saturation)
    if abs(saturation - 1) > 0.02:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        picture = cv2.addWeighted(picture, saturation, grey, 1 - saturation, 0)
    glare = generator.uniform(*style.glare)
    if glare > 0.01:  # bright sky spills over thin things and lifts the blacks
        small = cv2.resize(picture, (max(width // 8, 1), max(height // 8, 1)), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), max(width / 8 * 0.1, 0.5))
        spill = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        picture = cv2.addWeighted(picture, 1 - glare * 0.35, spill, glare, 0)
    vignette = generator.uniform(*style.vignette)
    if vignette > 0.02:
        x = np.linspace(-1, 1, width, dtype=np.float32) ** 2
        y = np.linspace(-1, 1, height, dtype=np.float32) ** 2
        falloff = np.clip(255 * (1 - vignette * (x[None] + y[:, None]) / 2), 0, 255).astype(np.uint8)
        picture = brighten(picture, falloff, one=255)
    scale = height / 384
    sigma = generator.uniform(*style.blur) * max(scale, 0.7)
    if sigma > 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    amount = generator.uniform(*style.sharpening)
    if amount > 0.05:  # bright and dark rims along every edge
        soft = cv2.GaussianBlur(picture, (0, 0), float(generator.uniform(0.6, 1.3)) * max(scale, 0.7))
        picture = cv2.addWeighted(picture, 1 + amount, soft, -amount, 0)
    noise = generator.uniform(*style.noise) * (1.3 if dusk else 1.0)
    if noise > 0.3:
        grain = generator.standard_normal((height, width), dtype=np.float32)
        colour = (
            cv2.merge([grain, np.roll(grain, 7, 1), np.roll(grain, 13, 0)])
            if noise > 2
            else cv2.merge([grain] * 3)
        )
        picture = cv2.add(picture, colour * noise, dtype=cv2.CV_8U)
    quality = int(generator.uniform(*style.jpeg))
    if quality < 97:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return picture
