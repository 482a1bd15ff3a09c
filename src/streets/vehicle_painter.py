"""Draws any vehicle, near enough in detail for its distance."""

import numpy as np

from streets.car_body import KINDS
from streets.cars import draw_car
from streets.heavy_vehicles import draw_heavy_vehicle
from streets.models import draw_model, is_model
from streets.raster import Canvas
from streets.vehicles import Light, Vehicle, footprint

_DETAIL = 9.0  # pixels a metre, below which lamps and plates are left out


def draw_vehicle(canvas: Canvas, vehicle: Vehicle, light: Light, *, modelled: float = 0.0) -> None:
    """Draw with a fresh object number; the same seed gives the same vehicle.

    modelled: the share of vehicles that are drawn from models.
    """
    outline = footprint(vehicle, margin=0.2)
    high = 2.6 if vehicle.kind in KINDS else 4.5
    corners = [[x, y, z] for x, z in outline for y in (0.0, high)]
    if canvas.hidden(np.array(corners)):
        return
    generator = np.random.default_rng(vehicle.seed)
    instance = canvas.new_object()
    if is_model(canvas, vehicle, modelled):
        draw_model(canvas, vehicle, light, generator, instance)
    elif vehicle.kind in KINDS:
        depth = float(np.hypot(vehicle.x - canvas.camera.offset_x, vehicle.z))
        draw_car(canvas, vehicle, light, generator, instance, detailed=canvas.camera.focal / depth > _DETAIL)
    else:
        draw_heavy_vehicle(canvas, vehicle, light, generator, instance)
