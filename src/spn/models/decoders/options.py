"""What can be set of a decoder. No torch here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.ranges import BelowOne, Count, NotNegativeInt
from spn.core.registry import Options, Registry

DECODERS: Final = Registry("decoder", room="spn.models.decoders")

STEM_STRIDE: Final = 2


class DecoderOptions(Options):
    """Base of every decoder's options. reads_stem: whether it reads the stem, besides the four levels."""

    registry = DECODERS

    @property
    def reads_stem(self) -> bool:
        return False


@dataclass(frozen=True)
class Skip:
    """One encoder level that the decoder joins on its way up."""

    stride: Annotated[int, Meta(ge=2)]
    """Stride of the level."""
    width: Count
    """Channels that the level is reduced to before joining."""
    out: Count
    """Channels after the join."""
    convolutions: Count = 1
    """3x3 convolutions after the join."""


@dataclass(frozen=True)
class DeepLabOptions(DecoderOptions):
    """DeepLabV3+ (Chen et al., ECCV 2018), with any number of skip levels."""

    kind: Literal["deeplab"] = "deeplab"
    width: Count = 256
    """Channels of each ASPP branch and of its output."""
    dilations: tuple[Count, ...] = (6, 12, 18)
    """Dilations of the ASPP's 3x3 branches."""
    separable: bool = True
    """Depthwise-separable 3x3 convolutions, as in the DeepLabV3+ paper; otherwise full ones."""
    skips: tuple[Skip, ...] = (Skip(stride=4, width=48, out=256, convolutions=2),)
    """Levels joined, from the deepest to the shallowest; logits are made at the last one's stride."""
    detail_width: NotNegativeInt = 0
    """Channels of a branch that corrects the logits at stride 2, from the encoder's stem; 0: none. At first
    it corrects nothing, so that a trained network can be given one (`--init-from`)."""
    strips: NotNegativeInt = 0
    """Strip blocks after the last join, for thin and tall things. At first they change nothing, as above."""
    strip_length: Count = 31
    """Rows that a strip block sees, on the grid of the last skip level; odd."""

    def __post_init__(self) -> None:
        if not self.skips:
            raise UserError("decoder.skips is empty; wanted at least one level to join")
        if self.strip_length % 2 == 0:
            raise UserError(f"decoder.strip_length is {self.strip_length}; wanted an odd number of rows")
        if self.detail_width and any(skip.stride == STEM_STRIDE for skip in self.skips):
            raise UserError(
                f"decoder.skips has a level at stride {STEM_STRIDE}, so the logits are there without "
                f"decoder.detail_width, {self.detail_width}; choose one of the two"
            )

    def grown(self, larger: DeepLabOptions) -> DeepLabOptions:
        """With the detail branch and the strips of `larger` where there were none."""
        detail_width = self.detail_width or larger.detail_width
        strips = self if self.strips else larger
        return dataclasses.replace(
            self, detail_width=detail_width, strips=strips.strips, strip_length=strips.strip_length
        )

    @property
    def reads_stem(self) -> bool:
        return self.detail_width > 0 or any(skip.stride == STEM_STRIDE for skip in self.skips)


@dataclass(frozen=True)
class SegFormerOptions(DecoderOptions):
    """The all-MLP head of SegFormer (Xie et al., NeurIPS 2021), on all levels from stride 4 on."""

    kind: Literal["segformer"] = "segformer"
    width: Count = 256
    """Channels that every level is projected to (the paper: 256 for its small encoders, 768 for others)."""
    dropout: BelowOne = 0.1
    """Share of the channels that training leaves out before the classifier."""


DECODERS.declare(DeepLabOptions, at="spn.models.decoders.deeplab:DeepLabDecoder", title="DeepLabV3+")
DECODERS.declare(
    SegFormerOptions, at="spn.models.decoders.segformer:SegFormerDecoder", title="SegFormer head"
)
