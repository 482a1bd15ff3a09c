"""Test-time augmentation: at which sizes a network sees an image, mirrored or not, whole or through windows.

What it says of all of these together: spn.inference.predictor.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from spn.core.errors import UserError


class Window(NamedTuple):
    """Rows and columns of an image, in pixels."""

    rows: slice
    columns: slice


@dataclass(frozen=True)
class TestTimeAugmentation:
    """How one image is seen; by default whole, at its own size, in one deterministic pass.

    Weights that were released with one bring it along: they use it for every option that is left at its
    default. Asking for another input height leaves all of it out, asking for scales all but the height.
    """

    __test__: ClassVar[bool] = False  # no test, whatever pytest makes of the name

    input_height: int | None = None
    """Height in pixels that the image is resized to first (the width follows); none: its own size."""
    scales: tuple[float, ...] | None = None
    """Sizes relative to that, each seen once; the probabilities are averaged. None: 1 alone."""
    flip: bool = False
    """Whether every scale is also seen mirrored."""
    alternate_flip: bool = False
    """Whether every second scale is seen mirrored only: part of what flip gains, for nothing."""
    window: tuple[int, int] | None = None
    """Height and width of sliding windows, in pixels of the resized image; none: the whole image at once."""
    overlap: float = 0.5
    """Fraction of a window that the next one covers again."""
    num_samples: int = 0
    """Random draws of the stochastic prompt for every scale; 0: the mean prompt, deterministic."""
    own_statistics: float = 0.0
    """Share of the image's own mean and variance in the normalisation of shallow features, the rest being the
    training's; encoders with BatchNorm only."""

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
        if self.num_samples < 0:
            raise UserError(f"{self.num_samples} random draws: wanted 0 (the mean prompt) or more")

    @property
    def sizes(self) -> tuple[float, ...]:
        """The scales, 1 alone where none are given."""
        return (1.0,) if self.scales is None else self.scales

    def orientations(self, index: int) -> tuple[bool, ...]:
        """Whether the scale of that index is seen mirrored, once for each time that it is seen."""
        if self.flip:
            return False, True
        return (self.alternate_flip and index % 2 == 1,)

    def working_size(self, height: int, width: int, *, scale: float = 1.0) -> tuple[int, int]:
        """The size (height, width) in pixels at which the network sees an image of the given size."""
        factor = scale if self.input_height is None else scale * self.input_height / height
        return max(1, round(height * factor)), max(1, round(width * factor))

    def windows(self, height: int, width: int) -> list[Window]:
        """Where windows stand on an image: they cover it, have one size, and the last touches the border."""
        size = self.window or (height, width)
        tall, wide = min(size[0], height), min(size[1], width)
        rows, columns = (
            _starts(length, window, self.overlap) for length, window in ((height, tall), (width, wide))
        )
        return [Window(slice(top, top + tall), slice(left, left + wide)) for top in rows for left in columns]

    def completed(self, released: TestTimeAugmentation | None) -> TestTimeAugmentation:
        """This one, with what weights released with another bring along (see the class)."""
        if released is None or self.input_height not in (None, released.input_height):
            return self
        if self.scales is not None:
            return dataclasses.replace(self, input_height=released.input_height)
        open_fields = {
            field.name: getattr(released, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) == field.default
        }
        if self.flip or self.alternate_flip:
            open_fields = {name: value for name, value in open_fields.items() if "flip" not in name}
        return dataclasses.replace(self, **open_fields)

    @classmethod
    def taken_from(cls, info: MutableMapping[str, Any]) -> TestTimeAugmentation | None:
        """What weights had in their `info` before it had a place of its own, removed there; None without."""
        names = ("input_height", "scales", "flip", "own_statistics")
        height, scales, flip, own = (info.pop(name, None) for name in names)
        if height is None:
            return None
        return cls(
            input_height=int(height),
            scales=tuple(float(scale) for scale in str(scales or "").split()) or None,
            flip=flip == "true",
            alternate_flip=flip == "alternate",
            own_statistics=float(own or 0),
        )


def _starts(length: int, window: int, overlap: float) -> list[int]:
    """Evenly spread starts along one side, in whole pixels."""
    stride = max(1, int(window * (1 - overlap)))
    count = math.ceil((length - window) / stride) + 1
    return [round(i * (length - window) / max(1, count - 1)) for i in range(count)]
