"""An evaluation protocol: how images are shown to the network, under a name made of nothing but its values.

Whatever the views, scores are resized to the native size of the label before the argmax, and every labelled
pixel of every image counts: there is no crop and no padding.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from spn.inference.precision import Precision
from spn.inference.views import Views

_PRECISIONS = {"bf16": "bf16", "16": "fp16"}


@dataclass(frozen=True)
class Protocol:
    """The views and the network's arithmetic; two protocols are equal exactly if their names are."""

    views: Views = field(default_factory=Views)
    precision: Precision = "32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", dataclasses.replace(self.views, scales=self.views.sizes))

    @property
    def name(self) -> str:
        """For example `whole-native` or `window768x768o0.5-h512-flip-s0.75+1-draws8-bf16`."""
        views = self.views
        parts = ["whole"]
        if views.window is not None:
            parts = [f"window{views.window[0]}x{views.window[1]}o{views.overlap:g}"]
        parts.append("native" if views.input_height is None else f"h{views.input_height}")
        if views.flip:
            parts.append("flip")
        if views.alternate_flip:
            parts.append("altflip")
        if views.sizes != (1.0,):
            parts.append("s" + "+".join(f"{scale:g}" for scale in views.sizes))
        if views.draws:
            parts.append(f"draws{views.draws}")
        if views.own_statistics:
            parts.append(f"own{views.own_statistics:g}")
        if self.precision != "32":
            parts.append(_PRECISIONS[self.precision])
        return "-".join(parts)

    @property
    def description(self) -> str:
        """One line for people, printed under every table."""
        views = self.views
        parts = ["scored at native label size"]
        parts.append(
            "input at native size" if views.input_height is None else f"input height {views.input_height}"
        )
        if views.window is None:
            parts.append("whole image")
        else:
            parts.append(
                f"sliding window {views.window[0]}x{views.window[1]}, overlap at least {views.overlap:g}"
            )
        if views.sizes != (1.0,):
            parts.append(f"scales {', '.join(f'{scale:g}' for scale in views.sizes)}")
        if views.flip:
            parts.append("with flip")
        if views.alternate_flip:
            parts.append("every second scale mirrored")
        parts.append(f"mean of {views.draws} draws" if views.draws else "mean prompt, no draws")
        if views.own_statistics:
            parts.append(f"{views.own_statistics:g} of the image's own statistics in shallow features")
        if self.precision != "32":
            parts.append(f"network in {_PRECISIONS[self.precision]}")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for results.json."""
        return {
            "name": self.name,
            "description": self.description,
            "precision": self.precision,
            "views": {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self.views).items()
            },
        }
