"""How people stand, walk and ride: turns of bones in degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from human import Human, Pose
from meshes import Points, turn

SIDES = (("l", 1), ("r", -1))


def _at_ease(rng: Generator, *, hang: float = 30) -> Pose:
    """Feet closer together and arms closer to the body than MakeHuman's rest has them."""
    pose: Pose = {}
    for side, left in SIDES:
        pose[f"thigh_{side}"] = turn("z", -left * rng.uniform(6, 8.5))
        pose[f"upperarm_{side}"] = turn("z", -left * rng.uniform(hang - 6, hang + 5))
        pose[f"lowerarm_{side}"] = turn("x", rng.uniform(5, 32))
    return pose


def walking(rng: Generator) -> Pose:
    """A step of any length."""
    pose = _at_ease(rng)
    stride, first = rng.uniform(8, 30), rng.choice([-1, 1])
    for side, left in SIDES:
        ahead = left * first > 0
        thigh = -stride * rng.uniform(0.8, 1.1) if ahead else stride * 0.75
        knee = rng.uniform(0, 14) if ahead else rng.uniform(10, 55) * min(1, stride / 22)
        pose[f"thigh_{side}"] = turn("x", thigh) @ pose[f"thigh_{side}"]
        pose[f"calf_{side}"] = turn("x", knee)
        pose[f"foot_{side}"] = turn("x", (-12 if ahead else 15) * stride / 25)
        swing = stride * rng.uniform(0.3, 1.0) * (1 if ahead else -1)
        pose[f"upperarm_{side}"] = turn("x", swing) @ pose[f"upperarm_{side}"]
    pose["spine_01"] = turn("x", rng.uniform(-2, 8))
    pose["spine_02"] = turn("y", rng.uniform(-8, 8))
    pose["neck_01"] = turn("x", rng.uniform(-4, 12)) @ turn("y", rng.uniform(-25, 25))
    return _with_hands(pose, rng)


def standing(rng: Generator) -> Pose:
    """The weight on one leg, looking anywhere."""
    pose = _at_ease(rng)
    side = rng.choice(["l", "r"])
    pose[f"thigh_{side}"] = turn("x", -rng.uniform(0, 10)) @ pose[f"thigh_{side}"]
    pose[f"calf_{side}"] = turn("x", rng.uniform(0, 16))
    pose["spine_01"] = turn("x", rng.uniform(-3, 8)) @ turn("z", rng.uniform(-4, 4))
    pose["spine_03"] = turn("y", rng.uniform(-15, 15))
    pose["neck_01"] = turn("x", rng.uniform(-5, 25)) @ turn("y", rng.uniform(-45, 45))
    return _with_hands(pose, rng)


def _with_hands(pose: Pose, rng: Generator) -> Pose:
    """Some hold a telephone, carry or push something, or have their hands in their pockets."""
    roll = rng.random()
    if roll < 0.2:
        side = rng.choice(["l", "r"])
        pose[f"lowerarm_{side}"] = turn("x", -rng.uniform(60, 85))
        pose[f"upperarm_{side}"] = turn("x", -rng.uniform(0, 40)) @ pose[f"upperarm_{side}"]
    elif roll < 0.35:
        for side, _ in SIDES:
            pose[f"lowerarm_{side}"] = turn("x", -rng.uniform(15, 50))
    elif roll < 0.45:
        for side, left in SIDES:
            pose[f"upperarm_{side}"] = turn("x", 18) @ turn("z", -left * 14)
            pose[f"lowerarm_{side}"] = turn("y", -left * 30) @ turn("x", -5)
    return pose


@dataclass(frozen=True)
class Seat:
    """Where a machine holds its rider: (up, ahead) in metres.

    crank: the pedals' radius, 0 for feet that rest. lean: degrees, from and to. splay: of the knees.
    """

    saddle: tuple[float, float]
    pedals: tuple[float, float]
    bars: tuple[float, float]
    crank: float
    lean: tuple[float, float]
    splay: float = 8


