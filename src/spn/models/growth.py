"""A larger network from a trained one: the new parts start by changing nothing.

timm's ResNets set the last normalisation weight of every block to zero, so an untrained block behind the
trained ones of its stage adds nothing; a detail branch and strip blocks change nothing either. So the larger
network says what the trained one says.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

from spn.models.config import ModelConfig
from spn.models.decoders.options import DeepLabOptions
from spn.models.encoders.options import TimmOptions

_PART: Final = re.compile(r"^encoder\..*\b(layer\d+[.-]\d+)[.-]|^decoder\.(detail|strips\.\d+)\.")
"""In the name of a weight, or of the statistics that each resolution keeps of a layer."""


def grown(trained: ModelConfig, wanted: ModelConfig) -> ModelConfig:
    """`trained` with what `wanted` has more of: blocks in the encoder's stages, a detail branch, strips."""
    encoder, decoder = trained.encoder, trained.decoder
    if isinstance(encoder, TimmOptions) and isinstance(wanted.encoder, TimmOptions):
        before, after = encoder.layers or (), wanted.encoder.layers or ()
        if len(before) == len(after) and all(new >= old for old, new in zip(before, after, strict=True)):
            encoder = dataclasses.replace(encoder, layers=wanted.encoder.layers)
    if isinstance(decoder, DeepLabOptions) and isinstance(larger := wanted.decoder, DeepLabOptions):
        if not decoder.detail_width:
            decoder = dataclasses.replace(decoder, detail_width=larger.detail_width)
        if not decoder.strips:
            decoder = dataclasses.replace(decoder, strips=larger.strips, strip_length=larger.strip_length)
    return dataclasses.replace(trained, encoder=encoder, decoder=decoder)


def load_grown(network: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Give `network` the weights of a smaller one and return how many new parts it has.

    Raises ValueError if anything but whole parts is missing, if a new part changes anything, and for weights
    that have no place (style removal, which stands at the end of a stage).
    """
    own = network.state_dict()
    if homeless := sorted(weights.keys() - own.keys()):
        raise ValueError(f"{homeless[0]} has no place in the larger network")
    parts: dict[str, list[str]] = {}
    for name in own.keys() - weights.keys():
        found = _PART.match(name)
        if not found:
            raise ValueError(
                f"{name} is missing, and is no part of a residual block, a detail branch or a strip block"
            )
        part = (found[1] or found[2]).replace("-", ".")
        parts.setdefault(part, []).append(name)
    for part, names in parts.items():
        if not any(name.endswith(".weight") and not own[name].any() for name in names):
            raise ValueError(f"{part} is new, and does not start as the identity")
    network.load_state_dict({**own, **weights})
    return len(parts)
