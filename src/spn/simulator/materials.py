"""Surfaces of the street: noise, facades, shop fronts, roofs, walls, fences, hedges, vehicle sides.

Every function returns a small uint8 texture made for the size at which it will be seen
(`density` pixels per metre), and draws all its randomness from the generator it is given.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.seeding import numpy_generator

Image = NDArray[np.uint8]
Colour = tuple[float, float, float]
Generator = np.random.Generator

_LETTERS = "ABCDEFGHIKLMNOPRSTUVWZ"


@lru_cache(maxsize=16)
def noise_tile(index: int, size: int = 512, octaves: int = 5) -> NDArray[np.float32]:
    """A tileable fractal noise [size, size], zero mean, standard deviation 1; one of a fixed family."""
    generator = numpy_generator(index, "noise tile")
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        grid = generator.standard_normal((cells, cells)).astype(np.float32)
        grid = np.pad(grid, 2, mode="wrap")
        step = size // cells
        fine = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += fine[2 * step : 2 * step + size, 2 * step : 2 * step + size] * 0.7**octave
    grain = generator.standard_normal((size, size)).astype(np.float32)
    total += 0.35 * grain
    return (total - total.mean()) / total.std()


def noise_patch(generator: Generator, height: int, width: int, *, zoom: float = 1.0) -> NDArray[np.float32]:
    """A random window [height, width] of a noise tile, enlarged by `zoom`."""
    tile = noise_tile(int(generator.integers(8)))
    h, w = min(max(int(height / zoom), 2), 512), min(max(int(width / zoom), 2), 512)
    y, x = int(generator.integers(513 - h)), int(generator.integers(513 - w))
    patch = tile[y : y + h, x : x + w]
    if patch.shape != (height, width):
        patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR)
    return patch


def jitter(generator: Generator, colour: Colour, amount: float) -> Colour:
    """A colour with a common and a smaller per-channel change, each uniform in ± `amount` (levels)."""
    common, *change = generator.random(4).tolist()
    r, g, b = [
        min(max(value + amount * (2 * common - 1 + 0.4 * (2 * own - 1)), 2.0), 253.0)
        for value, own in zip(colour, change, strict=True)
    ]
    return r, g, b


def choose(generator: Generator, weights: dict[str, float]) -> str:
    """A key of `weights`, drawn in proportion to its value."""
    keys = list(weights)
    cumulative = np.cumsum([weights[key] for key in keys])
    index = int(np.searchsorted(cumulative, generator.uniform(0, cumulative[-1]), side="right"))
    return keys[min(index, len(keys) - 1)]


def flat(height: int, width: int, colour: Colour) -> Image:
    texture = np.empty((height, width, 3), np.uint8)
    texture[:] = np.asarray(colour).astype(np.uint8)
    return texture


def speckle(generator: Generator, texture: Image, strength: float, *, zoom: float = 1.0) -> Image:
    """Multiply by 1 + noise of relative standard deviation `strength`."""
    if strength <= 0:
        return texture
    patch = noise_patch(generator, *texture.shape[:2], zoom=zoom)
    gain = cv2.convertScaleAbs(patch, alpha=128 * strength, beta=128)
    return cv2.multiply(texture, cv2.merge([gain, gain, gain]), scale=1 / 128)


def _rectangle(texture: Image, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    cv2.rectangle(texture, (round(x0), round(y0)), (round(x1) - 1, round(y1) - 1), colour, -1)


def lettering(
    generator: Generator, texture: Image, x0: float, y0: float, x1: float, y1: float, ink: Colour
) -> None:
    """Random capitals across the given rectangle of the texture."""
    size = (y1 - y0) * 0.6
    if size < 4:
        middle = (y0 + y1) / 2
        _rectangle(
            texture, x0 + (x1 - x0) * 0.2, middle - size / 3, x1 - (x1 - x0) * 0.2, middle + size / 3 + 1, ink
        )
        return
    count = max(int((x1 - x0) * generator.uniform(0.5, 0.9) / (size * 0.9)), 1)
    word = "".join(_LETTERS[i] for i in generator.integers(len(_LETTERS), size=min(count, 14)))
    thickness = max(round(size / 7), 1)
    start = (round(x0 + (x1 - x0 - count * size * 0.85) / 2), round(y1 - (y1 - y0) * 0.2))
    font = cv2.FONT_HERSHEY_DUPLEX if generator.random() < 0.5 else cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(texture, word, start, font, size / 22, ink, thickness, cv2.LINE_AA)


WALL_COLOURS: dict[str, tuple[Colour, ...]] = {
    "brick": ((142, 84, 66), (122, 66, 54), (166, 104, 80), (176, 146, 108), (150, 128, 98), (108, 74, 62)),
    "stone": ((168, 158, 140), (188, 178, 156), (140, 134, 124), (120, 112, 100), (200, 190, 168)),
    "painted": (
        (226, 222, 212),
        (236, 228, 204),
        (214, 196, 168),
        (196, 206, 212),
        (220, 186, 170),
        (198, 178, 120),
    ),
    "concrete": ((150, 150, 148), (128, 128, 128), (172, 170, 164), (110, 112, 114)),
    "dark": ((64, 60, 58), (52, 54, 60), (80, 70, 62), (44, 40, 40)),
    "glass": ((96, 116, 130), (70, 88, 104), (120, 140, 150), (60, 72, 78)),
    "timber": ((96, 66, 44), (222, 214, 200), (70, 52, 40)),
}


def masonry(
    generator: Generator, kind: str, height: int, width: int, density: float, *, contrast: float
) -> Image:
    """A wall without openings, [height, width, 3]."""
    options = WALL_COLOURS[kind]
    base = jitter(generator, options[int(generator.integers(len(options)))], 18)
    texture = flat(height, width, base)
    if kind in ("brick", "stone"):
        course = (0.15 if kind == "brick" else 0.4) * density * generator.uniform(0.9, 1.6)
        if course >= 2.5:
            seam = tuple(channel * generator.uniform(0.75, 1.18) for channel in base)
            for row in np.arange(0, height, course):
                cv2.line(texture, (0, int(row)), (width, int(row)), seam, 1)
            if course >= 5:
                for index, row in enumerate(np.arange(0, height, course)):
                    for column in np.arange((index % 2) * course, width, course * 2):
                        end = (int(column), int(row + course))
                        cv2.line(texture, (int(column), int(row)), end, seam, 1)
    if density > 5:
        texture = speckle(generator, texture, 0.10 * contrast, zoom=generator.uniform(0.7, 2))
    return speckle(generator, texture, 0.08 * contrast, zoom=min(6, density / 2))


def _window(
    generator: Generator,
    texture: Image,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    frame: Colour,
    glass: Colour,
) -> None:
    edge = max((x1 - x0) * 0.09, 1)
    _rectangle(texture, x0, y0, x1, y1, frame)
    shade = generator.uniform(0.5, 1.5)
    r, g, b = (min(channel * shade, 250) for channel in glass)
    _rectangle(texture, x0 + edge, y0 + edge, x1 - edge, y1 - edge, (r, g, b))
    roll = generator.random()
    middle, half = (x0 + x1) / 2, (y0 + y1) / 2
    if roll < 0.25:  # curtain or blind
        curtain = generator.uniform(120, 230)
        drop = generator.uniform(0.2, 0.7)
        _rectangle(
            texture,
            x0 + edge,
            y0 + edge,
            x1 - edge,
            y0 + (y1 - y0) * drop,
            (curtain, curtain, curtain * 0.95),
        )
    elif roll < 0.5:  # sky in the upper panes
        _rectangle(texture, x0 + edge, y0 + edge, x1 - edge, half, (r + 45, g + 52, b + 60))
    if x1 - x0 > 6:
        cv2.line(texture, (round(middle), round(y0)), (round(middle), round(y1) - 1), frame, 1)
        if roll > 0.4:
            cv2.line(texture, (round(x0), round(half)), (round(x1) - 1, round(half)), frame, 1)


class _FarWindows:
    """Windows too small for a frame: `count` panes `pitch` apart (metres), alike in every storey."""

    def __init__(
        self, columns: int, *, count: int, pitch: float, margin: float, width: float, density: float
    ) -> None:
        place = (np.arange(columns) + 0.5) / density - margin
        self.count = count
        self.pane = np.minimum(np.maximum(place // pitch, 0), count - 1).astype(np.int64)
        self.inside = ((place >= 0) & (place - self.pane * pitch < width))[None, :, None]

    def draw(self, generator: Generator, texture: Image, y0: float, y1: float, glass: Colour) -> None:
        """A storey of them between rows y0 and y1, each pane its own shade."""
        random = generator.random((2, self.count, 1))
        shade = np.where(random[0] < 0.2, 3.0, 0.5 + 1.2 * random[1])
        panes = np.minimum(shade * np.asarray(glass), 235).astype(np.uint8)
        rows = slice(max(round(y0), 0), max(round(y1), round(y0) + 1))
        np.copyto(texture[rows], panes[self.pane], where=self.inside)


def shop_front(
    generator: Generator, texture: Image, x0: float, x1: float, ground: float, height: float, density: float
) -> None:
    """Glass, a door, things behind the glass, and a lettered fascia, drawn into a facade texture.

    ground: the row of the pavement; height: rows from pavement to the top of the fascia.
    """
    fascia = height * generator.uniform(0.16, 0.28)
    board = generator.uniform(10, 245, 3) if generator.random() < 0.75 else generator.uniform(20, 60, 3)
    frame = generator.uniform(10, 70, 3) if generator.random() < 0.6 else generator.uniform(120, 240, 3)
    top = ground - height
    _rectangle(texture, x0, top, x1, ground, tuple(frame))
    dark = generator.uniform(14, 60)
    glass = (dark, dark * generator.uniform(0.95, 1.15), dark * generator.uniform(0.95, 1.3))
    edge = max(0.08 * density, 1)
    left = x0 + edge
    panes = int(generator.integers(1, 5))
    step = (x1 - x0 - edge) / panes
    sill = max(ground - generator.uniform(0.0, 0.2) * height, top + fascia + edge + 1)
    for pane in range(panes):
        a, b = left + pane * step, max(left + (pane + 1) * step - edge, left + pane * step + 0.5)
        _rectangle(texture, a, top + fascia + edge, b, sill, glass)
        for _ in range(int(generator.integers(0, 6))):  # goods, posters, reflections of people and cars
            cx, cy = generator.uniform(a, b), generator.uniform(top + fascia + edge, sill)
            w, h = generator.uniform(0.05, 0.5) * (b - a), generator.uniform(0.05, 0.4) * height
            bright = generator.uniform(0, 150)
            tone = tuple(
                g + bright * share for g, share in zip(glass, generator.random(3).tolist(), strict=True)
            )
            _rectangle(
                texture,
                max(cx - w / 2, a),
                max(cy - h / 2, top + fascia),
                min(cx + w / 2, b),
                cy,
                tone,
            )
        if generator.random() < 0.3:  # a strip light inside
            _rectangle(texture, a, top + fascia + 2 * edge, b, top + fascia + 3 * edge, (250, 240, 205))
    _rectangle(texture, x0, top, x1, top + fascia, tuple(board))
    ink = (245, 240, 225) if board.mean() < 130 else tuple(generator.uniform(0, 90, 3))
    lettering(generator, texture, x0, top, x1, top + fascia, ink)
    if generator.random() < 0.18:  # awning
        stripe = tuple(generator.uniform(30, 240, 3))
        _rectangle(texture, x0, top + fascia, x1, top + fascia + 0.16 * height, stripe)


def _old_stone(generator: Generator, texture: Image, density: float) -> None:
    """Weathered stone with buttresses and tall pointed windows, drawn into a wall."""
    rows, columns = texture.shape[:2]
    stains = noise_patch(generator, rows, columns, zoom=max(1.2 * density, 0.6))
    gain = cv2.convertScaleAbs(stains, alpha=28, beta=100)
    cv2.multiply(texture, cv2.merge([gain, gain, gain]), dst=texture, scale=1 / 127)
    bay = generator.uniform(2.2, 5) * density
    wide, sill, spring = (
        generator.uniform(0.2, 0.34) * bay,
        generator.uniform(0.55, 0.85),
        generator.uniform(0.2, 0.45),
    )
    dark = generator.uniform(14, 60)
    pale = jitter(generator, (188, 180, 160), 30)
    for middle in np.arange(generator.uniform(0, bay), columns + bay, bay):
        apex = spring - generator.uniform(0.06, 0.12)
        for grow, tone in ((0.18 * bay, pale), (0.0, (dark, dark * 1.05, dark * 1.1))):
            half = wide + grow * 0.4
            points = [
                (middle - half, sill * rows),
                (middle - half, spring * rows),
                (middle, apex * rows - grow),
            ]
            points += [(middle + half, spring * rows), (middle + half, sill * rows)]
            cv2.fillPoly(texture, [np.rint(points).astype(np.int32)], tone)
        if density > 4:  # mullions
            cv2.line(texture, (int(middle), int(apex * rows)), (int(middle), int(sill * rows)), pale, 1)
        edge = middle + bay / 2
        foot = 0.16 * bay * generator.uniform(0.7, 1.3)
        shade = texture[:, max(int(edge), 0) : max(int(edge + foot), 0)]
        shade[:] = (shade * 0.55).astype(np.uint8)
        lit = texture[:, max(int(edge - foot), 0) : max(int(edge), 0)]
        lit[:] = cv2.convertScaleAbs(lit, alpha=1.18) if lit.size else lit


def facade(
    generator: Generator,
    kind: str,
    *,
    width: float,
    height: float,
    density: float,
    shop: bool,
    contrast: float,
) -> Image:
    """The front of a building, `width` x `height` metres, of a kind in WALL_COLOURS."""
    columns, rows = max(round(width * density), 4), max(round(height * density), 4)
    old = kind in ("stone", "dark") and generator.random() < 0.3  # a church, a college
    texture = masonry(generator, kind, rows, columns, density, contrast=contrast * (1.8 if old else 1.0))
    if old:
        _old_stone(generator, texture, density)
        return texture
    storey = generator.uniform(2.7, 3.6)
    ground_storey = min(generator.uniform(3.0, 4.4) if shop else storey, height)
    frame_tone = generator.uniform(190, 245) if generator.random() < 0.65 else generator.uniform(25, 90)
    frame = (frame_tone, frame_tone, frame_tone * 0.97)
    dark = generator.uniform(24, 84)
    glass = (dark, dark * 1.07, dark * generator.uniform(1.05, 1.3))
    pitch = generator.uniform(1.5, 3.4) if kind != "glass" else generator.uniform(1.1, 1.6)
    window_width = pitch * generator.uniform(0.35, 0.62) if kind != "glass" else pitch * 0.93
    window_height = storey * generator.uniform(0.42, 0.62) if kind != "glass" else storey * 0.8
    count = max(int(width / pitch), 1)
    margin = (width - count * pitch) / 2 + (pitch - window_width) / 2
    far = _FarWindows(columns, count=count, pitch=pitch, margin=margin, width=window_width, density=density)
    ribbon = kind == "concrete" and generator.random() < 0.4
    blind = generator.random() < 0.05
    level = ground_storey if shop else 0.0
    while level + storey * 0.9 < height and not blind:
        sill = level + (storey - window_height) * 0.55
        y1, y0 = rows - sill * density, rows - (sill + window_height) * density
        if ribbon:
            _rectangle(texture, 0, y0, columns, y1, glass)
        elif density < 7:
            far.draw(generator, texture, y0, y1, glass)
        else:
            for column in range(count):
                if generator.random() < 0.04:
                    continue
                x0 = (margin + column * pitch) * density
                _window(generator, texture, x0, y0, x0 + window_width * density, y1, frame, glass)
        if level == 0.0 and density > 4:  # doors
            for _ in range(max(int(width / 7), 1)):
                x0 = generator.uniform(0, max(width - 1.1, 0.1)) * density
                _rectangle(
                    texture,
                    x0,
                    rows - 2.2 * density,
                    x0 + density,
                    rows,
                    tuple(generator.uniform(15, 200, 3)),
                )
        level += storey
    if kind == "timber":
        beam = jitter(generator, (48, 36, 30), 10)
        for x in np.arange(0, columns, max(1.1 * density, 3)):
            cv2.line(texture, (int(x), 0), (int(x), rows), beam, max(round(0.14 * density), 1))
    if generator.random() < 0.5:  # string course and cornice
        band = jitter(generator, (200, 194, 182), 25)
        _rectangle(texture, 0, 0, columns, max(0.35 * density, 1), band)
        if generator.random() < 0.6:
            y = rows - ground_storey * density
            _rectangle(texture, 0, y - 0.2 * density, columns, y, band)
    if density > 3:  # posters, plates, alarm boxes, lit panes: bright and coloured, but no traffic signs
        for _ in range(int(generator.poisson(width / 6))):
            x0, y0 = generator.uniform(0, columns), rows - generator.uniform(0.8, 6.5) * density
            w, h = generator.uniform(0.2, 1.3, 2) * density
            _rectangle(texture, x0, y0 - h, x0 + max(w, 1), y0, tuple(generator.uniform(20, 245, 3)))
    if density > 2:  # drain pipes, pilasters, scaffolding: upright and thin, but no poles
        for _ in range(int(generator.poisson(width / 5))):
            x, thick = generator.uniform(0, columns), generator.uniform(0.05, 0.4) * generator.random()
            foot, head = generator.uniform(0, 0.4) * rows, rows * generator.uniform(0.7, 1)
            tone = tuple(generator.uniform(20, 230) * generator.uniform(0.9, 1.1, 3))
            _rectangle(texture, x, rows - head, x + max(thick * density, 1), rows - foot, tone)
    if shop:
        start = 0.0
        while start < columns - 1.5 * density:
            end = min(start + generator.uniform(3.5, 8) * density, float(columns))
            if columns - end < 2 * density:
                end = float(columns)
            shop_front(generator, texture, start, end, rows, ground_storey * density * 0.95, density)
            start = end + generator.uniform(0, 0.4) * density
    return texture


def roof(generator: Generator, height: int, width: int, *, contrast: float) -> Image:
    """Slates or tiles, [height, width, 3]."""
    options: tuple[Colour, ...] = ((82, 84, 92), (66, 64, 68), (150, 84, 62), (120, 72, 56), (104, 96, 88))
    texture = flat(height, width, jitter(generator, options[int(generator.integers(len(options)))], 14))
    for row in range(0, height, 3):
        cv2.line(texture, (0, row), (width, row), tuple((texture[0, 0] * 0.86).tolist()), 1)
    return speckle(generator, texture, 0.12 * contrast)


def foliage(generator: Generator, height: int, width: int, colour: Colour, *, contrast: float) -> Image:
    """Leaves: blotches of light and shade at several sizes, [height, width, 3]."""
    grain = generator.standard_normal((height, width), dtype=np.float32)
    fine = noise_patch(generator, height, width, zoom=0.8)
    coarse = noise_patch(generator, height, width, zoom=3)
    light = np.maximum(0.72 + contrast * (0.17 * grain + 0.22 * (fine + coarse)), 0.08)
    warm = light * (1 + 0.10 * coarse)
    r, g, b = colour
    layers = ((warm, r), (light, g), (light, b))
    return cv2.merge([cv2.convertScaleAbs(layer, alpha=strength) for layer, strength in layers])


def hedge_colour(generator: Generator, palette: str) -> Colour:
    """A leaf colour of a palette: green, autumn, dark or winter."""
    options: dict[str, tuple[Colour, ...]] = {
        "green": ((74, 96, 42), (92, 112, 52), (62, 84, 44), (104, 122, 66), (84, 98, 58)),
        "autumn": ((150, 108, 46), (126, 92, 50), (118, 112, 52), (160, 84, 40)),
        "dark": ((40, 52, 30), (34, 42, 30), (52, 60, 40)),
        "winter": ((104, 96, 78), (86, 80, 66), (96, 98, 70)),
    }
    choices = options[palette]
    return jitter(generator, choices[int(generator.integers(len(choices)))], 12)


def railing(generator: Generator, *, width: float, height: float, density: float) -> tuple[Image, Image]:
    """A fence one can look through: (texture [h, w, 3], alpha [h, w])."""
    columns, rows = max(round(width * density), 4), max(round(height * density), 4)
    kind = choose(generator, {"bars": 5, "mesh": 1.5, "boards": 2.5, "rails": 1.5})
    tone = generator.uniform(10, 70) if generator.random() < 0.6 else generator.uniform(120, 215)
    colour: Colour = (tone, tone * generator.uniform(0.92, 1.05), tone * generator.uniform(0.9, 1.05))
    if kind == "boards":
        colour = jitter(generator, (116, 88, 62) if generator.random() < 0.7 else (190, 186, 178), 25)
    texture = speckle(generator, flat(rows, columns, colour), 0.12)
    alpha = np.zeros((rows, columns), np.uint8)
    bar = max(round(0.03 * density * generator.uniform(0.8, 1.8)), 1)
    if kind == "boards":
        alpha[:] = 255
        step = max(generator.uniform(0.12, 0.25) * density, 3)
        for x in np.arange(0, columns, step):
            texture[:, int(x) : int(x) + 1] = np.asarray(colour) * 0.6
    elif kind == "rails":
        for level in (0.08, 0.4, 0.72):
            row = int(level * rows)
            alpha[row : row + max(round(0.08 * density), 1)] = 255
        for x in np.arange(0, columns, max(1.8 * density, 4)):
            alpha[:, int(x) : int(x) + 2 * bar] = 255
    else:
        step = max((0.12 if kind == "bars" else 0.07) * density * generator.uniform(0.9, 1.6), 2 * bar + 1)
        for x in np.arange(0, columns, step):
            alpha[:, int(x) : int(x) + bar] = 255 if kind == "bars" else 130
        if kind == "mesh":
            for y in np.arange(0, rows, step):
                alpha[int(y) : int(y) + bar] = 130
        for level in (0.03, 0.9):
            row = int(level * rows)
            alpha[row : row + 2 * bar] = 255
        for x in np.arange(0, columns, max(2.4 * density, 6)):
            alpha[:, int(x) : int(x) + 2 * bar + 1] = 255
    return texture, alpha


def vehicle_side(generator: Generator, kind: str, *, length: float, height: float, density: float) -> Image:
    """The long side of a bus, tram, truck box or van, without its wheels."""
    columns, rows = max(round(length * density), 6), max(round(height * density), 6)
    livery = generator.uniform(20, 235, 3)
    if kind == "truck" and generator.random() < 0.5:
        livery = np.full(3, generator.uniform(170, 240))
    texture = flat(rows, columns, tuple(livery))
    skirt = livery * generator.uniform(0.4, 0.9)
    _rectangle(texture, 0, rows * 0.86, columns, rows, tuple(skirt))
    if kind in ("bus", "train"):
        dark = generator.uniform(15, 60)
        decks = 2 if kind == "bus" and height > 3.7 else 1
        for deck in range(decks):
            y0 = rows * (0.14 + 0.5 * deck if decks == 2 else 0.18)
            y1 = y0 + rows * (0.24 if decks == 2 else 0.4)
            _rectangle(texture, columns * 0.01, y0, columns * 0.99, y1, (dark, dark * 1.1, dark * 1.15))
            step = max(generator.uniform(1.2, 1.8) * density, 3)
            for x in np.arange(step, columns, step):
                tone = generator.uniform(0.6, 1.9) * dark
                _rectangle(texture, x + 1, y0 + 1, x + step - 1, y1 - 1, (tone, tone * 1.08, tone * 1.14))
        for x in generator.uniform(0.05, 0.9, 2):
            _rectangle(
                texture, x * columns, rows * 0.22, x * columns + 1.1 * density, rows * 0.95, (38, 40, 44)
            )
        if generator.random() < 0.6:
            stripe = tuple(generator.uniform(20, 240, 3))
            _rectangle(texture, 0, rows * 0.68, columns, rows * 0.76, stripe)
    elif generator.random() < 0.7:
        ink = tuple(generator.uniform(0, 255, 3))
        lettering(generator, texture, columns * 0.1, rows * 0.25, columns * 0.9, rows * 0.6, ink)
    return speckle(generator, texture, 0.04, zoom=3)
