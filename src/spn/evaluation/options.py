"""What an evaluation writes and how it runs, apart from its protocol. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from spn.core.errors import UserError


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
