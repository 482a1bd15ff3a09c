"""How an evaluation runs. Its protocol: how images are shown to the network, named by nothing but its values.

Whatever the protocol, scores are resized to the native size of the label before the argmax, and every
labelled pixel of every image counts: there is no crop and no padding. No torch here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from spn.core.errors import UserError
from spn.core.records import to_plain
from spn.inference.devices import Precision
from spn.inference.tta import TestTimeAugmentation

_PRECISIONS = {"bf16": "bf16", "16": "fp16"}


@dataclass(frozen=True)
class Protocol:
    """Test-time augmentation and the network's arithmetic; two are equal exactly if their names are."""

    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    precision: Precision = "32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tta", dataclasses.replace(self.tta, scales=self.tta.sizes))

    @property
    def name(self) -> str:
        """For example `whole-native` or `window768x768o0.5-h512-flip-s0.75+1-draws8-bf16`."""
        return "-".join(short for short, _ in self._parts() if short)

    @property
    def description(self) -> str:
        """One line for people, printed under every table."""
        return "; ".join(["scored at native label size", *(long for _, long in self._parts())])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for results.json."""
        return {
            "name": self.name,
            "description": self.description,
            "precision": self.precision,
            "tta": to_plain(self.tta),
        }

    def _parts(self) -> Iterator[tuple[str, str]]:
        """What it consists of: short for the name, and in words."""
        tta = self.tta
        if tta.window is None:
            yield "whole", "whole image"
        else:
            size = f"{tta.window[0]}x{tta.window[1]}"
            yield f"window{size}o{tta.overlap:g}", f"sliding window {size}, overlap at least {tta.overlap:g}"
        if tta.input_height is None:
            yield "native", "input at native size"
        else:
            yield f"h{tta.input_height}", f"input height {tta.input_height}"
        if tta.flip:
            yield "flip", "with flip"
        if tta.alternate_flip:
            yield "altflip", "every second scale mirrored"
        if tta.sizes != (1.0,):
            scales = [f"{scale:g}" for scale in tta.sizes]
            yield f"s{'+'.join(scales)}", f"scales {', '.join(scales)}"
        if tta.num_samples:
            yield f"draws{tta.num_samples}", f"mean of {tta.num_samples} random prompts"
        else:
            yield "", "mean prompt, no random draws"
        if tta.own_statistics:
            share = f"{tta.own_statistics:g}"
            yield f"own{share}", f"{share} of the image's own statistics in shallow features"
        if self.precision != "32":
            yield _PRECISIONS[self.precision], f"network in {_PRECISIONS[self.precision]}"


@dataclass(frozen=True)
class EvaluationOptions:
    """How to run; none of it changes a figure."""

    pictures: int = 4
    """Images of each domain that are saved as pictures: image, ground truth, prediction and uncertainty."""
    predictions: bool = False
    """Whether every prediction is written, as labelId PNGs where the domain has the 19 classes."""
    per_image: bool = False
    """Whether the counts of each image are kept beside results.json, for a bootstrap over images."""
    calibration: bool = False
    """Whether confidences are counted, for calibration error and risk-coverage, beside results.json."""
    batch: int = 8
    """Images of equal size that run together."""
    again: bool = False
    """Evaluate also what results.json already holds."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError(f"batch {self.batch}: wanted 1 image or more")
        if self.pictures < 0:
            raise UserError(f"pictures {self.pictures}: wanted 0 or more")
