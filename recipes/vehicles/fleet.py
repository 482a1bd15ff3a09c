"""The vehicles that are drawn: models of the catalogues as they are, cut, shortened or put together anew.

Scopia: CC BY 3.0, Scopia Visual Interfaces Systems. KatorLegaz: CC BY 3.0 US, Andrew Kator and Jennifer
Legaz. BlendSwap: Ford Focus, CC BY 3.0; DAF truck, CC BY 3.0; Peterbilt, CC0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavefront import PART, Mesh, box, cylinder, read

_WHOLE = (
    ("saloon", "KatorLegaz", "katorlegaz/concept-sedan-01v2/concept-sedan-01v2.obj"),
    ("saloon", "KatorLegaz", "katorlegaz/concept-sedan-02/concept-sedan-02.obj"),
    ("saloon", "Scopia", "scopia/peugeot-308/peugeot-308.obj"),
    ("saloon", "Scopia", "scopia/chevrolet/chevrolet.obj"),
    ("hatch", "BlendSwap-CC-BY", "blendswap-cc-by/fordFocus/fordFocus.obj"),
    ("hatch", "Scopia", "scopia/seat_leon/seat_leon.obj"),
    ("hatch", "KatorLegaz", "katorlegaz/VW-new-beetle/VW-new-beetle.obj"),
    ("hatch", "Scopia", "scopia/smart-car/smart-car.obj"),
    ("estate", "Scopia", "scopia/renault-scenic/renault-scenic.obj"),
    ("suv", "Scopia", "scopia/suv/suv.obj"),
    ("van", "Scopia", "scopia/van/van.obj"),
    ("truck", "Scopia", "scopia/truck/truck.obj"),
    ("bus", "Scopia", "scopia/bus/bus.obj"),
    ("bus", "Scopia", "scopia/cityBus/cityBus.obj"),
)
_DAF = ("BlendSwap-CC-BY", "blendswap-cc-by/dafTruck/dafTruck.obj")
_PETERBILT = ("BlendSwap-CC-0", "blendswap-cc-0/peterbilt/peterbilt.obj")


@dataclass(frozen=True)
class Model:
    """kind: one of `streets.models.KINDS`."""

    kind: str
    name: str
    mesh: Mesh


def fleet(folder: Path) -> list[Model]:
    """All of them, read from the catalogues in a folder."""

    def mesh(catalogue: str, path: str) -> Mesh:
        return read(folder / f"{catalogue}.sh3f", path)

    found = [Model(kind, Path(path).stem, mesh(catalogue, path)) for kind, catalogue, path in _WHOLE]
    whole = {model.name: model.mesh for model in found}
    trucks = _trucks(whole["truck"], whole["van"], mesh(*_DAF), mesh(*_PETERBILT))
    return [
        *found,
        *(Model("truck", name, _grounded(truck)) for name, truck in trucks.items()),
        Model("pickup", "pickup", _pickup(whole["suv"])),
        Model("pickup", "long pickup", _pickup(whole["renault-scenic"].moved((1, 0.93, 1.2), (0, 0, 0)))),
        Model("bus", "double decker", _double_decker(whole["cityBus"])),
    ]


def _grounded(mesh: Mesh) -> Mesh:
    """Its middle above the origin again."""
    ends = mesh.corners[..., 2]
    return mesh.moved((1, 1, 1), (0, 0, -(ends.min() + ends.max()) / 2))


def _named(mesh: Mesh, *names: str) -> NDArray[np.bool_]:
    return np.isin(mesh.names, names)


def _trucks(kamaz: Mesh, van: Mesh, daf: Mesh, peterbilt: Mesh) -> dict[str, Mesh]:
    """Cabs with loads of many kinds."""
    bare = kamaz.only(
        ~_named(kamaz, "white-container", "grey-metalic-frame") & (kamaz.corners[..., 1].max(1) < 3.0)
    )
    daf_cab = daf.only(_named(daf, "Cabin", "Truck", "Glass"))
    american = peterbilt.only(np.array([not name.endswith("Trailer") for name in peterbilt.names]))
    front = van.only((van.corners[..., 2].min(1) > 0.35) | _named(van, "tires"))
    frame = box((-0.5, 0.55, -2.9), (0.5, 0.8, 0.6), "grey", 0.2)
    front = front.joined(frame)
    articulated = daf.only(~_named(daf, "Cabin", "Truck", "Glass"))
    shorter = articulated.moved((1, 1, 0.5), (0, 0, 5.41 * 0.5))
    return {
        "curtain lorry": daf_cab.joined(_container(1.28, (1.15, 3.95), (-1.2, 5.45))),
        "short articulated": daf_cab.joined(shorter),
        "tipper": bare.joined(_tipper((-3.1, 1.3))),
        "tanker": bare.joined(cylinder((0, 2.05, -3.2), 4.4, 1.1, "second", squash=0.85)),
        "flatbed": bare.joined(_flatbed((-3.3, 1.3), 1.15)),
        "van with box": front.joined(_container(1.08, (0.8, 3.0), (-3.2, 0.5))),
        "van with flatbed": front.joined(_flatbed((-3.0, 0.4), 0.85)),
        "bonneted with box": american.joined(_container(1.25, (1.05, 3.9), (0.6, 6.0))),
        "bonneted tanker": american.joined(cylinder((0, 2.2, 0.8), 5.2, 1.15, "metal")),
        "bonneted tipper": american.joined(_tipper((0.9, 5.9))),
        "refuse lorry": daf_cab.joined(_container(1.25, (1.0, 3.3), (-0.4, 5.3))).joined(
            box((-1.2, 0.8, -1.6), (1.2, 2.9, -0.4), "paint")
        ),
        "mixer": bare.joined(cylinder((0, 2.3, -3.0), 2.6, 1.15, "second")).joined(
            cylinder((0, 2.3, -0.4), 1.4, 0.7, "second")
        ),
    }


def _container(half: float, y: tuple[float, float], z: tuple[float, float]) -> Mesh:
    """A box with frames, doors and lamps behind, and what hangs below it."""
    (low, high), (back, ahead) = y, z
    wide, doors, lamps, sides = half + 0.02, (-0.35, 0.35), (0.2 - half, half - 0.2), (-half, half)
    return _all([
        box((-half, low, back), (half, high, ahead), "second"),
        *(box((-wide, low, at), (wide, high, at + 0.07), "second", 0.8) for at in (back, ahead - 0.07)),
        box((-0.02, low + 0.1, back - 0.02), (0.02, high - 0.1, back), "grey", 0.35),
        *(box((x - 0.02, low + 0.1, back - 0.05), (x + 0.02, high - 0.1, back), "metal") for x in doors),
        *(box((x - 0.16, low - 0.2, back - 0.03), (x + 0.16, low - 0.06, back), "red") for x in lamps),
        box((-half, low - 0.3, back), (half, low, back + 0.1), "grey", 0.25),
        *(box((x - 0.02, low - 0.55, back + 1.4), (x + 0.02, low, ahead - 1.2), "grey", 0.4) for x in sides),
    ])  # fmt: skip


def _tipper(z: tuple[float, float]) -> Mesh:
    back, ahead = z
    ribs = np.linspace(back + 0.1, ahead - 0.2, 6)
    return _all([
        box((-1.2, 1.1, back), (1.2, 2.3, ahead), "second"),
        *(box((-1.26, 1.1, at), (1.26, 2.3, at + 0.1), "second", 0.85) for at in ribs),
        box((-1.1, 2.2, back + 0.1), (1.1, 2.5, ahead - 0.2), "grey", 0.4),
        box((-1.2, 0.85, back), (1.2, 1.1, back + 0.2), "red", 0.6),
    ])  # fmt: skip


def _flatbed(z: tuple[float, float], floor: float) -> Mesh:
    back, ahead = z
    return _all([
        box((-1.15, floor, back), (1.15, floor + 0.12, ahead), "grey", 0.45),
        *(box((x - 0.03, floor, back), (x + 0.03, floor + 0.5, ahead), "second") for x in (-1.15, 1.15)),
        box((-1.15, floor, back), (1.15, floor + 0.5, back + 0.05), "second"),
        box((-1.15, floor, ahead - 0.08), (1.15, floor + 1.1, ahead), "metal"),
        box((-0.8, floor + 0.1, back + 0.5), (0.6, floor + 0.9, ahead - 1.0), "grey", 0.6),
        *(box((x - 0.15, floor - 0.25, back - 0.02), (x + 0.15, floor - 0.1, back + 0.1), "red")
          for x in (-0.9, 0.9)),
    ])  # fmt: skip


def _pickup(car: Mesh) -> Mesh:
    """The rear roof of a car cut away, and a bed in its place."""
    length, height = np.ptp(car.corners[..., 2]), np.ptp(car.corners[..., 1])
    wall, end = 0.62 * height, -0.06 * length
    middle = car.corners.mean(1)
    kept = ~((middle[:, 2] < end) & ((middle[:, 1] > wall) | (car.parts == PART["glass"])))
    kept &= ~((middle[:, 2] < end) & _named(car, "interior", "black-plastic"))
    half = 0.42 * np.ptp(car.corners[..., 0])
    return car.only(kept).joined(_all([
        box((-half, 0.35 * height, -0.47 * length), (half, 0.42 * height, end), "grey", 0.3),
        *(box((x - 0.04, 0.35 * height, -0.48 * length), (x + 0.04, wall, end), "paint")
          for x in (-half, half)),
        box((-half, 0.3 * height, -0.49 * length), (half, wall, -0.47 * length), "paint"),
        box((-0.8 * half, wall, end - 0.03), (0.8 * half, 0.9 * height, end), "glass"),
        box((-half, 0.3 * height, end - 0.02), (half, wall, end + 0.02), "paint"),
    ])).moved((1.0, 1.12, 1.18), (0, 0, 0))  # fmt: skip


def _double_decker(bus: Mesh) -> Mesh:
    """The upper half of a bus once more on top of it."""
    upper = bus.only(bus.corners[..., 1].min(1) > 1.0).moved((1, 1, 1), (0, 1.35, 0))
    lower = bus.only(bus.corners[..., 1].min(1) < 2.6)
    return lower.joined(upper)


def _all(meshes: list[Mesh]) -> Mesh:
    whole = meshes[0]
    for mesh in meshes[1:]:
        whole = whole.joined(mesh)
    return whole
