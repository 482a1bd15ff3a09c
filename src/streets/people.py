"""People on foot, riders, bicycles and motorcycles: upright pictures whose height in pixels is `size`."""

from typing import NamedTuple

import cv2

from streets.materials import Colour, Generator, jitter
from streets.raster import Sprite
from streets.sheet import Sheet

PERSON, RIDER, MOTORCYCLE, BICYCLE = 11, 12, 17, 18


class Wardrobe(NamedTuple):
    """What people wear: the shares below which clothes are dark, denim or grey, the rest being dyed; and of
    each kind the range of tones, or the colour, and by how much it varies.
    """

    shares: tuple[float, float, float]
    dark: tuple[float, float]
    blue: float  # of dark clothes, against their red and green
    denim: tuple[Colour, float]
    grey: tuple[float, float, float]
    dyed: tuple[float, float]
    dye: tuple[float, float]


_NORTHERN_WINTER = Wardrobe(
    (0.68, 0.81, 0.91), (8, 50), 1.1, ((46, 58, 86), 20), (70, 215, 12), (40, 190), (0.55, 1.25)
)


def cloth(generator: Generator, wardrobe: Wardrobe = _NORTHERN_WINTER) -> Colour:
    """The colour of a piece of clothing."""
    roll, (dark, denim, grey) = generator.random(), wardrobe.shares
    if roll < dark:
        tone = generator.uniform(*wardrobe.dark)
        return jitter(generator, (tone, tone, tone * wardrobe.blue), 10)
    if roll < denim:
        return jitter(generator, *wardrobe.denim)
    if roll < grey:
        low, high, spread = wardrobe.grey
        tone = generator.uniform(low, high)
        return jitter(generator, (tone, tone, tone), spread)
    tone, dye = generator.uniform(*wardrobe.dyed), generator.uniform(*wardrobe.dye, 3)
    r, g, b = (tone * dye).tolist()
    return r, g, b


def _tinted(generator: Generator, colour: Colour, low: float, high: float) -> Colour:
    gain = generator.uniform(low, high)
    return gain * colour[0], gain * colour[1], gain * colour[2]


def _skin(generator: Generator) -> Colour:
    options: tuple[Colour, ...] = ((224, 178, 150), (198, 150, 120), (150, 104, 78), (100, 68, 52))
    return _tinted(generator, jitter(generator, options[int(generator.integers(4))], 14), 0.6, 1.0)


def _head(
    sheet: Sheet, generator: Generator, x: float, y: float, train_id: int, *, cap: Colour | None
) -> None:
    """A face or the back of a head; `cap` is the colour of a helmet or hat."""
    facing = generator.random() < 0.5
    hair = (
        jitter(generator, (46, 34, 26), 20)
        if generator.random() < 0.8
        else jitter(generator, (150, 124, 84), 30)
    )
    sheet.ellipse(x, y, 0.042, 0.062, _skin(generator) if facing else hair, train_id)
    if cap:
        sheet.ellipse(x, y - 0.02, 0.052, 0.048, cap, train_id)
    else:
        sheet.ellipse(x, y - 0.028, 0.046, 0.042, hair, train_id)


def _helmet(generator: Generator, *, motor: bool) -> Colour | None:
    """Its colour; who rides a bicycle often has none."""
    r, g, b = generator.uniform(10, 245, 3)
    return (r, g, b) if generator.random() < (1.0 if motor else 0.4) else None


def _hood(sheet: Sheet, generator: Generator, x: float, y: float, top: Colour, train_id: int) -> None:
    """A hood or a scarf round some necks."""
    if generator.random() < 0.15:
        sheet.ellipse(x, y, 0.058, 0.032, _tinted(generator, top, 0.7, 1.2), train_id)


