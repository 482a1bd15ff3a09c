"""Whole figures: people in clothes, on foot and on machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from human import BODY, BONE_OF, HAIR, SKIRT, TIGHTS, Human, bones, turned
from machines import bicycle, motorcycle
from meshes import PART, Piece, Points, box, ellipsoid, normals
from poses import riding, standing, walking

_ARMS, _FOREARMS = bones("upperarm", "clavicle"), bones("lowerarm")
_HANDS = bones("hand", "index", "middle", "ring", "pinky", "thumb")
_THIGHS, _CALVES, _FEET = bones("thigh"), bones("calf"), bones("foot", "ball")
_HEAD, _HIPS, _SPINE = bones("head", "neck"), bones("pelvis", "Root"), bones("spine")


@dataclass(frozen=True)
class Outfit:
    """hair: long, short or bald. slack, leg_slack: how wide clothes are, from 0 for tight ones. skirt, coat:
    their length below the waist as a share of the longest, 0 for none.
    """

    hair: str
    slack: float
    leg_slack: float
    skirt: float
    coat: float

    @classmethod
    def drawn(cls, rng: Generator, person: Human) -> Outfit:
        """Any clothes."""
        woman = person.sex == "female"
        long = woman and rng.random() < 0.55
        return cls(
            hair="long" if long else str(rng.choice(["short", "bald"], p=[0.92, 0.08])),
            slack=rng.uniform(0, 1) ** 1.5 * 1.3,
            leg_slack=rng.uniform(0, 0.9),
            skirt=rng.uniform(0.3, 0.8) if woman and rng.random() < 0.2 else 0,
            coat=rng.uniform(0.12, 0.5) if rng.random() < 0.35 else 0,
        )


def figure(rng: Generator, kind: str) -> list[Piece]:
    """One of `streets.bodies.KINDS`, in metres, on the ground and looking ahead."""
    if kind in ("walking", "standing"):
        return _on_foot(rng, kind)
    if kind in ("cyclist", "motorcyclist"):
        return _rider(rng, motor=kind == "motorcyclist")
    return (bicycle if kind == "bicycle" else motorcycle)(rng)[0]


def _on_foot(rng: Generator, kind: str) -> list[Piece]:
    person = Human.drawn(rng)
    outfit = Outfit.drawn(rng, person)
    pose = (walking if kind == "walking" else standing)(rng)
    vertices, joints = person.posed(pose)
    ground = np.array([0, vertices[np.unique(BODY)][:, 1].min(), 0])
    head = "cap" if rng.random() < 0.15 else None
    bag = rng.choice([None, "back", "hand"], p=[0.6, 0.2, 0.2])
    back = joints["spine_03"] - ground
    pieces = _dressed(rng, person, outfit, pose, vertices - ground, back, head=head, bag=bag)
    scale = person.scale(rng)
    return [piece._replace(vertices=piece.vertices * scale) for piece in pieces]


def _rider(rng: Generator, *, motor: bool) -> list[Piece]:
    machine, seat = (motorcycle if motor else bicycle)(rng)
    person = Human.drawn(rng)
    while person.age == "child":
        person = Human.drawn(rng)
    person = replace(person, vertices=person.vertices * person.scale(rng))
    outfit = Outfit.drawn(rng, person)
    outfit = replace(outfit, skirt=0, coat=0 if rng.random() < 0.8 else 0.4 * outfit.coat)
    if motor:
        outfit = replace(outfit, slack=rng.uniform(0.6, 1.4))
    pose, moved = riding(person, rng, seat)
    vertices, joints = person.posed(pose)
    if motor:
        head = rng.choice(["helmet", "full"], p=[0.45, 0.55]) if rng.random() < 0.92 else None
    else:
        head = "helmet" if rng.random() < 0.4 else "cap" if rng.random() < 0.15 else None
    bag = "back" if rng.random() < 0.25 else None
    back = joints["spine_03"] + moved
    return machine + _dressed(rng, person, outfit, pose, vertices + moved, back, head=head, bag=bag)


def _dressed(
    rng: Generator,
    person: Human,
    outfit: Outfit,
    pose: Mapping[str, Points],
    vertices: Points,
    back: Points,
    *,
    head: str | None,
    bag: str | None,
) -> list[Piece]:
    """A posed body, `vertices`, in clothes, with hair, hat and bag. back: where the upper spine begins."""
    pieces = [*_skin(rng, person, outfit, vertices), _cloth(person, outfit, vertices)]
    if length := outfit.skirt or outfit.coat:
        heights = person.vertices[SKIRT].mean(axis=1)[:, 1]
        rest = person.vertices[np.unique(SKIRT)][:, 1]
        kept = SKIRT[heights > rest.max() - length * np.ptp(rest)]
        wider = vertices + normals(vertices, SKIRT) * 0.15
        pieces.append(Piece(wider, kept, PART["skirt" if outfit.skirt else "top"]))
    if head:
        skull = np.unique(BODY[np.isin(BONE_OF[BODY[:, 0]], bones("head"))])
        middle, size, looks = (
            vertices[skull].mean(axis=0),
            np.ptp(person.vertices[skull], axis=0),
            turned(pose, "head"),
        )
        if head == "full":
            solid = ellipsoid(middle, size * [0.68, 0.56, 0.66], looks)
            pieces.append(Piece(*solid, PART["hat"]))
        wide, lowest = (1.12, -0.25) if head == "helmet" else (1.0, 0.0)
        up = middle + looks @ np.array([0, 0.11 * size[1], -0.05])
        pieces.append(Piece(*ellipsoid(up, size * [0.62, 0.42, 0.6] * wide, looks, lowest), PART["hat"]))
    if bag == "back":
        spine = turned(pose, "spine_03")
        size = np.array([1.25, rng.uniform(1.7, 2.4), rng.uniform(0.7, 1.1)])
        pieces.append(Piece(*ellipsoid(back + spine @ [0, -0.2, -1.75], size, spine), PART["bag"]))
    if bag == "hand":
        side = rng.choice(["l", "r"])
        hand = vertices[np.isin(BONE_OF, bones(f"hand_{side}"))].mean(axis=0)
        long, high, thick = rng.uniform(1.2, 2.2), rng.uniform(2.0, 3.6), rng.uniform(0.5, 0.9)
        middle, half = hand - [0, 0.8 + high / 2, 0], np.array([thick, high / 2, long])
        pieces.append(Piece(*box(middle - half, middle + half), PART["bag"]))
    return [piece._replace(vertices=piece.vertices / 10) for piece in pieces]


def _skin(rng: Generator, person: Human, outfit: Outfit, vertices: Points) -> list[Piece]:
    """What clothes leave free, with hair and shoes."""
    bone = BONE_OF[BODY[:, 0]]
    head = np.isin(bone, _HEAD)
    middles = person.vertices[BODY].mean(axis=1)
    neck, crown = person.joint("head")[1], person.vertices[BODY[head]][..., 1].max()
    parts = np.full(len(BODY), PART["skin"])
    if outfit.hair != "bald":
        up, ahead = middles[:, 1], middles[:, 2]
        slant = 0.405 if outfit.hair == "short" else 0.45
        parts[head & (up > neck + 0.62 * (crown - neck) + slant * (ahead - 0.9))] = PART["hair"]
        nape = 0.15 if outfit.hair == "short" else -0.3
        parts[head & (ahead < 0.15) & (up > neck + nape)] = PART["hair"]
    parts[np.isin(bone, _FEET)] = PART["shoe"]
    outward, thicker = normals(vertices, BODY), vertices.copy()
    hair, shoes = (np.unique(BODY[parts == PART[part]]) for part in ("hair", "shoe"))
    thicker[hair] += outward[hair] * rng.uniform(0.08, 0.25)
    thicker[shoes] += outward[shoes] * 0.1
    free = np.isin(bone, [*_HEAD, *_HANDS, *_FEET, *_FOREARMS, *_CALVES])
    pieces = [Piece(thicker, BODY[free], parts[free])]
    if outfit.hair == "long":
        low = neck - rng.uniform(0.2, 1.6)
        rest = person.vertices[HAIR].mean(axis=1)
        middle = vertices[np.unique(HAIR)].mean(axis=0)
        closer = (vertices - middle) * rng.uniform(0.86, 0.98) + middle
        pieces.append(Piece(closer, HAIR[(rest[:, 1] > low) & (rest[:, 2] < 1.15)], PART["hair"]))
    return pieces


def _cloth(person: Human, outfit: Outfit, vertices: Points) -> Piece:
    """MakeHuman's tights, as thick as the clothes are."""
    bone = BONE_OF[TIGHTS[:, 0]]
    parts = np.full(len(bone), PART["top"])
    for part, places in (
        ("sleeve", _FOREARMS + _HANDS), ("thigh", _THIGHS), ("calf", _CALVES + _FEET), ("hips", _HIPS)
    ):  # fmt: skip
        parts[np.isin(bone, places)] = PART[part]
    thick = np.zeros((len(vertices), 1))
    for places, most in (
        (_ARMS + _FOREARMS, 0.12 + 0.25 * outfit.slack), (_THIGHS + _CALVES, 0.05 + 0.3 * outfit.leg_slack),
        (_SPINE, 0.1 + 0.3 * outfit.slack), (_HIPS, 0.05 + 0.25 * outfit.slack),
    ):  # fmt: skip
        thick[np.isin(BONE_OF, places)] = most
    below = ~np.isin(bone, _HEAD)
    return Piece(vertices + normals(vertices, TIGHTS) * thick, TIGHTS[below], parts[below])
