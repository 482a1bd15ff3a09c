"""People, riders and two-wheelers: bodies and machines in three dimensions, seen beforehand from many sides.

`bodies.npz` holds pictures without colours: in each pixel the part (skin, trousers, tyre, …), what it is
labelled as and which way it faces. Colours and light come when one is drawn. `recipes/bodies` makes it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from streets.materials import Colour, Generator, jitter, noise_patch
from streets.people import BICYCLE, MOTORCYCLE, PERSON, RIDER, Wardrobe, cloth
from streets.raster import Image, Sprite

KINDS = ("walking", "standing", "cyclist", "motorcyclist", "bicycle", "motorcycle")
PARTS = (
    "nothing", "skin", "hair", "top", "sleeve", "hips", "thigh", "calf", "shoe", "skirt", "rubber", "frame",
    "saddle", "bag", "hat", "metal",
)  # fmt: skip
_LEVELS = 15  # of each coordinate of a normal
_ANY_SEASON = Wardrobe(
    (0.42, 0.58, 0.76), (12, 62), 1.08, ((58, 72, 104), 30), (90, 215, 14), (60, 190), (0.5, 1.25)
)
_SKINS: tuple[Colour, ...] = ((226, 182, 154), (204, 158, 128), (156, 110, 84), (98, 68, 52))
_HAIR: tuple[Colour, ...] = ((38, 28, 24), (66, 46, 32), (24, 22, 22), (150, 118, 76), (150, 148, 144))
_PAINTS: tuple[Colour, ...] = (
    (24, 24, 26), (36, 36, 40), (150, 26, 28), (30, 50, 120), (206, 206, 202), (90, 92, 96), (200, 120, 30),
    (40, 90, 60),
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """One picture, [h, w] each: parts, as in PARTS; labels: 0 nothing, 1 somebody, 2 a machine; normals: its
    rightward and upward coordinates, the index 16 x + y of each in 0..15.
    """

    parts: Image
    labels: Image
    normals: Image


@functools.cache
def _library() -> dict[str, tuple[Body, ...]]:
    """All pictures of each kind."""
    with resources.files("streets").joinpath("bodies.npz").open("rb") as file, np.load(file) as held:
        codes, turns, kinds, shapes = (held[name] for name in ("parts", "turns", "kinds", "shapes"))
    found: dict[str, list[Body]] = {kind: [] for kind in KINDS}
    start = 0
    for kind, (height, width) in zip(kinds.tolist(), shapes.tolist(), strict=True):
        here = slice(start, start + height * width)
        code, turn = (flat[here].reshape(height, width) for flat in (codes, turns))
        found[KINDS[kind]].append(Body(code & 15, code >> 4, turn))
        start = here.stop
    return {kind: tuple(bodies) for kind, bodies in found.items()}


def body(generator: Generator, kind: str, size: int) -> Sprite:
    """One of `kind` (KINDS, or `person`), `size` rows high, in clothes and paint of its own.

    Each has a light of its own as well: from above and one side, and what comes from everywhere.
    """
    if kind == "person":
        kind = "walking" if generator.random() < 0.65 else "standing"
    bodies = _library()[kind]
    chosen = bodies[int(generator.integers(len(bodies)))]
    rgb = _lit(generator, chosen, _colours(generator, machine="motor" in kind))
    mask = (chosen.parts > 0).astype(np.uint8) * np.uint8(255)
    rider, machine = (RIDER, MOTORCYCLE if "motor" in kind else BICYCLE)
    names = np.array([IGNORE, PERSON if kind in ("walking", "standing") else rider, machine], np.uint8)
    return _sized(rgb, mask, names[chosen.labels], size)


def _colours(generator: Generator, *, machine: bool) -> NDArray[np.float32]:
    """[parts, 3], before light."""

    def one_of(colours: tuple[Colour, ...], spread: float) -> Colour:
        return jitter(generator, colours[int(generator.integers(len(colours)))], spread)

    def worn() -> Colour:
        return cloth(generator, _ANY_SEASON)

    top, trousers, skin = worn(), worn(), one_of(_SKINS, 12)
    if generator.random() < 0.05:  # high visibility
        top = jitter(generator, (200, 226, 60) if generator.random() < 0.7 else (236, 120, 40), 20)
    warm, tone = generator.random() < 0.4, generator.uniform(90, 200)
    colours: dict[str, Colour] = {
        "nothing": (0, 0, 0), "skin": skin, "hair": one_of(_HAIR, 14), "top": top,
        "sleeve": skin if warm and generator.random() < 0.7 else top, "hips": trousers, "thigh": trousers,
        "calf": skin if warm and generator.random() < 0.4 else trousers,
        "shoe": worn() if generator.random() < 0.4 else jitter(generator, (30, 28, 28), 14),
        "skirt": worn(), "rubber": jitter(generator, (27, 27, 29), 8),
        "frame": one_of(_PAINTS, 20), "saddle": jitter(generator, (34, 30, 28), 14), "bag": worn(),
        "hat": one_of(_PAINTS, 30) if machine or generator.random() < 0.5 else worn(),
        "metal": (tone, tone, tone),
    }  # fmt: skip
    return np.array([colours[part] for part in PARTS], np.float32)


def _lit(generator: Generator, chosen: Body, colours: NDArray[np.float32]) -> Image:
    """Its colours in a light of its own, with folds."""
    steps = np.arange(_LEVELS + 1, dtype=np.float32) / (_LEVELS / 2) - 1
    across, up = np.meshgrid(steps, steps, indexing="ij")
    ahead = np.sqrt(np.clip(1 - across**2 - up**2, 0, 1))
    side = generator.uniform(-0.8, 0.8)
    towards = np.array([side, generator.uniform(0.3, 0.9), generator.uniform(0.1, 0.7)])
    x, y, z = towards / np.linalg.norm(towards)
    soft = generator.uniform(0.45, 0.85)
    gain = soft * (0.85 + 0.15 * up) + (1 - soft) * 1.3 * np.clip(x * across + y * up + z * ahead, 0, 1)
    height, width = chosen.parts.shape
    folds = 1 + generator.uniform(0.03, 0.14) * noise_patch(generator, height, width, zoom=height / 34)
    shade = gain.astype(np.float32).ravel()[chosen.normals] * folds
    return np.clip(colours[chosen.parts] * shade[..., None], 0, 255).astype(np.uint8)


def _sized(rgb: Image, mask: Image, label: Image, size: int) -> Sprite:
    """`size` rows high; colours do not mix with what is not there."""
    height, width = mask.shape
    wanted = max(round(width * size / height), 2), size
    how = cv2.INTER_AREA if size < height else cv2.INTER_LINEAR
    alpha = cv2.resize(mask, wanted, interpolation=how)
    colour = cv2.resize(rgb, wanted, interpolation=how)  # black where nothing is
    share = np.maximum(alpha, 1).astype(np.float32)[..., None] / 255
    colour = np.clip(colour / share, 0, 255).astype(np.uint8)
    return Sprite(colour, alpha, cv2.resize(label, wanted, interpolation=cv2.INTER_NEAREST))
