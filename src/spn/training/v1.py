"""Reads a run's configuration of earlier versions, and says how its options are called today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spn.models.v1 import upgraded_model
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

_SPN: Final = (
    "views", "second_view_share", "consistency_weight", "consistency_divergence", "consistency_stop_gradient",
    "consistency_stride", "kl_weight",
)  # fmt: skip
_METHOD: Final[Mapping[str, Mapping[str, str]]] = {
    "spn": {**{name: name for name in _SPN}, "own_car_share": "ego_vehicle_share"},
    "isw": {"whitening_weight": "weight", "second_view_share": "second_view_share"},
    "shade": {"style_consistency_weight": "weight"},
}
"""What each method of version 1 read, and its names today."""


def upgraded_config(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A training's configuration as today's version writes it, before its method resolves the model.

    Unchanged if it is of today's.
    """
    old = f"runtime.precision {values.get('runtime', {}).get('precision')}"
    if old in RENAMED:
        values = {**values, "runtime": {**values["runtime"], "precision": RENAMED[old].partition(" ")[2]}}
    method = values.get("method")
    if not isinstance(method, Mapping) or "kind" in method:
        return values
    name = method.get("name", "spn")
    upgraded: dict[str, Any] = {RENAMED.get(key, key): value for key, value in values.items()}
    upgraded["method"] = {"kind": name} | {
        new: method[old] for old, new in _METHOD.get(name, {}).items() if old in method
    }
    if name == "isw" and "whitening_start" in method:  # it was a number of steps
        steps = values.get("schedule", {}).get("steps", ScheduleConfig.steps)
        upgraded["method"]["start"] = method["whitening_start"] / steps
    losses = ("auxiliary_weight", "label_stride", "class_balance")
    upgraded["loss"] = {key: method[key] for key in losses if key in method}
    upgraded["model"] = upgraded_model(values.get("model", {}))
    for table in ("optimisation", "runtime"):
        fields = {f"{table}.{key}": value for key, value in values.get(table, {}).items()}
        upgraded[table] = {RENAMED.get(old, old).partition(".")[2]: value for old, value in fields.items()}
    return upgraded