def person(generator: Generator, size: int) -> Sprite:
    """Somebody standing or walking, seen from the front, the back or a side."""
    sheet = Sheet(size, 0.56)
    x = 0.28
    top, trousers, shoes = cloth(generator), cloth(generator), jitter(generator, (30, 28, 28), 14)
    hip, shoulder = generator.uniform(0.47, 0.54), generator.uniform(0.155, 0.18)
    aside = generator.random() < 0.4
    half = generator.uniform(0.05, 0.078) if aside else generator.uniform(0.075, 0.115)
    _legs(sheet, generator, x, hip, half, trousers, shoes, aside=aside)
    if generator.random() < 0.12:  # skirt
        skirt = [
            (x - 0.9 * half, hip - 0.05),
            (x + 0.9 * half, hip - 0.05),
            (x + 0.11, 0.72),
            (x - 0.11, 0.72),
        ]
        sheet.polygon(skirt, cloth(generator), PERSON)
    hem = hip + (generator.uniform(0.08, 0.26) if generator.random() < 0.45 else 0.03)
    lean = generator.uniform(0, 0.02) if aside else generator.uniform(-0.008, 0.008)
    neck, waist = x + lean, half * generator.uniform(0.78, 0.95)
    if aside and generator.random() < 0.3:  # rucksack
        rucksack = cloth(generator)
        sheet.ellipse(x - half - 0.02, generator.uniform(0.27, 0.34), 0.055, 0.1, rucksack, PERSON)
    slope = shoulder + generator.uniform(0.015, 0.035)
    torso = [(neck - half, slope), (neck - 0.04, shoulder - 0.012), (neck + 0.04, shoulder - 0.012)]
    sheet.polygon([*torso, (neck + half, slope), (x + waist, hem), (x - waist, hem)], top, PERSON)
    if not aside:
        _front(sheet, generator, x, shoulder, half, hem, top)
    _arms(sheet, generator, neck, shoulder, half, top, aside=aside)
    if generator.random() < 0.4:  # bag
        bx = x + (-1 if generator.random() < 0.5 else 1) * half
        by, wide = generator.uniform(0.3, 0.55), generator.uniform(0.025, 0.055)
        bag = [(bx - wide, by), (bx + wide, by), (bx + 1.1 * wide, by + 0.13), (bx - 1.1 * wide, by + 0.13)]
        sheet.polygon(bag, cloth(generator), PERSON)
    _hood(sheet, generator, neck, shoulder - 0.012, top, PERSON)
    cap = cloth(generator) if generator.random() < 0.2 else None
    _head(sheet, generator, neck + generator.uniform(-0.01, 0.01), 0.085, PERSON, cap=cap)
    return sheet.shade(generator, 0.2)


def _legs(
    sheet: Sheet,
    generator: Generator,
    x: float,
    hip: float,
    half: float,
    trousers: Colour,
    shoes: Colour,
    *,
    aside: bool,
) -> None:
    stride = generator.uniform(0.0, 0.13)
    for side in (-1, 1):
        if aside:  # one leg forward and one behind, the rear knee bent
            foot, knee, low = x + side * stride, x + side * stride * 0.45 + 0.012, 0.97
            if side < 0:
                low -= stride * generator.uniform(0, 0.35)
            start, colour = x, trousers if side > 0 else _tinted(generator, trousers, 0.7, 0.95)
        else:  # two legs side by side, one lifted in walking
            foot, low = x + side * generator.uniform(0.025, 0.06), 0.97
            if side < 0 and stride > 0.05:
                low -= generator.uniform(0, 0.06)
            start, knee, colour = x + side * 0.4 * half, x + side * 0.045, trousers
        thigh, calf = generator.uniform(0.036, 0.046), generator.uniform(0.02, 0.032)
        leg = [(start - thigh, hip - 0.01), (knee - 0.032, 0.74), (foot - calf, low), (foot + calf, low)]
        sheet.polygon([*leg, (knee + 0.032, 0.74), (start + thigh, hip - 0.01)], colour, PERSON)
        sheet.ellipse(foot + (0.02 if aside else side * 0.008), low + 0.01, 0.036, 0.018, shoes, PERSON)


def _front(
    sheet: Sheet, generator: Generator, x: float, shoulder: float, half: float, hem: float, top: Colour
) -> None:
    """What a chest shows: an open jacket's shirt, or stripes."""
    roll = generator.random()
    if roll < 0.2:
        wide = generator.uniform(0.012, 0.035)
        opening = [(x - wide, shoulder), (x + wide, shoulder), (x + 0.6 * wide, hem), (x - 0.6 * wide, hem)]
        sheet.polygon(opening, cloth(generator), PERSON)
    elif roll < 0.28:
        stripe, step = _tinted(generator, top, 0.4, 1.8), generator.uniform(0.03, 0.07)
        y = shoulder + 0.05
        while y < hem - 0.02:
            sheet.line([(x - 0.8 * half, y), (x + 0.8 * half, y)], 0.4 * step, stripe, PERSON)
            y += step


