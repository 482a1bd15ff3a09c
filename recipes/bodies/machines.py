"""Bicycles, motorcycles and scooters of tubes, tyres and boxes."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.random import Generator

from meshes import PART, Piece, Solid, box, disc, ellipsoid, prism, torus, tube
from poses import Seat

Side = tuple[float, float]  # (y, z)
RUBBER, FRAME, SADDLE, BAG, METAL = (PART[name] for name in ("rubber", "frame", "saddle", "bag", "metal"))


class _Machine(list[Piece]):
    def add(self, solid: Solid, part: int, *, gap: bool = False) -> None:
        self.append(Piece(*solid, part, machine=True, gap=gap))


def bicycle(rng: Generator) -> tuple[list[Piece], Seat]:
    """With or without mudguards, carrier, baskets and bags, a high or a low bar."""
    machine = _Machine()
    radius, pedals = rng.uniform(0.32, 0.35), (0.28, 0.0)
    front: Side = (radius, rng.uniform(1.0, 1.12) - 0.43)
    rear: Side = (radius, -0.43)
    saddle, bars = (rng.uniform(0.85, 0.98), -0.22), (rng.uniform(0.95, 1.1), 0.40)
    thick = rng.uniform(0.012, 0.026)
    for axle in (rear, front):
        centre = (0, *axle)
        machine.add(torus(centre, radius - thick, thick), RUBBER)
        machine.add(disc(centre, radius), RUBBER, gap=True)
        machine.add(torus(centre, radius - 2 * thick - 0.006, 0.008, sides=4), METAL)
        start, spoke = rng.uniform(0, 0.5), radius - 0.03
        for angle in start + 0.785 * np.arange(8):
            end = (0, axle[0] + spoke * math.sin(angle), axle[1] + spoke * math.cos(angle))
            machine.add(tube(centre, end, 0.0022, 3), METAL)
    _frame(machine, rear, front, pedals, saddle, (bars[0] - 0.08, 0.36), low=rng.random() < 0.4)
    machine.add(tube((0, bars[0] - 0.08, 0.36), (0, bars[0], 0.36), 0.013), FRAME)
    half = rng.uniform(0.22, 0.32)
    machine.add(tube((-half, bars[0], 0.38), (half, bars[0], 0.38), 0.013), RUBBER)
    machine.add(tube((0, saddle[0], -0.32), (0, saddle[0] + 0.01, -0.06), 0.05, 6), SADDLE)
    machine.add(tube((-0.01, 0.28, -0.01), (0.01, 0.28, 0), 0.09, 12), METAL)
    if rng.random() < 0.5:
        for axle, ahead in ((rear, -1), (front, 1)):
            out = radius + 0.025
            arc = [
                (0, axle[0] + out * math.sin(angle), axle[1] + ahead * out * math.cos(angle))
                for angle in 0.2 + 0.42 * np.arange(7)
            ]
            for start_of, end_of in itertools.pairwise(arc):
                machine.add(tube(start_of, end_of, 0.022, 4), FRAME)
        top = 2 * radius + 0.1
        machine.add(box((-0.06, top - 0.02, -0.72), (0.06, top, -0.3)), METAL)
        if rng.random() < 0.35:
            machine.add(box((-0.17, top, -0.7), (0.17, top + rng.uniform(0.15, 0.25), -0.36)), BAG)
    if rng.random() < 0.25:
        machine.add(box((-0.17, bars[0] - 0.2, 0.44), (0.17, bars[0] + 0.02, 0.7)), BAG)
    if rng.random() < 0.2:
        for x in (-0.09, 0.07):
            machine.add(box((x - 0.04, 0.4, -0.68), (x + 0.06, 0.68, -0.34)), BAG)
    return machine, Seat(saddle, pedals, (bars[0] + 0.02, 0.37), crank=0.17, lean=(4, 38))


def _frame(
    machine: _Machine, rear: Side, front: Side, pedals: Side, saddle: Side, stem: Side, *, low: bool
) -> None:
    def bar(start: Side, end: Side, radius: float = 0.016, x: float = 0.0) -> None:
        machine.add(tube((x, *start), (x, *end), radius), FRAME)

    for x in (0.03, -0.03):
        bar(rear, pedals, 0.01, x)
    for x in (0.03, -0.03):
        bar(rear, (saddle[0] - 0.15, -0.17), 0.009, x)
    bar(pedals, (saddle[0] - 0.02, -0.2))
    bar((saddle[0] - 0.45, -0.12) if low else (saddle[0] - 0.2, -0.16), (stem[0] - 0.12, 0.34))
    bar(pedals, (stem[0] - 0.16, 0.345))
    for x in (0.04, -0.04):
        bar(stem, front, 0.012, x)


def motorcycle(rng: Generator) -> tuple[list[Piece], Seat]:
    """A scooter or a motorcycle."""
    machine = _Machine()
    scooter = bool(rng.random() < 0.5)
    rear, front, thick, seat = (_scooter if scooter else _motorcycle)(machine, rng)
    radius, bars = rear[0], seat.bars
    for axle in (rear, front):
        machine.add(torus((0, *axle), radius - thick, thick, 28, 8), RUBBER)
        machine.add(tube((-0.03, *axle), (0.03, *axle), radius - 2 * thick, 16), METAL)
    high, ahead = bars[0] - 0.02, bars[1] + 0.06  # the middle of the handlebar
    for x in (0.07, -0.07):
        machine.add(tube((x, *front), (x * 0.9, high - 0.05, ahead), 0.025), METAL)
    half = rng.uniform(0.3, 0.38)
    machine.add(tube((-half, high, ahead - 0.04), (half, high, ahead - 0.04), 0.018), RUBBER)
    machine.add(ellipsoid((0, high - 0.12, ahead + 0.12), (0.09, 0.09, 0.09)), METAL)
    for x in (-1, 1):
        machine.add(tube((x * 0.2, high, ahead), (x * 0.3, high + 0.16, ahead), 0.008, 4), RUBBER)
        machine.add(ellipsoid((x * 0.32, high + 0.19, ahead), (0.06, 0.04, 0.02)), RUBBER)
    back = -0.9 if scooter else -0.86
    machine.add(box((-0.09, 0.52, back), (0.09, 0.64, back + 0.03)), BAG)
    if rng.random() < 0.3:
        machine.add(box((-0.2, seat.saddle[0] + 0.08, -0.98), (0.2, seat.saddle[0] + 0.4, -0.6)), BAG)
    return machine, seat


def _scooter(machine: _Machine, rng: Generator) -> tuple[Side, Side, float, Seat]:
    radius, thick = rng.uniform(0.2, 0.24), rng.uniform(0.045, 0.06)
    saddle = (rng.uniform(0.74, 0.8), -0.3)
    machine.add(prism([(0.3, -0.8), (0.3, -0.1), (0.66, -0.05), (0.7, -0.85)], 0.16), FRAME)
    machine.add(prism([(0.68, -0.86), (0.66, -0.02), (0.76, -0.04), (0.79, -0.85)], 0.14), SADDLE)
    machine.add(prism([(0.22, -0.15), (0.22, 0.4), (0.3, 0.4), (0.3, -0.12)], 0.17), FRAME)
    shield = [(0.28, 0.38), (0.95, 0.26), (0.97, 0.32), (0.3, 0.5)]
    machine.add(prism(shield, (0.2, 0.17, 0.17, 0.2)), FRAME)
    mudguard = [(0.12, 0.5), (0.2, 0.72), (0.15, 0.9), (0.22, 0.92), (0.3, 0.7), (0.2, 0.45)]
    machine.add(prism([(radius + y, z) for y, z in mudguard], 0.07), FRAME)
    seat = Seat(saddle, (0.3, 0.2), (1.04, 0.36), crank=0, lean=(0, 14), splay=16)
    return (radius, -0.55), (radius, 0.68), thick, seat


def _motorcycle(machine: _Machine, rng: Generator) -> tuple[Side, Side, float, Seat]:
    radius, thick = rng.uniform(0.29, 0.33), rng.uniform(0.05, 0.075)
    saddle, high = (rng.uniform(0.76, 0.84), -0.28), rng.uniform(0.98, 1.15)
    machine.add(ellipsoid((0, 0.82, 0.12), (0.17, 0.14, 0.3)), FRAME)
    machine.add(prism([(0.7, -0.75), (0.7, -0.02), (0.78, -0.02), (0.8, -0.5), (0.88, -0.85)], 0.13), SADDLE)
    machine.add(prism([(0.3, -0.25), (0.3, 0.32), (0.72, 0.3), (0.7, -0.3)], 0.15), METAL)
    machine.add(tube((0.14, 0.3, 0.1), (0.17, 0.42, -0.85), 0.05), METAL)
    machine.add(prism([(0.66, -0.8), (0.62, -0.1), (0.72, -0.1), (0.82, -0.9)], 0.12), FRAME)
    mudguard = [(0.0, 0.5), (0.07, 0.76), (-0.02, 1.0), (0.05, 1.02), (0.12, 0.76), (0.05, 0.48)]
    machine.add(prism([(2 * radius + y, z) for y, z in mudguard], 0.06), FRAME)
    if rng.random() < 0.5:
        fairing = [(0.75, 0.4), (1.2, 0.3), (1.15, 0.42), (0.9, 0.72), (0.7, 0.62)]
        machine.add(prism(fairing, (0.2, 0.12, 0.12, 0.12, 0.16)), FRAME)
    seat = Seat(saddle, (0.36, -0.12), (high + 0.02, 0.3), crank=0, lean=(4, 26), splay=16)
    return (radius, -0.68), (radius, 0.76), thick, seat
