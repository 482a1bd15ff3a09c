"""The configuration that is trained: what the method makes of the one that was asked for.

It is settled before anything is written, so that config.json, the weights' header, `spn presets` and the cost
table describe exactly the network that is trained.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from spn.core.errors import UserError
from spn.core.records import to_plain
from spn.methods.options import METHODS
from spn.models.config import ModelConfig
from spn.training.config import TrainConfig

_ABSENT: Final = object()


def resolved(config: TrainConfig) -> TrainConfig:
    """`config` with the network that its method trains; of its own result, the same. Raises UserError."""
    from spn.methods.base import build_method  # loads torch

    return _with_model(config, build_method(config.method, config.loss).resolve(config.model))


def resolved_by_options(config: TrainConfig) -> TrainConfig:
    """As `resolved`, from the method's options alone, without torch: for help texts and plans."""
    return _with_model(config, config.method.resolve(config.model))


def refuse_unused(config: TrainConfig, settled: TrainConfig, names: Sequence[str]) -> None:
    """Raise UserError for an option of the network that was set and is not what is trained.

    Args:
        config: what was asked for.
        settled: the same, resolved.
        names: the options that were set, dotted.
    """
    asked, trained = to_plain(config), to_plain(settled)
    for name in names:
        if not name.startswith("model.") or _value(asked, name) == _value(trained, name):
            continue
        users = [method for method in METHODS.names() if _keeps(method, asked, config.model, name)]
        other = _value(trained, name)
        instead = "has no such option" if other is _ABSENT else f"trains with {other!r}"
        raise UserError(
            f"{name} is {_value(asked, name)!r}, but method {config.method.kind} {instead}; leave it out, or "
            f"choose a method that uses it: {', '.join(users) or 'there is none'}"
        )


def _with_model(config: TrainConfig, model: ModelConfig) -> TrainConfig:
    if config.loss.auxiliary_weight == 0:  # its parameters would get no gradient
        model = dataclasses.replace(model, auxiliary=False)
    return dataclasses.replace(config, model=model)


def _keeps(method: str, asked: Mapping[str, Any], model: ModelConfig, name: str) -> bool:
    try:
        trained = METHODS.entry(method).options().resolve(model)
    except UserError:
        return False
    return bool(_value({"model": to_plain(trained)}, name) == _value(asked, name))


def _value(plain: Mapping[str, Any], name: str) -> Any:
    value: Any = plain
    for part in name.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return _ABSENT
    return value
