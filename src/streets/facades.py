"""Walls of houses: masonry, windows, shop fronts, old stone, roofs."""

import cv2
import numpy as np

from streets.materials import (
    Colour,
    Generator,
    Image,
    any_colour,
    brighten,
    flat,
    jitter,
    lettering,
    noise_patch,
    rectangle,
    speckle,
)
from streets.projection import FloatArray

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


def _clad(generator: Generator, texture: Image, density: float) -> None:
    """Slats, planks, tiles or panels over a wall: regular lines, upright, level or both."""
    rows, columns = texture.shape[:2]
    base = texture[rows // 2, columns // 2].astype(float)
    gain = generator.uniform(0.45, 0.85) if generator.random() < 0.7 else generator.uniform(1.15, 1.5)
    line = tuple(np.clip(base * gain, 0, 250).tolist())
    way = generator.random()
    pitch = generator.uniform(0.12, 0.5) if way < 0.7 else generator.uniform(0.5, 1.6)
    step, thick = pitch * density, max(round(generator.uniform(0.08, 0.4) * pitch * density), 1)
    if step < 2.5:
        return
    top, foot = 0, rows
    if generator.random() < 0.5:  # a base or a storey of it
        top = int(generator.uniform(0, 0.8) * rows)
        foot = int(min(top + generator.uniform(0.8, 4) * density, rows)) + 1
    if way < 0.4 or way > 0.7:
        for x in np.arange(generator.uniform(0, step), columns, step):
            rectangle(texture, x, top, x + thick, foot, line)
    if way >= 0.4:
        for y in np.arange(top, foot, step):
            rectangle(texture, 0, y, columns, y + min(thick, 2), line)


def _bays(generator: Generator, texture: Image, density: float) -> None:
    """Bay windows, recesses, oriels: upright bands with a lit and a shaded side."""
    rows, columns = texture.shape[:2]
    pitch, wide = generator.uniform(3, 7) * density, generator.uniform(0.8, 2.6) * density
    low, high = generator.uniform(0, 0.5), generator.uniform(0.6, 1)
    left, right = generator.uniform(0.5, 1.3, 2)
    side = max(round(generator.uniform(0.12, 0.3) * wide), 1)
    y0, y1 = round((1 - high) * rows), round((1 - low * 0.6) * rows)
    for x in np.arange(generator.uniform(0, pitch), columns, pitch):
        for start, gain in ((x, left), (x + wide - side, right)):
            band = texture[y0:y1, max(round(start), 0) : max(round(start) + side, 0)]
            if band.size:
                band[:] = cv2.convertScaleAbs(band, alpha=float(gain))


def _dapple(generator: Generator, texture: Image) -> None:
    """The shadow of a tree, or what rain and soot have left: patches and threads of shade."""
    rows, columns = texture.shape[:2]
    blots = noise_patch(generator, rows, columns, zoom=max(rows / generator.uniform(12, 60), 0.5))
    if generator.random() < 0.5:
        blots = blots + noise_patch(generator, rows, columns, zoom=0.8)
    shade = generator.uniform(0.45, 0.8)
    gain = cv2.convertScaleAbs(np.where(blots > generator.uniform(-0.6, 1.0), shade, 1.0) * 255)
    gain = cv2.blur(gain, (3, 3))
    brighten(texture, gain, one=255, into=texture)


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
    rectangle(texture, x0, y0, x1, y1, frame)
    shade = generator.uniform(0.5, 1.5)
    r, g, b = (min(channel * shade, 250) for channel in glass)
    rectangle(texture, x0 + edge, y0 + edge, x1 - edge, y1 - edge, (r, g, b))
    roll = generator.random()
    middle, half = (x0 + x1) / 2, (y0 + y1) / 2
    if roll < 0.25:  # curtain or blind
        curtain = generator.uniform(120, 230)
        drop = generator.uniform(0.2, 0.7)
        rectangle(
            texture,
            x0 + edge,
            y0 + edge,
            x1 - edge,
            y0 + (y1 - y0) * drop,
            (curtain, curtain, curtain * 0.95),
        )
    elif roll < 0.5:  # sky in the upper panes
        rectangle(texture, x0 + edge, y0 + edge, x1 - edge, half, (r + 45, g + 52, b + 60))
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
    board = any_colour(generator, 10, 245) if generator.random() < 0.75 else generator.uniform(20, 60, 3)
    frame = generator.uniform(10, 70, 3) if generator.random() < 0.6 else generator.uniform(120, 240, 3)
    top = ground - height
    rectangle(texture, x0, top, x1, ground, tuple(frame))
    dark = generator.uniform(8, 60)
    glass = (dark, dark * generator.uniform(0.95, 1.15), dark * generator.uniform(0.95, 1.3))
    edge = max(generator.uniform(0.04, 0.25) * density, 1)
    left = x0 + edge
    panes = int(generator.integers(1, 5))
    step = (x1 - x0 - edge) / panes
    sill = max(ground - generator.uniform(0.0, 0.3) * height, top + fascia + edge + 1)
    for pane in range(panes):
        a, b = left + pane * step, max(left + (pane + 1) * step - edge, left + pane * step + 0.5)
        rectangle(texture, a, top + fascia + edge, b, sill, glass)
        for _ in range(int(generator.integers(0, 10))):  # goods, posters, reflections of people and cars
            cx, cy = generator.uniform(a, b), generator.uniform(top + fascia + edge, sill)
            w, h = generator.uniform(0.05, 0.5) * (b - a), generator.uniform(0.05, 0.4) * height
            bright = generator.uniform(0, 150) * generator.random()
            tone = tuple(
                g + bright * share for g, share in zip(glass, generator.random(3).tolist(), strict=True)
            )
            rectangle(
                texture, max(cx - w / 2, a), max(cy - h / 2, top + fascia), min(cx + w / 2, b), cy, tone
            )
        if generator.random() < 0.3:  # a strip light inside
            rectangle(texture, a, top + fascia + 2 * edge, b, top + fascia + 3 * edge, (250, 240, 205))
    if ground - sill > 4 and generator.random() < 0.6:  # a panelled base under the glass
        tone = tuple(np.clip(np.array(frame) * generator.uniform(0.5, 1.5), 5, 245).tolist())
        panel = generator.uniform(0.25, 1.2) * density
        for a in np.arange(left, x1 - edge, max(panel, 3)):
            b = min(a + max(panel * 0.8, 2), x1 - edge)
            rectangle(texture, a, sill + 0.25 * (ground - sill), b, ground - 0.2 * (ground - sill), tone)
    if generator.random() < 0.6:
        _mirror(generator, texture, left, top + fascia + edge, x1 - edge, sill)
    if density > 3 and generator.random() < 0.7:
        _glazing_bars(generator, texture, left, top + fascia, x1 - edge, ground, density)
    if density > 3 and generator.random() < 0.5:  # pilasters at both ends
        paint, wide = any_colour(generator, 20, 235), generator.uniform(0.12, 0.5) * density
        for x in (x0, x1 - wide):
            _upright(texture, x, top + fascia, x + wide, ground, paint)
    rectangle(texture, x0, top, x1, top + fascia, tuple(board))
    ink = (245, 240, 225) if board.mean() < 130 else tuple(generator.uniform(0, 90, 3))
    lettering(generator, texture, x0, top, x1, top + fascia, ink)
    if generator.random() < 0.18:  # awning
        stripe = tuple(any_colour(generator, 30, 240))
        rectangle(texture, x0, top + fascia, x1, top + fascia + 0.16 * height, stripe)


def _glazing_bars(
    generator: Generator, texture: Image, x0: float, y0: float, x1: float, y1: float, density: float
) -> None:
    """Bars, iron columns and streaks of light before or in dark glass: upright and thin, but no poles."""
    tone = generator.uniform(20, 220) * generator.uniform(0.9, 1.1, 3)
    for x in generator.uniform(x0, x1, generator.poisson((x1 - x0) / (1.5 * density))):
        thick = max(generator.uniform(0.02, 0.16) * density, 1)
        low, high = (y1 - y0) * generator.uniform((0.0, 0.0), (0.4, 0.35))
        paint = tone * generator.uniform(0.7, 1.2)
        _upright(texture, x, y0 + high, min(x + thick, x1), y1 - low, paint)


def _upright(texture: Image, x0: float, y0: float, x1: float, y1: float, tone: FloatArray) -> None:
    """A bar or a pilaster, lit on one side where it is wide enough to show."""
    rectangle(texture, x0, y0, x1, y1, tuple(np.minimum(tone, 250).tolist()))
    if x1 - x0 > 2:
        rectangle(texture, x0, y0, x0 + 0.35 * (x1 - x0), y1, tuple(np.minimum(1.4 * tone, 255).tolist()))


def arcade(generator: Generator, rows: int, columns: int, density: float) -> tuple[Image, Image]:
    """Columns under a beam or the edge of a roof: (texture [h, w, 3], alpha [h, w])."""
    tone, beam = generator.uniform(30, 240, 2)[:, None] * generator.uniform(0.93, 1.07, (2, 3))
    texture, alpha = flat(rows, columns, (0, 0, 0)), np.zeros((rows, columns), np.uint8)
    step, wide = generator.uniform(2.2, 6) * density, max(generator.uniform(0.1, 0.45) * density, 1)
    for x in np.arange(generator.uniform(0, step), columns, step):
        _upright(texture, x, 0, x + wide, rows, tone)
        alpha[:, round(x) : round(x + wide)] = 255
    head = round(generator.uniform(0.06, 0.35) * rows)
    rectangle(texture, 0, 0, columns, head, tuple(beam.tolist()))
    alpha[:head] = 255
    return texture, alpha


def _mirror(generator: Generator, texture: Image, x0: float, y0: float, x1: float, y1: float) -> None:
    """What dark glass mirrors, added to it: sky above, and before it the trees and houses opposite."""
    glass = texture[max(round(y0), 0) : round(y1), max(round(x0), 0) : round(x1)]
    rows, columns = glass.shape[:2]
    if rows < 10 or columns < 10:
        return
    skyline = generator.uniform(0.1, 0.8) + 0.12 * noise_patch(generator, 2, columns, zoom=columns / 40)[0]
    sky = np.linspace(0, 1, rows, dtype=np.float32)[:, None] < skyline
    street = noise_patch(generator, rows, columns, zoom=rows / generator.uniform(12, 60))
    twigs = noise_patch(generator, rows, columns, zoom=0.8)
    light = generator.uniform(4, 45) * (street + 0.7) + generator.uniform(0, 12) * twigs
    light += generator.uniform(0, 90) * sky * (street + twigs > generator.uniform(-1.5, 1.0))
    tint = generator.uniform(0.75, 1.1, 3)
    layers = [np.clip(light * share, 0, 200).astype(np.uint8) for share in tint]
    cv2.add(glass, cv2.merge(layers), dst=glass)


def _old_stone(generator: Generator, texture: Image, density: float) -> None:
    """Weathered stone with buttresses and tall pointed windows, drawn into a wall."""
    rows, columns = texture.shape[:2]
    stains = noise_patch(generator, rows, columns, zoom=max(1.2 * density, 0.6))
    gain = cv2.convertScaleAbs(stains, alpha=28, beta=100)
    brighten(texture, gain, one=127, into=texture)
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
    if density > 2.5 and generator.random() < 0.3:
        _clad(generator, texture, density)
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
            rectangle(texture, 0, y0, columns, y1, glass)
            _mirror(generator, texture, 0, y0, columns, y1)
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
                rectangle(
                    texture,
                    x0,
                    rows - 2.2 * density,
                    x0 + density,
                    rows,
                    tuple(any_colour(generator, 15, 200)),
                )
        level += storey
    if kind == "timber":
        beam = jitter(generator, (48, 36, 30), 10)
        for x in np.arange(0, columns, max(1.1 * density, 3)):
            cv2.line(texture, (int(x), 0), (int(x), rows), beam, max(round(0.14 * density), 1))
    if generator.random() < 0.5:  # string course and cornice
        band = jitter(generator, (200, 194, 182), 25)
        rectangle(texture, 0, 0, columns, max(0.35 * density, 1), band)
        if generator.random() < 0.6:
            y = rows - ground_storey * density
            rectangle(texture, 0, y - 0.2 * density, columns, y, band)
    if density > 3:  # posters, plates, alarm boxes, lit panes: bright and coloured, but no traffic signs
        for _ in range(int(generator.poisson(width / 6))):
            x0, y0 = generator.uniform(0, columns), rows - generator.uniform(0.8, 6.5) * density
            w, h = generator.uniform(0.2, 1.3, 2) * density
            rectangle(texture, x0, y0 - h, x0 + max(w, 1), y0, tuple(any_colour(generator, 20, 245)))
    if density > 2:  # drain pipes, pilasters, scaffolding: upright and thin, but no poles
        for _ in range(int(generator.poisson(width / 5))):
            x, thick = generator.uniform(0, columns), generator.uniform(0.05, 0.4) * generator.random()
            foot, head = generator.uniform(0, 0.4) * rows, rows * generator.uniform(0.7, 1)
            tone = tuple(generator.uniform(20, 230) * generator.uniform(0.9, 1.1, 3))
            rectangle(texture, x, rows - head, x + max(thick * density, 1), rows - foot, tone)
    if shop:
        start = 0.0
        while start < columns - 1.5 * density:
            end = min(start + generator.uniform(3.5, 8) * density, float(columns))
            if columns - end < 2 * density:
                end = float(columns)
            shop_front(generator, texture, start, end, rows, ground_storey * density * 0.95, density)
            start = end + generator.uniform(0, 0.4) * density
    if density > 2 and generator.random() < 0.25:
        _bays(generator, texture, density)
    if density > 2.5 and generator.random() < 0.2:
        _dapple(generator, texture)
    return texture


def roof(generator: Generator, height: int, width: int, *, contrast: float) -> Image:
    """Slates or tiles, [height, width, 3]."""
    options: tuple[Colour, ...] = ((82, 84, 92), (66, 64, 68), (150, 84, 62), (120, 72, 56), (104, 96, 88))
    texture = flat(height, width, jitter(generator, options[int(generator.integers(len(options)))], 14))
    for row in range(0, height, 3):
        cv2.line(texture, (0, row), (width, row), tuple((texture[0, 0] * 0.86).tolist()), 1)
    return speckle(generator, texture, 0.12 * contrast)
