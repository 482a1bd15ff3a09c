"""Reads the network configuration of version 1, in which every part's options lay side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SKIPS: Final = ("skip_strides", "skip_widths", "refine_widths", "refine_convolutions")
_PROMPTS: Final = {
    "none": (),
    "semantic": ("width", "tokens", "strides"),
    "stochastic": ("width", "noise", "style_spread", "strides"),
    "hybrid": ("width", "tokens", "groups", "noise", "style_spread", "strides"),
}
_FROZEN: Final = ("name", "output_stride", "level_width")


def upgraded_model(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`values` as today's version writes them; unchanged if they are of today's."""
    encoder = values.get("encoder")
    if not isinstance(encoder, Mapping) or "kind" in encoder:
        return values
    upgraded = {name: value for name, value in values.items() if name != "block_prompt"}
    upgraded["encoder"] = _encoder(encoder, values.get("block_prompt", {}))
    if "decoder" in values:
        upgraded["decoder"] = _decoder(values["decoder"])
    if "prompt" in values:
        kind = values["prompt"].get("kind", "hybrid")
        kept = {name: value for name, value in values["prompt"].items() if name in _PROMPTS[kind]}
        upgraded["prompt"] = {"kind": kind, **kept}
    return upgraded


def _encoder(encoder: Mapping[str, Any], block_prompt: Mapping[str, Any]) -> dict[str, Any]:
    if encoder.get("family") == "frozen_vit":
        kept = {name: value for name, value in encoder.items() if name in _FROZEN}
        return {"kind": "frozen_vit", **kept, "prompt": dict(block_prompt)}
    kept = {name: value for name, value in encoder.items() if name not in ("family", "level_width")}
    return {"kind": "timm", "style_removal": False, **kept}


def _decoder(decoder: Mapping[str, Any]) -> dict[str, Any]:
    """The four parallel lists become one list of skips."""
    kept = {name: value for name, value in decoder.items() if name not in _SKIPS}
    defaults = ((4,), (48,), (256,), (2,))
    columns = [decoder.get(name, default) for name, default in zip(_SKIPS, defaults, strict=True)]
    skips = [
        {"stride": stride, "width": width, "out": out, "convolutions": convolutions}
        for stride, width, out, convolutions in zip(*columns, strict=True)
    ]
    return {"kind": "deeplab", **kept, "skips": skips}
