"""What can be set of an encoder. No torch here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from msgspec import Meta

from spn.core.ranges import BelowOne, Count, NotNegativeInt, Positive
from spn.core.registry import Options, Registry
from spn.models.prompts.options import BlockPromptOptions, TokenOptions

ENCODERS: Final = Registry("encoder", room="spn.models.encoders")
STAGES: Final = 4
"""How many stages a convolutional encoder has, besides its stem, and so how many levels it puts out."""


class EncoderOptions(Options):
    """Base of every encoder's options. name, output_stride: all have them."""

    registry = ENCODERS
    name: str
    output_stride: int

    def plain(self) -> EncoderOptions:
        """The same encoder without what SPN adds to it: style removal and prompts, if it has such fields."""
        off: dict[str, object] = {
            name: dataclasses.replace(getattr(self, name), kind="none")
            for name in ("tokens", "prompt")
            if hasattr(self, name)
        }
        off |= {"style_removal": False} if hasattr(self, "style_removal") else {}
        return dataclasses.replace(self, **off)  # type: ignore[type-var]


@dataclass(frozen=True)
class TimmOptions(EncoderOptions):
    """A convolutional timm model, trained as a whole; it is given those of the fields that are not None."""

    kind: Literal["timm"] = "timm"
    name: str = "resnet50"
    """Name of a timm model that offers `features_only`."""
    output_stride: Literal[8, 16, 32] = 16
    """Stride of the deepest level."""
    channels: tuple[Count, ...] | None = None
    """Width of each of the four stages (timm ResNets); for narrow encoders."""
    layers: tuple[Count, ...] | None = None
    """Blocks in each of the four stages (timm ResNets)."""
    stem_width: Count | None = None
    """Width of the first convolution (timm ResNets; a "deep" stem ends at twice this)."""
    stem_type: str | None = None
    """timm ResNets: "" one 7x7 convolution, "deep" three 3x3."""
    drop_path_rate: BelowOne | None = None
    """Stochastic depth."""
    style_removal: bool = True
    """Instance normalisation, by a learned share from 0 on, after the stem and the first two stages."""
    ibn: bool = False
    """IBN-a in the first three stages: half of the channels normalised by instance."""
    whitening: bool = False
    """Instance normalisation after the stem and the first two stages, as ISW trains with."""
    style_memory: NotNegativeInt = 0
    """How many styles of the first stage a training with SHADE remembers; of no effect at inference."""
    tokens: TokenOptions = field(default_factory=TokenOptions)
    frozen_stages: Annotated[int, Meta(ge=0, le=STAGES)] = 0
    """How many stages keep the weights they start with, and the stem with them; 0: none, nor the stem. Steps
    are faster without style removal only, whose shares are learned inside of them."""
    frozen_norms: bool = False
    """Whether every BatchNorm keeps the statistics it starts with."""
    mean: tuple[float, float, float] | None = None
    """Mean of RGB in 0..1 that its input is normalised with, if not the one timm states for its name."""
    std: tuple[Positive, Positive, Positive] | None = None
    """Standard deviation, likewise."""

    def grown(self, larger: TimmOptions) -> TimmOptions:
        """With as many blocks as `larger` where it has no fewer, its style removal and tokens, if any, and as
        it is trained: frozen where that is, with its stochastic depth.
        """
        before, after = self.layers or (), larger.layers or ()
        more = len(before) == len(after) and all(new >= old for old, new in zip(before, after, strict=True))
        return dataclasses.replace(
            self,
            layers=larger.layers if more else self.layers,
            style_removal=self.style_removal or larger.style_removal,
            tokens=larger.tokens if self.tokens.kind == "none" else self.tokens,
            frozen_stages=larger.frozen_stages,
            frozen_norms=larger.frozen_norms,
            drop_path_rate=larger.drop_path_rate,
        )


@dataclass(frozen=True)
class FrozenViTOptions(EncoderOptions):
    """A vision transformer that is never trained; prompts between its blocks adapt it."""

    kind: Literal["frozen_vit"] = "frozen_vit"
    name: str = "vit_large_patch14_dinov2.lvd142m"
    """Name of a plain vision transformer of timm (ViT, EVA)."""
    output_stride: Literal[8, 16, 32] = 16
    """Stride of the deepest level."""
    level_width: Count = 256
    """Channels of every level."""
    prompt: BlockPromptOptions = field(default_factory=BlockPromptOptions)


ENCODERS.declare(TimmOptions, at="spn.models.encoders.timm_encoder:TimmEncoder", title="timm CNN")
ENCODERS.declare(FrozenViTOptions, at="spn.models.encoders.frozen_vit:FrozenViT", title="frozen ViT")