def _angle(piece: Points) -> float:
    """Of a limb in the side view: 0 hangs down, more points ahead."""
    return math.atan2(piece[2], -piece[1])


def _long(piece: Points) -> float:
    return math.hypot(piece[1], piece[2])


def _bent(start: Points, end: Points, upper: float, lower: float, ahead: int) -> tuple[float, float]:
    """The angles of two pieces of these lengths from start to end; the joint is ahead (1) or behind (-1)."""
    reach = np.array([end[1] - start[1], end[2] - start[2]])
    far = min(max(float(np.hypot(*reach)), abs(upper - lower) + 1e-3), upper + lower - 1e-3)
    inner = math.acos(max(-1, min(1, (upper**2 + far**2 - lower**2) / (2 * upper * far))))
    first = math.atan2(reach[1], -reach[0]) + ahead * inner
    rest = reach / np.hypot(*reach) * far - np.array([-math.cos(first), math.sin(first)]) * upper
    return first, math.atan2(rest[1], -rest[0])


def riding(human: Human, rng: Generator, seat: Seat) -> tuple[Pose, Points]:
    """The pose, and by how much the body moves to be on the saddle: feet and hands where they belong."""
    pose = _at_ease(rng, hang=rng.uniform(10, 24))
    lean = rng.uniform(*seat.lean)
    pose["spine_01"] = pose["spine_02"] = turn("x", lean / 2)
    pose["neck_01"] = turn("x", -lean * rng.uniform(0.4, 0.9)) @ turn("y", rng.uniform(-30, 30))
    saddle = np.array([0, seat.saddle[0] * 10 + 0.9, seat.saddle[1] * 10 + 0.3])
    moved = saddle - human.joint("pelvis")
    phase = rng.uniform(0, 2 * math.pi)
    up, ahead = (10 * value for value in seat.pedals)
    for side, left in SIDES:
        apart = turn("z", -left * seat.splay)
        thigh = apart @ (human.joint(f"calf_{side}") - human.joint(f"thigh_{side}"))
        calf = apart @ (human.joint(f"foot_{side}") - human.joint(f"calf_{side}"))
        if seat.crank:
            at = phase + (0 if left > 0 else math.pi)
            lift, push = 10 * seat.crank * math.sin(at), 10 * seat.crank * math.cos(at) - 0.8
        else:
            lift, push = 0, rng.uniform(-0.3, 0.3)
        foot = np.array([0, up + lift + 0.9, ahead + push])
        hip = human.joint(f"thigh_{side}") + moved
        first, second = _bent(hip, foot, _long(thigh), _long(calf), 1)
        knee, ankle = (
            math.degrees(_angle(piece) - wanted) for piece, wanted in ((thigh, first), (calf, second))
        )
        pose[f"thigh_{side}"] = turn("x", knee) @ apart
        pose[f"calf_{side}"] = apart.T @ turn("x", ankle - knee) @ apart
        pose[f"foot_{side}"] = turn("x", -ankle + rng.uniform(-5, 15))
    hands = np.array([0, *(10 * value for value in seat.bars)])
    for side, _ in SIDES:
        _, joints = human.posed({bone: by for bone, by in pose.items() if "arm" not in bone})
        hung, leaning = pose[f"upperarm_{side}"], turn("x", lean)
        upper = leaning @ hung @ (human.joint(f"lowerarm_{side}") - human.joint(f"upperarm_{side}"))
        lower = leaning @ hung @ (human.joint(f"hand_{side}") - human.joint(f"lowerarm_{side}"))
        shoulder = joints[f"upperarm_{side}"] + moved
        first, second = _bent(shoulder, hands, _long(upper), _long(lower), -1)
        raised, elbow = (
            math.degrees(_angle(piece) - wanted) for piece, wanted in ((upper, first), (lower, second))
        )
        pose[f"upperarm_{side}"] = leaning.T @ turn("x", raised) @ leaning @ hung
        pose[f"lowerarm_{side}"] = hung.T @ leaning.T @ turn("x", elbow - raised) @ leaning @ hung
    return pose, moved