def _arms(
    sheet: Sheet, generator: Generator, x: float, shoulder: float, half: float, top: Colour, *, aside: bool
) -> None:
    sleeve = _tinted(generator, top, 0.72, 1.05)
    pockets = generator.random() < 0.35
    for side in (0,) if aside else (-1, 1):
        swing = generator.uniform(-0.09, 0.09) if aside else 0.0
        outer = x + side * (half - 0.012)
        if pockets:
            elbow = (outer + side * 0.03 - (0.03 if aside else 0), 0.35)
            hand = (outer + side * 0.002, generator.uniform(0.44, 0.48))
        else:
            elbow = (outer + side * generator.uniform(0.0, 0.03) + 0.35 * swing, 0.34)
            hand = (outer + side * generator.uniform(-0.02, 0.035) + swing, generator.uniform(0.42, 0.53))
        points = [(outer, shoulder + 0.04), elbow, hand]
        sheet.line(points, generator.uniform(0.042, 0.058), sleeve, PERSON)
        if not pockets:
            sheet.ellipse(*hand, 0.017, 0.022, _skin(generator), PERSON)


def _wheels_side(sheet: Sheet, x: float, span: float, radius: float, *, motor: bool, colour: Colour) -> None:
    train_id = MOTORCYCLE if motor else BICYCLE
    y = 1 - radius - 0.01
    for wheel in (x - span / 2, x + span / 2):
        if motor:
            sheet.ellipse(wheel, y, radius, radius, (26, 26, 28), train_id)
            sheet.ellipse(wheel, y, radius * 0.5, radius * 0.5, (120, 120, 124), train_id)
        else:
            sheet.ring(wheel, y, radius, 0.022, (28, 28, 30), train_id, fill=True)
    if motor:
        body = [(x - span * 0.45, y - 0.16), (x + span * 0.1, y - 0.22), (x + span * 0.36, y - 0.2)]
        sheet.polygon([*body, (x + span * 0.2, y + 0.06), (x - span * 0.2, y + 0.06)], colour, train_id)
        sheet.line([(x + span / 2, y), (x + span * 0.3, y - 0.3)], 0.03, (60, 60, 62), train_id)
    else:
        seat, bars = (x - span * 0.17, y - 0.24), (x + span * 0.36, y - 0.28)
        crank = (x - span * 0.03, y)
        rear, front = (x - span / 2, y), (x + span / 2, y)
        sheet.line([rear, seat, crank, rear], 0.017, colour, train_id)
        sheet.line([crank, bars, front], 0.017, colour, train_id)
        sheet.line([seat, bars], 0.017, colour, train_id)
        sheet.line(
            [(seat[0] - 0.03, seat[1] - 0.03), (seat[0] + 0.04, seat[1] - 0.03)],
            0.025,
            (20, 20, 20),
            train_id,
        )


def two_wheeler(generator: Generator, size: int, *, motor: bool, ridden: bool, side: bool) -> Sprite:
    """A bicycle or motorcycle, ridden or parked, from the side or from the end."""
    train_id = MOTORCYCLE if motor else BICYCLE
    frame: Colour = tuple(generator.uniform(15, 160, 3)) if generator.random() < 0.35 else (36, 36, 40)
    top, trousers = cloth(generator), cloth(generator)
    tall = 1.0 if ridden else 0.62  # a parked machine fills the sheet that a rider would share
    sheet = Sheet(size, (1.0 if side else 0.5) / tall)
    k = 1 / tall
    x = 0.5 * k if side else 0.25 * k
    radius = (0.175 if motor else 0.2) * k
    if side:
        _wheels_side(sheet, x, (0.6 if motor else 0.58) * k, radius, motor=motor, colour=frame)
    else:
        y = 1 - radius - 0.01
        width = 0.045 if motor else generator.uniform(0.02, 0.034)
        sheet.ellipse(x, y, width * k, radius, (24, 24, 26), train_id)
        if motor:
            sheet.polygon(
                [
                    (x - 0.07 * k, y - 0.24 * k),
                    (x + 0.07 * k, y - 0.24 * k),
                    (x + 0.06 * k, y),
                    (x - 0.06 * k, y),
                ],
                frame,
                train_id,
            )
        sheet.line([(x, y), (x, y - 0.27 * k)], 0.03 * k, frame, train_id)
        sheet.line(
            [(x - 0.12 * k, y - 0.3 * k), (x + 0.12 * k, y - 0.3 * k)], 0.024 * k, (30, 30, 32), train_id
        )
        if motor or generator.random() < 0.5:
            lamp = (250, 60, 40) if generator.random() < 0.5 else (250, 245, 225)
            sheet.ellipse(x, y - 0.2 * k, 0.022 * k, 0.022 * k, lamp, train_id)
    if ridden and side:
        hip, neck = (x - 0.09, 0.5), (x + 0.06, 0.2)
        sheet.line([hip, (x + 0.06, 0.62), (x, 0.83)], 0.075, trousers, RIDER)
        sheet.line([(hip[0] + 0.01, hip[1] + 0.02), (x + 0.02, 0.7), (x - 0.05, 0.86)], 0.06, trousers, RIDER)
        sheet.line([hip, neck], 0.125, top, RIDER)
        if generator.random() < 0.25:  # rucksack
            sheet.ellipse(x - 0.1, generator.uniform(0.28, 0.34), 0.06, 0.09, cloth(generator), RIDER)
        sleeve, hand = _tinted(generator, top, 0.72, 1.05), (x + 0.2, 0.46)
        sheet.line([(neck[0], neck[1] + 0.04), (x + 0.15, 0.38), hand], 0.05, sleeve, RIDER)
        sheet.ellipse(*hand, 0.018, 0.018, _skin(generator), RIDER)
        cap = _helmet(generator, motor=motor)
        _head(sheet, generator, neck[0] + 0.04, 0.105, RIDER, cap=cap)
    elif ridden:
        _rider_from_the_end(sheet, generator, x, top, trousers, motor=motor)
    sprite = sheet.shade(generator, 0.2 if ridden else 0.1)
    return _turned(sprite, generator.uniform(0.35, 1.0)) if side and generator.random() < 0.6 else sprite


