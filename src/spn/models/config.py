"""What a network is made of, as frozen values; the defaults are the paper's scale (ResNet-50, stride 16).

Each part has its own options, told apart by `kind`: models/{encoders,prompts,decoders}/options.py. In
version 1 they all lay side by side, which is still read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from spn.core.classes import NUM_CLASSES
from spn.core.errors import UserError
from spn.core.ranges import Count
from spn.core.records import from_plain
from spn.core.registry import Registry
from spn.models.decoders.options import DecoderOptions, DeepLabOptions
from spn.models.encoders.options import ENCODERS, EncoderOptions, TimmOptions
from spn.models.prompts.options import PROMPTS, HybridOptions, NoPrompt, PromptOptions

_SKIPS: Final = {
    "stride": ("skip_strides", (4,)),
    "width": ("skip_widths", (48,)),
    "out": ("refine_widths", (256,)),
    "convolutions": ("refine_convolutions", (2,)),
}
"""What was one list for each property of the skips, and its default."""


@dataclass(frozen=True)
class ModelConfig:
    """The whole network. `baseline()` gives the same one at one resolution without prompts."""

    encoder: EncoderOptions = field(default_factory=TimmOptions)
    scales: tuple[float, ...] = (1.0, 0.5)
    """Input scales the shared encoder sees; the first is 1."""
    prompt: PromptOptions = field(default_factory=HybridOptions)
    decoder: DecoderOptions = field(default_factory=DeepLabOptions)
    auxiliary: bool = True
    """Whether training has an auxiliary FCN head on the level before the deepest."""
    auxiliary_width: Count = 256
    """Channels of the auxiliary head."""
    num_classes: Count = NUM_CLASSES
    """Classes of the logits."""

    def __post_init__(self) -> None:
        if not self.scales or self.scales[0] != 1 or not all(0 < scale < 1 for scale in self.scales[1:]):
            raise UserError(f"scales is {self.scales}; wanted 1.0 first, then values between 0 and 1")

    def baseline(self) -> ModelConfig:
        """The same encoder, decoder and auxiliary head, one resolution, no style removal, no prompts."""
        return dataclasses.replace(self, encoder=self.encoder.plain(), scales=(1.0,), prompt=NoPrompt())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """The inverse of `spn.core.records.to_plain`; also reads what version 1 wrote.

        Raises UserError on unknown fields, wrong types and values out of range.
        """
        return from_plain(cls, upgraded_model(values), where="model")


def upgraded_model(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`values` as today's version writes them; unchanged if they are of today's."""
    encoder = values.get("encoder")
    if not isinstance(encoder, Mapping) or "kind" in encoder:
        return values
    upgraded = {name: value for name, value in values.items() if name != "block_prompt"}
    kind = "frozen_vit" if encoder.get("family") == "frozen_vit" else "timm"
    prompt = dict(values.get("block_prompt", {}))
    upgraded["encoder"] = _known(
        ENCODERS, {"style_removal": False, **encoder, "kind": kind, "prompt": prompt}
    )
    if "decoder" in values:
        kept = dict(values["decoder"])
        columns = [kept.pop(name, default) for name, default in _SKIPS.values()]
        skips = [dict(zip(_SKIPS, skip, strict=True)) for skip in zip(*columns, strict=True)]
        upgraded["decoder"] = {"kind": "deeplab", **kept, "skips": skips}
    if "prompt" in values:
        upgraded["prompt"] = _known(PROMPTS, {"kind": "hybrid", **values["prompt"]})
    return upgraded


def _known(registry: Registry, part: Mapping[str, Any]) -> dict[str, Any]:
    """What of these values the options of their kind have."""
    known = {field.name for field in fields(registry.entry(part["kind"]).options)}
    return {name: value for name, value in part.items() if name in known}
