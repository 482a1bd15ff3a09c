"""An evaluation protocol: how images are shown to the network, under a name made of nothing but its values.

Whatever the protocol, scores are resized to the native size of the label before the argmax, and every
labelled pixel of every image counts: there is no crop and no padding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

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