def _rider_from_the_end(
    sheet: Sheet, generator: Generator, x: float, top: Colour, trousers: Colour, *, motor: bool
) -> None:
    """One knee up and one foot down, a back or a chest, elbows out, and what is carried."""
    if generator.random() < 0.15:  # high visibility
        top = jitter(generator, (200, 226, 60) if generator.random() < 0.7 else (236, 120, 40), 20)
    up = generator.uniform(0, 1)
    for leg, lift in ((-1, up), (1, 1 - up)):
        knee = (x + leg * (0.065 + 0.045 * lift), 0.68 - 0.05 * lift)
        foot = (x + leg * 0.05, 0.92 - 0.15 * lift)
        lit = _tinted(generator, trousers, 0.75, 1.1)
        sheet.line([(x + leg * 0.04, 0.5), knee, foot], generator.uniform(0.055, 0.075), lit, RIDER)
        sheet.ellipse(*foot, 0.034, 0.02, _tinted(generator, (30, 28, 28), 0.6, 2.0), RIDER)
    if not motor and generator.random() < 0.2:  # panniers
        colour = cloth(generator)
        for bag in (-1, 1):
            inner, outer = x + bag * 0.025, x + bag * 0.105
            sheet.polygon([(inner, 0.66), (outer, 0.67), (outer, 0.82), (inner, 0.82)], colour, BICYCLE)
    shoulder, half, sway = (
        generator.uniform(0.18, 0.24),
        generator.uniform(0.085, 0.125),
        generator.uniform(-0.03, 0.03),
    )
    waist, hips = x + sway * 0.3, half * generator.uniform(0.62, 0.9)
    middle = x + sway
    torso = [
        (middle - half, shoulder + 0.03),
        (middle - 0.045, shoulder - 0.02),
        (middle + 0.045, shoulder - 0.02),
    ]
    torso += [(middle + half, shoulder + 0.03), (waist + hips, 0.55), (waist - hips, 0.55)]
    sheet.polygon(torso, top, RIDER)
    elbow = generator.uniform(0.02, 0.065)
    sleeve = _tinted(generator, top, 0.72, 1.05)
    for arm in (-1, 1):
        hand = (x + arm * 0.115, 0.47)
        points = [(middle + arm * half * 0.9, shoulder + 0.05), (middle + arm * (half + elbow), 0.37), hand]
        sheet.line(points, generator.uniform(0.042, 0.058), sleeve, RIDER)
        sheet.ellipse(*hand, 0.018, 0.02, _skin(generator), RIDER)
    if generator.random() < 0.3:  # rucksack
        wide, low = generator.uniform(0.05, 0.085), generator.uniform(0.4, 0.5)
        rucksack = [
            (middle - wide, shoulder + 0.03),
            (middle + wide, shoulder + 0.03),
            (middle + wide, low),
            (middle - wide, low),
        ]
        sheet.polygon(rucksack, cloth(generator), RIDER)
    _hood(sheet, generator, middle, shoulder - 0.02, top, RIDER)
    cap = _helmet(generator, motor=motor)
    _head(sheet, generator, middle, shoulder - 0.1, RIDER, cap=cap)


def _turned(sprite: Sprite, share: float) -> Sprite:
    """Seen from between the side and the end: `share` of the width."""
    height, width = sprite.alpha.shape
    size = max(round(width * share), 2), height
    rgb, alpha = (
        cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (sprite.rgb, sprite.alpha)
    )
    return Sprite(rgb, alpha, cv2.resize(sprite.label, size, interpolation=cv2.INTER_NEAREST))
