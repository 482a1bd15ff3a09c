"""What a network is made of, as frozen values; the defaults are the paper's scale (ResNet-50, stride 16)."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spn.core.classes import NUM_CLASSES
from spn.core.errors import UserError

PromptKind = Literal["hybrid", "semantic", "stochastic", "none"]
NoiseKind = Literal["image", "pixel"]
Config = TypeVar("Config")


@dataclass(frozen=True)
class EncoderConfig:
    """A timm encoder. The optional fields are passed to its constructor only if they are given."""

    name: str = "resnet50"
    """Name of a timm model that offers `features_only`."""
    output_stride: int = 16
    """Stride of the deepest level: 8, 16 or 32."""
    channels: tuple[int, ...] | None = None
    """Width of each of the four stages (timm ResNets); for narrow encoders."""
    layers: tuple[int, ...] | None = None
    """Blocks in each of the four stages (timm ResNets)."""
    stem_width: int | None = None
    """Width of the first convolution (timm ResNets; a "deep" stem ends at twice this)."""
    stem_type: str | None = None
    """timm ResNets: "" one 7x7 convolution, "deep" three 3x3."""
    drop_path_rate: float | None = None
    """Stochastic depth."""


@dataclass(frozen=True)
class PromptConfig:
    """The prompts of MSFFP. Every part can be switched off."""

    kind: PromptKind = "hybrid"
    """Which prompts are made: both mixed, one alone, or none at all."""
    width: int = 128
    """Channels D of the fused feature M and of every prompt."""
    tokens: int = 32
    """Learned tokens K that the semantic prompt attends to."""
    groups: int = 8
    """Channel groups that share one random gate in the hybrid prompt; divides `width`."""
    noise: NoiseKind = "image"
    """Whether one noise vector serves a whole image (a style) or each position has its own."""
    style_spread: bool = True
    """Whether the spread of the style over the batch widens the stochastic prompt's variance."""
    strides: tuple[int, ...] | None = None
    """Strides of the levels that prompts are added to; none given: every level the decoder reads."""


@dataclass(frozen=True)
class DecoderConfig:
    """DeepLabV3+. The three skip fields run in parallel, from the deepest skip to the shallowest."""

    width: int = 256
    """Channels of each ASPP branch and of its output."""
    dilations: tuple[int, ...] = (6, 12, 18)
    """Dilations of the ASPP's 3x3 branches."""
    separable: bool = True
    """Depthwise-separable 3x3 convolutions, as in the DeepLabV3+ paper; otherwise full ones."""
    skip_strides: tuple[int, ...] = (4,)
    """Strides of the encoder levels joined on the way up; logits are made at the last one's stride."""
    skip_widths: tuple[int, ...] = (48,)
    """Channels that each skip level is reduced to before joining."""
    refine_widths: tuple[int, ...] = (256,)
    """Channels after each join."""
    refine_convolutions: tuple[int, ...] = (2,)
    """3x3 convolutions after each join."""


@dataclass(frozen=True)
class ModelConfig:
    """The whole network. `baseline()` gives the same one at one resolution without prompts."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    scales: tuple[float, ...] = (1.0, 0.5)
    """Input scales the shared encoder sees; the first is 1."""
    prompt: PromptConfig = field(default_factory=PromptConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    auxiliary: bool = True
    """Whether training has an auxiliary FCN head on the level before the deepest."""
    auxiliary_width: int = 256
    num_classes: int = NUM_CLASSES

    def baseline(self) -> ModelConfig:
        """The same encoder, decoder and auxiliary head, one resolution, no prompts."""
        return dataclasses.replace(self, scales=(1.0,), prompt=dataclasses.replace(self.prompt, kind="none"))

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`; lists become tuples. Raises UserError on unknown fields, wrong types."""
        return _from_mapping(cls, values, where="model")


def _from_mapping(kind: type[Config], values: Mapping[str, Any], *, where: str) -> Config:
    if not isinstance(values, Mapping):
        raise UserError(f"[{where}] is {values!r}; wanted a table of fields")
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise UserError(f"[{where}] has unknown fields {unknown}; the known ones are {sorted(hints)}")
    return kind(
        **{name: _typed(hints[name], value, where=f"{where}.{name}") for name, value in values.items()}
    )


def _typed(hint: Any, value: Any, *, where: str) -> Any:
    """`value` as the annotated type of its field: nested tables and lists of numbers are converted."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _from_mapping(hint, value, where=where)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        return _typed(next(a for a in get_args(hint) if a is not type(None)), value, where=where)
    if origin is Literal:
        if value not in get_args(hint):
            raise UserError(f"{where} is {value!r}; wanted one of {get_args(hint)}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{where} is {value!r}; wanted a list")
        return tuple(_typed(get_args(hint)[0], item, where=where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UserError(f"{where} is {value!r}; wanted {hint.__name__}")
    return value
