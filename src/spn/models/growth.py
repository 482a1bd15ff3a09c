"""A larger network from a trained one: the new parts start by changing nothing.

timm's ResNets set the last normalisation weight of every block to zero, so an untrained block behind the
trained ones of its stage adds nothing; a detail branch and strip blocks change nothing either. So the larger
network says what the trained one says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor, nn

from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork


def grown(trained: ModelConfig, wanted: ModelConfig) -> ModelConfig:
    """`trained` with what `wanted` has more of, as far as its parts can be given it (Options.grown)."""
    pairs = {"encoder": (trained.encoder, wanted.encoder), "decoder": (trained.decoder, wanted.decoder)}
    larger = {
        name: before.grown(after) for name, (before, after) in pairs.items() if type(before) is type(after)
    }
    return dataclasses.replace(trained, **larger)


def load_grown(network: SegmentationNetwork, weights: Mapping[str, Tensor]) -> int:
    """Give `network` the weights of a smaller one and return how many new parts it has.

    A part is a module, with modules inside, of which the smaller network has nothing: a block, a branch.

    Raises:
        ValueError: if anything but whole parts is missing, if a new part changes anything, and for weights
            that have no place (style removal, which stands at the end of a stage).
    """
    own = network.state_dict()
    if homeless := sorted(weights.keys() - own.keys()):
        raise ValueError(f"{homeless[0]} has no place in the larger network")
    statistics = {f"encoder.{name}": f"encoder.{of}" for name, of in network.encoder.stands_for().items()}
    known = {name for weight in weights for name in _around(statistics.get(weight, weight))}
    parts: dict[str, list[str]] = {}
    for name in sorted(own.keys() - weights.keys()):
        new = [outer for outer in _around(statistics.get(name, name)) if outer not in known]
        new = [outer for outer in new if _is_part(network.get_submodule(outer))]
        if not new:
            raise ValueError(f"{name} is missing, and is no part of a new block or branch")
        parts.setdefault(new[0], []).append(name)
    for part, names in parts.items():
        if not any(name.endswith(".weight") and not own[name].any() for name in names):
            raise ValueError(f"{part} is new, and does not start as the identity")
    network.load_state_dict({**own, **weights})
    return len(parts)


def _around(name: str) -> list[str]:
    """The names of the modules around a weight, outer before inner."""
    parts = name.split(".")[:-1]
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _is_part(module: nn.Module) -> bool:
    return type(module) not in (nn.Sequential, nn.ModuleList) and any(True for _ in module.children())
