"""A deeper network from a trained one: the new residual blocks start as the identity.

timm's ResNets set the last normalisation weight of every block to zero, so an untrained block behind the
trained ones of its stage adds nothing, and the deeper network says exactly what the trained one says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

from spn.models.config import EncoderConfig

_BLOCK: Final = re.compile(r"^encoder\..*\blayer(\d+)[.-](\d+)[.-]")
"""In the name of a weight, or of the statistics that each resolution keeps of a layer."""


def can_grow(trained: EncoderConfig, wanted: EncoderConfig) -> bool:
    """Whether `wanted` has as many blocks as `trained` in every stage, and more in one."""
    before, after = trained.layers, wanted.layers
    if before is None or after is None or len(before) != len(after) or before == after:
        return False
    return all(new >= old for old, new in zip(before, after, strict=True))


def load_grown(network: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Give `network` the weights of a shallower one and return how many new blocks it has.

    Raises ValueError if anything but whole blocks is missing, if a new block is not the identity, and for
    weights that have no place (style removal, which stands at the end of a stage).
    """
    own = network.state_dict()
    if homeless := sorted(weights.keys() - own.keys()):
        raise ValueError(f"{homeless[0]} has no place in the deeper network")
    blocks: dict[tuple[str, str], list[str]] = {}
    for name in own.keys() - weights.keys():
        found = _BLOCK.match(name)
        if not found:
            raise ValueError(f"{name} is missing, and is no part of a residual block")
        blocks.setdefault((found[1], found[2]), []).append(name)
    for (stage, block), names in blocks.items():
        if not any(name.endswith(".weight") and not own[name].any() for name in names):
            raise ValueError(f"block {block} of stage {stage} does not start as the identity")
    network.load_state_dict({**own, **weights})
    return len(blocks)
