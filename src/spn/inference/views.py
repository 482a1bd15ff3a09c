"""How an image is shown to a network: at which sizes, mirrored or not, whole or through windows.

A view is one scale, flipped or not. What the network says of all views together: spn.inference.probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass

from spn.core.errors import UserError


@dataclass(frozen=True)
class Views:
    """The views of one image; the default is the whole image at its own size, in one deterministic pass."""

    input_height: int | None = None
    """Height in pixels that the image is resized to first (the width follows). None: its own size, but for
    released weights that name the height they were made for."""
    scales: tuple[float, ...] | None = None
    """Sizes relative to that, one view each; their probabilities are averaged. None: 1 alone, but for
    released weights that name theirs (at the height they name)."""
    flip: bool = False
    """Whether every view is also seen mirrored. Released weights that name it do so where no scales are
    given."""
    alternate_flip: bool = False
    """Whether every second scale is seen mirrored only: part of what flip gains, for nothing. Goes with
    released weights as flip does."""
    window: tuple[int, int] | None = None
    """Height and width of sliding windows, in pixels of the view; none: the whole image at once."""
    overlap: float = 0.5
    """Fraction of a window that the next one covers again."""
    draws: int = 0
    """Stochastic prompts drawn per view; 0: the mean prompt, deterministic."""
    own_statistics: float = 0.0
    """Share of the view's own mean and variance in the normalisation of shallow features, the rest being the
    training's; ResNets only. Released weights that name it have it where no scales are given."""

    def __post_init__(self) -> None:
        if self.input_height is not None and self.input_height < 1:
            raise UserError(f"input height {self.input_height}: wanted a positive number of pixels")
        if not self.sizes or min(self.sizes) <= 0:
            raise UserError(f"scales {self.scales}: wanted one or more positive numbers")
        if self.flip and self.alternate_flip:
            raise UserError("flip and alternate flip: wanted one of them or neither")
        if self.window is not None and min(self.window) < 1:
            raise UserError(f"window {self.window}: wanted a positive height and width in pixels")
        if not 0 <= self.overlap < 1:
            raise UserError(f"window overlap {self.overlap}: wanted a fraction from 0 to below 1")
        if not 0 <= self.own_statistics <= 1:
            raise UserError(f"own statistics {self.own_statistics}: wanted a share from 0 to 1")
        if self.draws < 0:
            raise UserError(f"{self.draws} draws: wanted 0 (the mean prompt) or more")

    @property
    def sizes(self) -> tuple[float, ...]:
        """The scales, 1 alone where none are given."""
        return (1.0,) if self.scales is None else self.scales

    def orientations(self, index: int) -> tuple[bool, ...]:
        """Whether the view is mirrored, for each view of the scale of that index."""
        if self.flip:
            return False, True
        return (self.alternate_flip and index % 2 == 1,)

    @property
    def single_pass(self) -> bool:
        """Whether the network runs once per image (or window), without draws."""
        return len(self.sizes) == 1 and not self.flip and self.draws == 0

    def working_size(self, height: int, width: int, *, scale: float = 1.0) -> tuple[int, int]:
        """The size (height, width) in pixels at which the network sees an image of the given size."""
        factor = scale if self.input_height is None else scale * self.input_height / height
        return max(1, round(height * factor)), max(1, round(width * factor))
