"""People on foot, riders, bicycles and motorcycles: upright pictures whose height in pixels is `size`."""

from __future__ import annotations

import cv2

from spn.simulator.materials import Colour, Generator, jitter
from spn.simulator.raster import Sprite
from spn.simulator.sheet import Sheet

PERSON, RIDER, MOTORCYCLE, BICYCLE = 11, 12, 17, 18


def _cloth(generator: Generator) -> Colour:
    roll = generator.random()
    if roll < 0.68:  # most people wear dark clothes
        tone = generator.uniform(8, 50)
        return jitter(generator, (tone, tone, tone * 1.1), 10)
    if roll < 0.81:
        return jitter(generator, (46, 58, 86), 20)  # denim
    if roll < 0.91:
        tone = generator.uniform(70, 215)
        return jitter(generator, (tone, tone, tone), 12)
    tone, dye = generator.uniform(40, 190), generator.uniform(0.55, 1.25, 3)
    r, g, b = (tone * dye).tolist()
    return r, g, b


def _skin(generator: Generator) -> Colour:
    options: tuple[Colour, ...] = ((224, 178, 150), (198, 150, 120), (150, 104, 78), (100, 68, 52))
    return jitter(generator, options[int(generator.integers(4))], 14)


def _head(sheet: Sheet, generator: Generator, x: float, y: float, train_id: int, *, helmet: bool) -> None:
    facing = generator.random() < 0.5
    hair = (
        jitter(generator, (46, 34, 26), 20)
        if generator.random() < 0.8
        else jitter(generator, (150, 124, 84), 30)
    )
    sheet.ellipse(x, y, 0.042, 0.062, _skin(generator) if facing else hair, train_id)
    if helmet:
        r, g, b = generator.uniform(10, 245, 3)
        sheet.ellipse(x, y - 0.02, 0.052, 0.048, (r, g, b), train_id)
    else:
        sheet.ellipse(x, y - 0.028, 0.046, 0.042, hair, train_id)


def person(generator: Generator, size: int) -> Sprite:
    """Somebody standing or walking, seen from any side."""
    sheet = Sheet(size, 0.56)
    x = 0.28
    top, trousers, shoes = _cloth(generator), _cloth(generator), jitter(generator, (30, 28, 28), 14)
    stride = generator.uniform(0.0, 0.13)
    hip, shoulder = generator.uniform(0.47, 0.54), generator.uniform(0.155, 0.18)
    half = generator.uniform(0.075, 0.115)
    coat = generator.random() < 0.45
    for side in (-1, 1):
        foot = x + side * (0.03 + stride * generator.uniform(0.4, 1))
        knee = (x + foot) / 2 + generator.uniform(-0.01, 0.03)
        leg = [(x + side * 0.005, hip), (knee - 0.032, 0.74), (foot - 0.022, 0.97), (foot + 0.022, 0.97)]
        sheet.polygon([*leg, (knee + 0.034, 0.74), (x + side * 0.075, hip)], trousers, PERSON)
        sheet.ellipse(foot + 0.012, 0.98, 0.036, 0.018, shoes, PERSON)
    if generator.random() < 0.15:  # skirt
        skirt_colour = _cloth(generator)
        sheet.polygon(
            [(x - 0.07, hip - 0.05), (x + 0.07, hip - 0.05), (x + 0.12, 0.72), (x - 0.12, 0.72)],
            skirt_colour,
            PERSON,
        )
    hem = hip + (generator.uniform(0.08, 0.26) if coat else 0.03)
    torso = [(x - half, shoulder + 0.02), (x - 0.04, shoulder - 0.01), (x + 0.04, shoulder - 0.01)]
    sheet.polygon(
        [*torso, (x + half, shoulder + 0.02), (x + half * 0.86, hem), (x - half * 0.86, hem)], top, PERSON
    )
    dim = generator.uniform(0.75, 1.0)
    sleeve: Colour = (top[0] * dim, top[1] * dim, top[2] * dim)
    for side in (-1, 1):
        swing = generator.uniform(-0.07, 0.09)
        elbow = (x + side * (half + 0.025) + swing * 0.4, 0.34)
        hand = (x + side * (half + 0.01) + swing, generator.uniform(0.42, 0.52))
        sheet.line([(x + side * half * 0.92, shoulder + 0.04), elbow, hand], 0.055, sleeve, PERSON)
        sheet.ellipse(*hand, 0.02, 0.024, _skin(generator), PERSON)
    if generator.random() < 0.4:  # bag
        side = -1 if generator.random() < 0.5 else 1
        bx, by = x + side * half, generator.uniform(0.3, 0.55)
        colour = _cloth(generator)
        sheet.polygon(
            [(bx - 0.05, by), (bx + 0.05, by), (bx + 0.055, by + 0.13), (bx - 0.055, by + 0.13)],
            colour,
            PERSON,
        )
    hat = generator.random() < 0.2
    _head(sheet, generator, x + generator.uniform(-0.01, 0.01), 0.085, PERSON, helmet=hat)
    return sheet.shade(generator)


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
    top, trousers = _cloth(generator), _cloth(generator)
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
        sheet.line([(neck[0], neck[1] + 0.04), (x + 0.15, 0.38), (x + 0.2, 0.46)], 0.05, top, RIDER)
        _head(sheet, generator, neck[0] + 0.04, 0.105, RIDER, helmet=motor or generator.random() < 0.4)
    elif ridden:
        _rider_from_the_end(sheet, generator, x, top, trousers, motor=motor)
    sprite = sheet.shade(generator, 0.1)
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
        points = [(x + leg * 0.04, 0.5), knee, (x + leg * 0.05, 0.92 - 0.15 * lift)]
        sheet.line(points, generator.uniform(0.055, 0.075), trousers, RIDER)
    if not motor and generator.random() < 0.2:  # panniers
        colour = _cloth(generator)
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
    for arm in (-1, 1):
        points = [(middle + arm * half * 0.9, shoulder + 0.05), (middle + arm * (half + elbow), 0.37)]
        sheet.line([*points, (x + arm * 0.115, 0.47)], 0.05, top, RIDER)
    if generator.random() < 0.3:  # rucksack
        wide, low = generator.uniform(0.05, 0.085), generator.uniform(0.4, 0.5)
        rucksack = [
            (middle - wide, shoulder + 0.03),
            (middle + wide, shoulder + 0.03),
            (middle + wide, low),
            (middle - wide, low),
        ]
        sheet.polygon(rucksack, _cloth(generator), RIDER)
    _head(sheet, generator, middle, shoulder - 0.1, RIDER, helmet=motor or generator.random() < 0.4)


def _turned(sprite: Sprite, share: float) -> Sprite:
    """Seen from between the side and the end: `share` of the width."""
    height, width = sprite.alpha.shape
    size = max(round(width * share), 2), height
    rgb, alpha = (
        cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (sprite.rgb, sprite.alpha)
    )
    return Sprite(rgb, alpha, cv2.resize(sprite.label, size, interpolation=cv2.INTER_NEAREST))
