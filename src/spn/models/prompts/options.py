"""What can be set of prompts. No torch here."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.ranges import BelowOne, Count, NotNegativeInt
from spn.core.registry import Options, Registry

PROMPTS: Final = Registry("prompt", room="spn.models.prompts")

NoiseKind = Literal["image", "pixel", "curvature"]
BlockPromptKind = Literal["hybrid", "semantic", "stochastic", "none"]


class PromptOptions(Options):
    """Base of the options of the prompts that MSFFP adds to the levels the decoder reads."""

    registry = PROMPTS


@dataclass(frozen=True)
class NoPrompt(PromptOptions):
    """No prompts."""

    kind: Literal["none"] = "none"


@dataclass(frozen=True)
class SemanticOptions(PromptOptions):
    """Deterministic prompts: learned tokens that the fused feature attends to."""

    kind: Literal["semantic"] = "semantic"
    width: Count = 128
    """Channels D of the fused feature M and of every prompt."""
    tokens: Count = 32
    """Learned tokens K that the semantic prompt attends to."""
    strides: tuple[int, ...] | None = None
    """Strides of the levels that prompts are added to; none given: every level the decoder reads."""


@dataclass(frozen=True)
class StochasticOptions(PromptOptions):
    """Random prompts: a Gaussian around what the fused feature says."""

    kind: Literal["stochastic"] = "stochastic"
    width: Count = 128
    """Channels D of the fused feature M and of every prompt."""
    noise: NoiseKind = "image"
    """Whether one noise vector serves a whole image (a style) or each position has its own; with curvature,
    that is the smaller, the more the fused features bend around the position's own."""
    style_spread: bool = True
    """Whether the spread of the style over the batch widens the stochastic prompt's variance."""
    strides: tuple[int, ...] | None = None
    """Strides of the levels that prompts are added to; none given: every level the decoder reads."""


@dataclass(frozen=True)
class HybridOptions(SemanticOptions, StochasticOptions):
    """Semantic and stochastic prompts, mixed by random gates."""

    kind: Literal["hybrid"] = "hybrid"  # type: ignore[assignment]
    groups: Count = 8
    """Channel groups that share one random gate; divides `width`."""
    frequency_split: bool = False
    """Whether the semantic prompt answers to low frequencies of the fused feature and the stochastic one to
    high ones, freed of their style, with noise that grows with the frequency."""

    def __post_init__(self) -> None:
        check_groups(self.width, self.groups, where="prompt")


@dataclass(frozen=True)
class BlockPromptOptions:
    """Prompts between the blocks of a frozen vision transformer, besides those of MSFFP."""

    kind: BlockPromptKind = "none"
    """Which prompts are made after each block: both mixed, one alone, or none at all."""
    width: Count = 128
    """Channels D that tokens are projected to, by one map for all blocks."""
    tokens: Count = 32
    """Learned tokens K of each block, which the semantic prompt attends to."""
    groups: Count = 8
    """Channel groups that share one random gate in the hybrid prompt; divides `width`."""
    first_block: NotNegativeInt = 0
    """The first block (from 0) with a prompt after it. A random sample repeats the blocks that follow; those
    up to it run once and without gradients."""

    def __post_init__(self) -> None:
        if self.kind == "hybrid":
            check_groups(self.width, self.groups, where="encoder.prompt")


@dataclass(frozen=True)
class TokenOptions:
    """Prompts after the blocks of a convolutional encoder, besides those of MSFFP."""

    kind: BlockPromptKind = "none"
    """Whether tokens are learned (semantic), drawn around 0 (stochastic) or around learned ones (hybrid)."""
    width: Count = 32
    """Channels D that features are projected to."""
    tokens: Annotated[int, Meta(ge=2)] = 16
    """Tokens K of each block; who attends to the first wants nothing."""
    rank: Count = 16
    """Rank of each block's tokens."""
    drop: BelowOne = 0.1
    """Chance that a random sample has no prompt after a block, for each image and block."""
    after: Literal["block", "stage"] = "block"
    """Whether every block is followed by a prompt or only the last of each stage."""
    first_block: NotNegativeInt = 0
    """The first of these (from 0) that is followed by one."""


def check_groups(width: int, groups: int, *, where: str) -> None:
    """Raise UserError unless the groups divide the channels."""
    if groups < 1 or width % groups:
        raise UserError(f"{where}.groups is {groups}; wanted a divisor of {where}.width, {width}")


PROMPTS.declare(NoPrompt, at="spn.models.prompts.msffp:build", title="no prompt")
PROMPTS.declare(SemanticOptions, at="spn.models.prompts.msffp:build", title="semantic prompt")
PROMPTS.declare(StochasticOptions, at="spn.models.prompts.msffp:build", title="stochastic prompt")
PROMPTS.declare(HybridOptions, at="spn.models.prompts.msffp:build", title="hybrid prompt")
