"""How an evaluation runs. Its protocol: how images are shown to the network, named by nothing but its values.

Whatever the protocol, scores are resized to the native size of the label before the argmax, and every
labelled pixel of every image counts: there is no crop and no padding. No torch here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from spn.core.errors import UserError
from spn.core.records import to_plain
from spn.inference.tta import Precision, TestTimeAugmentation


def protocol(tta: TestTimeAugmentation, precision: Precision = "32") -> dict[str, Any]:
    """Test-time augmentation and the network's arithmetic, as results.json records them.

    Two are equal exactly if their `name` is, as `window768x768o0.5-h512-flip-s0.75+1-draws8-bf16`;
    `description` is one line for people.

    >>> protocol(TestTimeAugmentation(flip=True))["name"]
    'whole-native-flip'
    """
    window, overlap = "x".join(map(str, tta.window or ())), f"{tta.overlap:g}"
    height, draws, own = tta.input_height, tta.num_samples, f"{tta.own_statistics:g}"
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
        (precision != "32", arithmetic, f"network in {arithmetic}"),
    )
    chosen = [(short, words) for applies, short, words in parts if applies]
    return {
        "name": "-".join(short for short, _ in chosen if short),
        "description": "; ".join(["scored at native label size", *(words for _, words in chosen)]),
        "precision": precision,
        "tta": to_plain(dataclasses.replace(tta, scales=tta.sizes)),
    }


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
