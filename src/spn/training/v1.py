"""Reads a run's configuration of version 1, and says how its options are called today."""

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
    "initial": "init_from",
}
"""Options of version 1, and their names today."""

_LOSS: Final = ("auxiliary_weight", "label_stride", "class_balance")
_METHOD: Final[Mapping[str, Mapping[str, str]]] = {
    "spn": {
        "views": "views",
        "second_view_share": "second_view_share",
        "own_car_share": "ego_vehicle_share",
        "consistency_weight": "consistency_weight",
        "consistency_divergence": "consistency_divergence",
        "consistency_stop_gradient": "consistency_stop_gradient",
        "consistency_stride": "consistency_stride",
        "kl_weight": "kl_weight",
    },
    "isw": {
        "whitening_weight": "weight",
        "second_view_share": "second_view_share",
    },
    "shade": {"style_consistency_weight": "weight"},
}
"""What each method of version 1 read, and its names today."""


def upgraded_config(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A training's configuration as today's version writes it, before its method resolves the model.

    Unchanged if it is of today's.
    """
    method = values.get("method")
    if not isinstance(method, Mapping) or "kind" in method:
        return values
    name = method.get("name", "spn")
    upgraded = {key: value for key, value in values.items() if key != "initial"}
    upgraded["method"] = {"kind": name} | {
        new: method[old] for old, new in _METHOD.get(name, {}).items() if old in method
    }
    if name == "isw" and "whitening_start" in method:  # it was a number of steps
        steps = values.get("schedule", {}).get("steps", ScheduleConfig.steps)
        upgraded["method"]["start"] = method["whitening_start"] / steps
    upgraded["loss"] = {key: method[key] for key in _LOSS if key in method}
    upgraded["model"] = upgraded_model(values.get("model", {}))
    if "initial" in values:
        upgraded["init_from"] = values["initial"]
    for table, old, new in (
        ("optimisation", "encoder_rate", "backbone_lr_factor"),
        ("runtime", "recompute", "activation_checkpointing"),
    ):
        fields = dict(values.get(table, {}))
        if old in fields:
            fields[new] = fields.pop(old)
        upgraded[table] = fields
    return upgraded
