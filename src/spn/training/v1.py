"""Reads a run's configuration of earlier versions, and says how its options are called today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spn.core.records import flattened, nested
from spn.methods.options import METHODS
from spn.models.config import upgraded_model
from spn.training.config import ScheduleConfig

RENAMED: Final[Mapping[str, str]] = {
    "method.name": "method.kind",
    "method.auxiliary_weight": "loss.auxiliary_weight",
    "method.label_stride": "loss.label_stride",
    "method.class_balance": "loss.class_balance",
    "method.own_car_share": "method.ego_vehicle_share",
    "method.whitening_start": "method.start (of isw, a share of the steps)",
    "method.whitening_weight": "method.weight (of isw)",
    "method.style_consistency_weight": "method.weight (of shade)",
    "model.encoder.family": "model.encoder.kind",
    "model.block_prompt": "model.encoder.prompt (of frozen_vit)",
    "model.decoder.skip_strides": "model.decoder.skips",
    "model.decoder.skip_widths": "model.decoder.skips",
    "model.decoder.refine_widths": "model.decoder.skips",
    "model.decoder.refine_convolutions": "model.decoder.skips",
    "optimisation.encoder_rate": "optimisation.backbone_lr_factor",
    "runtime.recompute": "runtime.activation_checkpointing",
    "runtime.precision 32-true": "runtime.precision 32",
    "runtime.precision bf16-mixed": "runtime.precision bf16",
    "runtime.precision 16-mixed": "runtime.precision 16",
    "initial": "init_from",
}
"""Options of earlier versions, and their names today; NAME VALUE where the value is called otherwise."""


def upgraded_config(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A training's configuration as today's version writes it, before its method resolves the model."""
    method = values.get("method", {})
    kind = method.get("kind") or method.get("name", "spn")
    upgraded: dict[str, Any] = {"method.kind": kind}
    for name, value in flattened({**values, "model": {}}).items():
        new, _, owner = RENAMED.get(name, name).partition(" (of ")
        table, _, field = new.rpartition(".")
        other = owner and not owner.startswith(kind)
        if table == "method" and "kind" not in method:  # version 1 wrote the options of all methods
            other = other or field not in METHODS.entry(kind).options.__dataclass_fields__
        if other:
            continue
        if name == "method.whitening_start":  # it was a number of steps
            value = value / values.get("schedule", {}).get("steps", ScheduleConfig.steps)
        upgraded[new] = RENAMED.get(f"{name} {value}", "").partition(" ")[2] or value
    return {**nested(upgraded), "model": upgraded_model(values.get("model", {}))}
