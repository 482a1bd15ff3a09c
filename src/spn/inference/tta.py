"""How a network runs: where, in which arithmetic, and in which test-time augmentation: at which sizes it sees
an image, mirrored or not, whole or through windows.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import tyro

from spn.core.errors import UserError
from spn.core.records import to_plain

DeviceName = Literal["auto", "cpu", "cuda"]
Backend = Literal["torch", "onnx"]
Precision = Literal["32", "bf16", "16"]
"""The network's arithmetic; behind its logits everything is float32."""
Arithmetic = Literal[Precision, "int8"]
"""The same of exported networks, too."""


@dataclass(frozen=True)
class TestTimeAugmentation:
    """How one image is seen; by default whole, at its own size, in one deterministic pass.

    Weights that were trained or released with one bring it along: they use it for every option that is left
    at its default. Asking for another input height leaves all of it out, for scales all but the height; the
    image prior stays.
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
    """Random samples of the stochastic prompt for every scale; 0: the mean prompt, deterministic."""
    own_statistics: float = 0.0
    """Share of the image's own mean and variance in the normalisation of shallow features, the rest being the
    training's; encoders with BatchNorm only."""
    image_prior: float | None = None
    """How much the classes that an image shows are expected in the rest of it, 0 (not at all) to 1; for
    weights that were released with usual shares (docs/how-to/publish.md). None: what these say, or else 0."""
    usual_shares: tyro.conf.Suppress[tuple[float, ...]] = ()
    """Of each class in an image, to compare with for the image prior."""

    def __post_init__(self) -> None:
        height, window, scales, own = self.input_height, self.window, self.sizes, self.own_statistics
        checks = {
            f"input height {height}: wanted a positive number of pixels": height is None or height >= 1,
            f"scales {scales}: wanted one or more positive numbers": scales
            and all(0 < scale < math.inf for scale in scales),
            "flip and alternate flip: wanted one of them or neither": not (self.flip and self.alternate_flip),
            f"window {window}: wanted a positive height and width in pixels": not window or min(window) > 0,
            f"window overlap {self.overlap}: wanted a fraction from 0 to below 1": 0 <= self.overlap < 1,
            f"own statistics {own}: wanted a share from 0 to 1": 0 <= own <= 1,
            f"image prior {self.image_prior}: wanted 0 to 1": 0 <= (self.image_prior or 0) <= 1,
            f"usual shares {self.usual_shares}: wanted more than 0 each": all(
                0 < share < math.inf for share in self.usual_shares
            ),
            f"num_samples {self.num_samples}: wanted 0 (the mean prompt) or more": self.num_samples >= 0,
        }
        if problem := next((problem for problem, holds in checks.items() if not holds), None):
            raise UserError(problem)

    @property
    def sizes(self) -> tuple[float, ...]:
        """The scales, 1 alone where none are given."""
        return (1.0,) if self.scales is None else self.scales

    def working_size(self, height: int, width: int, *, scale: float = 1.0) -> tuple[int, int]:
        """The size (height, width) in pixels at which the network sees an image of the given size.

        A strip is enlarged to no more than ten times the input height in its width.
        """
        factor = scale
        if self.input_height is not None:
            factor *= min(self.input_height / height, max(1, 10 * self.input_height / width))
        return max(1, round(height * factor)), max(1, round(width * factor))

    def windows(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """Rows and columns of the windows on an image: they cover it, and the last touches the border."""
        sides = []
        for length, wanted in zip((height, width), self.window or (height, width), strict=True):
            side = min(wanted, length)
            count = math.ceil((length - side) / max(1, int(side * (1 - self.overlap)))) + 1
            starts = (round(i * (length - side) / max(1, count - 1)) for i in range(count))
            sides.append([slice(start, start + side) for start in starts])
        return list(itertools.product(*sides))

    def completed(self, released: TestTimeAugmentation) -> TestTimeAugmentation:
        """This one, with what weights released with another bring along (see the class)."""
        if self.input_height not in (None, released.input_height):
            whole = self
        elif self.scales is not None:
            whole = dataclasses.replace(self, input_height=released.input_height)
        else:
            plain = vars(TestTimeAugmentation())
            own = {name: value for name, value in vars(self).items() if value != plain[name]}
            if self.flip or self.alternate_flip:
                own = {"flip": False, "alternate_flip": False, **own}
            whole = dataclasses.replace(released, **own)
        return whole.with_prior_of(released)

    def check_own(self) -> None:
        """Raises UserError for an image prior without the usual shares, which only a release brings along."""
        if self.image_prior and not self.usual_shares:
            raise UserError(
                f"the image prior is {self.image_prior:g}, but trainings have none: it needs the usual "
                "shares of the classes, which spn release --class-shares FILE adds; leave it out"
            )

    def with_prior_of(self, released: TestTimeAugmentation) -> TestTimeAugmentation:
        """This one, with the image prior of another where it says nothing of it."""
        prior = released.image_prior if self.image_prior is None else self.image_prior
        usual = self.usual_shares or released.usual_shares
        return dataclasses.replace(self, image_prior=prior, usual_shares=usual)


def protocol(tta: TestTimeAugmentation, precision: Arithmetic = "32") -> dict[str, Any]:
    """Test-time augmentation and the network's arithmetic, as results.json records them.

    Two are equal exactly if their `name` is, as `window768x768o0.5-h512-flip-s0.75+1-draws8-bf16`;
    `description` is one line for people. Whatever the protocol, scores are resized to the native size of the
    label before the argmax, and every labelled pixel of every image counts.

    >>> protocol(TestTimeAugmentation(flip=True))["name"]
    'whole-native-flip'
    """
    window, overlap = "x".join(map(str, tta.window or ())), f"{tta.overlap:g}"
    height, draws, own = tta.input_height, tta.num_samples, f"{tta.own_statistics:g}"
    prior = f"{tta.image_prior or 0:g}"
    scales = [f"{scale:g}" for scale in tta.sizes]
    arithmetic = "fp16" if precision == "16" else precision
    parts = (  # when, short for the name, in words
        (not window, "whole", "whole image"),
        (window, f"window{window}o{overlap}", f"sliding window {window}, overlap at least {overlap}"),
        (not height, "native", "input at native size"),
        (height, f"h{height}", f"input height {height}"),
        (tta.flip, "flip", "with flip"),
        (tta.alternate_flip, "altflip", "every second scale mirrored"),
        (tta.sizes != (1.0,), f"s{'+'.join(scales)}", f"scales {', '.join(scales)}"),
        (not draws, "", "mean prompt, no random draws"),
        (draws, f"draws{draws}", f"mean of {draws} random prompts"),
        (tta.own_statistics, f"own{own}", f"{own} of the image's own statistics in shallow features"),
        (bool(tta.image_prior), f"prior{prior}", f"{prior} of the prior of the image's own classes"),
        (precision != "32", arithmetic, f"network in {arithmetic}"),
    )
    chosen = [(short, words) for applies, short, words in parts if applies]
    return {
        "name": "-".join(short for short, _ in chosen if short),
        "description": "; ".join(["scored at native label size", *(words for _, words in chosen)]),
        "precision": precision,
        "tta": to_plain(dataclasses.replace(tta, scales=tta.sizes)),
    }


def augmentation_in(info: MutableMapping[str, Any]) -> dict[str, Any] | None:
    """What weights had in their `info` before it had a place of its own, removed there; None without."""
    height, scales, flip, own = (
        info.pop(name, None) for name in ("input_height", "scales", "flip", "own_statistics")
    )
    return height and {
        "input_height": int(height),
        "scales": [float(scale) for scale in str(scales or "").split()] or None,
        "flip": flip == "true",
        "alternate_flip": flip == "alternate",
        "own_statistics": float(own or 0),
    }
