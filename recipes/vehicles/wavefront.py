"""Reads a model of a catalogue: Wavefront .obj and .mtl, textures, and what part each face is."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streets.models import PARTS

PART = {name: index for index, name in enumerate(PARTS)}
_NAMED = (  # the first that a material's name matches
    ("second", r"second|accent|container|payload|whiteglass"),
    ("red", r"brake|taillight|rojos|back-light|rear-light|red_?light|glass_red|parking"),
    ("amber", r"turn|orange|amber|^reflector"),
    ("lamp", r"headlight|front-light|faros_blan|grey-light|glassfocus|lens"),
    ("plate", r"plate|car-number|matricula"),
    ("rubber", r"tire|tyre|neumatico|rubber"),
    ("glass", r"glass|cristal"),
    ("paint", r"paint_(?!black)|carpaint|^car$|chapa|color-(ext|beige)|first-?color|^body|cabin|whitebase"),
    ("metal", r"chrome|metal|alumin|wheels|llanta|mirror|support"),
)  # fmt: skip
_OF_TRIANGLES = ("corners", "places", "parts", "grey", "picture", "names")


@dataclass(frozen=True)
class Mesh:
    """Triangles: corners [T, 3, 3] in metres (x to the left, y up, z ahead; the ground is 0, the middle of
    the floor plan the origin), texture places [T, 3, 2], the part of each [T], its grey 0..1 [T], the index
    of its picture or -1 [T], its material's name [T]."""

    corners: NDArray[np.float64]
    places: NDArray[np.float64]
    parts: NDArray[np.uint8]
    grey: NDArray[np.float64]
    picture: NDArray[np.int64]
    pictures: tuple[NDArray[np.uint8], ...]
    names: NDArray[np.str_]

    def only(self, kept: NDArray[np.bool_]) -> Mesh:
        """Some of its triangles."""
        return replace(self, **{name: getattr(self, name)[kept] for name in _OF_TRIANGLES})

    def moved(self, factor: tuple[float, float, float], by: tuple[float, float, float]) -> Mesh:
        """Stretched about the origin, then moved."""
        return replace(self, corners=self.corners * factor + by)

    def joined(self, other: Mesh) -> Mesh:
        """Both; `other` has no pictures, or the same."""
        both = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _OF_TRIANGLES}
        return replace(self, **both)


@cache
def _catalogue(file: Path) -> tuple[zipfile.ZipFile, dict[str, dict[str, str]]]:
    """The archive, and what it says of each model, by the path of its .obj."""
    archive = zipfile.ZipFile(file)
    said: dict[str, dict[str, str]] = {}
    text = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
    for name, number, value in re.findall(r"^(\w+)#(\d+)=(.*?)\s*$", text, re.M):
        said.setdefault(number, {})[name] = value
    return archive, {entry["model"].strip("/"): entry for entry in said.values() if "model" in entry}


def read(file: Path, model: str) -> Mesh:
    """`model`: the path of its .obj in the catalogue."""
    archive, said = _catalogue(file)
    folder = posixpath.dirname(model)
    entry = said[model]
    size = [float(entry[side]) / 100 for side in ("width", "height", "depth")]
    materials: dict[str, dict[str, str]] = {}
    points, places = [], []
    faces, textures, used = [], [], []
    material = ""
    for line in archive.read(model).decode("latin-1").splitlines():
        word, _, rest = line.partition(" ")
        if word == "mtllib":
            materials = _materials(archive.read(posixpath.join(folder, rest.strip())).decode("latin-1"))
        elif word == "v":
            points.append([float(value) for value in rest.split()[:3]])
        elif word == "vt":
            places.append([float(value) for value in rest.split()[:2]])
        elif word == "usemtl":
            material = rest.strip()
        elif word == "f":
            ends = [corner.split("/") for corner in rest.split()]
            at = [_index(end[0], len(points)) for end in ends]
            seen = [_index(end[1], len(places)) if len(end) > 1 and end[1] else -1 for end in ends]
            for k in range(1, len(at) - 1):
                faces.append([at[0], at[k], at[k + 1]])
                textures.append([seen[0], seen[k], seen[k + 1]])
                used.append(material)
    places.append([0.0, 0.0])  # for those without
    vertices = np.array(points)
    low, high = vertices.min(0), vertices.max(0)
    vertices = (vertices - [(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2]) * (size / (high - low))
    names = np.array(used)
    kinds, which = np.unique(names, return_inverse=True)
    pictures: dict[str, int] = {}
    parts, greys, shown = [], [], []
    for kind in kinds.tolist():
        values = materials.get(kind, {})
        colour = np.array([float(v) for v in values.get("Kd", "0.6 0.6 0.6").split()])
        image = values.get("map_Kd", "").split()[-1:]
        shown.append(pictures.setdefault(posixpath.join(folder, image[0]), len(pictures)) if image else -1)
        grey = float(colour @ (0.3, 0.6, 0.1))
        parts.append(_part(kind))
        coloured = PARTS[parts[-1]] in ("paint", "second", "red", "amber", "lamp") and not image
        greys.append(1.0 if coloured else min(max(grey, 0.06), 1.0) ** 0.7)
    return Mesh(
        vertices[np.array(faces)], np.array(places)[np.array(textures)],
        np.array(parts, np.uint8)[which], np.array(greys)[which], np.array(shown)[which],
        tuple(np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in pictures),
        names,
    )  # fmt: skip


def _part(name: str) -> int:
    return PART[next((part for part, told in _NAMED if re.search(told, name, re.I)), "grey")]


def _index(text: str, count: int) -> int:
    return int(text) - 1 if int(text) > 0 else count + int(text)


def _materials(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    values: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            values = found.setdefault(rest.strip(), {})
        elif word:
            values[word] = rest.strip()
    return found


def solid(corners: NDArray[np.float64], part: str, grey: float = 0.9) -> Mesh:
    """Triangles [T, 3, 3] of one part."""
    count = len(corners)
    return Mesh(
        corners, np.zeros((count, 3, 2)), np.full(count, PART[part], np.uint8), np.full(count, grey),
        np.full(count, -1), (), np.full(count, part),
    )  # fmt: skip


def box(
    low: tuple[float, float, float], high: tuple[float, float, float], part: str, grey: float = 0.9
) -> Mesh:
    """Between two corners, facing outwards."""
    ends = np.array([low, high])
    at = np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    return solid(at[np.array([c for a, b, c_, d in sides for c in ((a, b, c_), (a, c_, d))])], part, grey)


def cylinder(
    low: tuple[float, float, float], length: float, radius: float, part: str, grey: float = 0.9, *,
    squash: float = 1.0, sides: int = 20,
) -> Mesh:  # fmt: skip
    """Along z and closed; `low`: the middle of its first end."""
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = np.c_[radius * np.cos(angle), squash * radius * np.sin(angle), np.zeros(sides)]
    near, far = ring, ring + np.array([0, 0, length])
    there = np.roll(np.arange(sides), -1)
    here = np.arange(sides)
    triangles = np.concatenate([
        np.stack([near[here], near[there], far[there]], 1), np.stack([near[here], far[there], far[here]], 1),
        np.stack([np.zeros((sides, 3)), near[there], near[here]], 1),
        np.stack([np.tile([0, 0, length], (sides, 1)), far[here], far[there]], 1),
    ])  # fmt: skip
    return solid(triangles + low, part, grey)
