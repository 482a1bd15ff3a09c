"""What a network is made of, as frozen values; the defaults are the paper's scale (ResNet-50, stride 16)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spn.core.classes import NUM_CLASSES
from spn.core.records import from_plain, to_plain

PromptKind = Literal["hybrid", "semantic", "stochastic", "none"]
NoiseKind = Literal["image", "pixel"]
EncoderFamily = Literal["convolutional", "frozen_vit"]


@dataclass(frozen=True)
class EncoderConfig:
    """A timm encoder. The optional fields are passed to its constructor only if they are given."""

    name: str = "resnet50"
    """Name of a timm model: one that offers `features_only`, or a plain vision transformer (ViT, EVA)."""
    family: EncoderFamily = "convolutional"
    """convolutional: trained as a whole. frozen_vit: a vision transformer that is never trained; the tokens
    after four of its blocks become the levels, and `block_prompt` adapts it."""
    level_width: int = 256
    """Channels of every level (frozen_vit); a convolutional encoder has its own."""
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
    ibn: bool = False
    """IBN-a in the first three stages (timm ResNets): half of the channels normalised by instance."""
    whitening: bool = False
    """Instance normalisation after the stem and the first two stages (timm ResNets), as ISW trains with."""
    style_removal: bool = False
    """SPN: instance normalisation, by a learned share from 0 on, after the stem and the first two stages
    (timm ResNets)."""
    style_memory: int = 0
    """How many styles of the first stage a training with SHADE remembers; of no effect at inference."""


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
class BlockPromptConfig:
    """Prompts between the blocks of a frozen vision transformer, besides those of MSFFP."""

    kind: PromptKind = "none"
    """Which prompts are made after each block: both mixed, one alone, or none at all."""
    width: int = 128
    """Channels D that tokens are projected to, by one map for all blocks."""
    tokens: int = 32
    """Learned tokens K of each block, which the semantic prompt attends to."""
    groups: int = 8
    """Channel groups that share one random gate in the hybrid prompt; divides `width`."""
    first_block: int = 0
    """The first block (from 0) with a prompt after it. A random draw repeats the blocks that follow; those up
    to it run once and without gradients."""


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
    detail_width: int = 0
    """Channels of a branch that corrects the logits at stride 2, from the encoder's stem; 0: none. At first
    it corrects nothing, so that a trained network can be given one (`--initial`)."""
    strips: int = 0
    """Strip blocks after the last join, for thin and tall things. At first they change nothing, as above."""
    strip_length: int = 31
    """Rows that a strip block sees, on the grid of the last skip level; odd."""


@dataclass(frozen=True)
class ModelConfig:
    """The whole network. `baseline()` gives the same one at one resolution without prompts."""

    encoder: EncoderConfig = field(default_factory=lambda: EncoderConfig(style_removal=True))
    scales: tuple[float, ...] = (1.0, 0.5)
    """Input scales the shared encoder sees; the first is 1."""
    block_prompt: BlockPromptConfig = field(default_factory=BlockPromptConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    auxiliary: bool = True
    """Whether training has an auxiliary FCN head on the level before the deepest."""
    auxiliary_width: int = 256
    num_classes: int = NUM_CLASSES

    def baseline(self) -> ModelConfig:
        """The same encoder, decoder and auxiliary head, one resolution, no style removal, no prompts."""
        return dataclasses.replace(
            self,
            encoder=dataclasses.replace(self.encoder, style_removal=False),
            scales=(1.0,),
            block_prompt=dataclasses.replace(self.block_prompt, kind="none"),
            prompt=dataclasses.replace(self.prompt, kind="none"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, ready for JSON."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`. Raises spn.core.records.RecordError on unknown fields and wrong types."""
        return from_plain(cls, values, where="model")
