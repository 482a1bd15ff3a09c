"""How training crops are chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spn.core.errors import UserError
from spn.core.ranges import Count, Share


@dataclass(frozen=True)
class SamplingConfig:
    """Class-uniform sampling; the defaults are those of the usual GTAV recipe."""

    class_uniform: Share = 0.5
    """Part of each epoch that is drawn class by class; the rest evenly over images. 0 switches it off."""
    tile: Count = 1024
    """Side of the tiles in native pixels; each tile offers one crop per class it holds."""
    positions: Count = 4
    """Pixels remembered per class and tile; a crop is laid around one of them."""
    minimum_pixels: Count = 1
    """A tile offers a class only if it holds at least this many of its pixels."""
    weights: tuple[str, ...] = ()
    """The share of the crops that each of several sources gets, as gtav=2 synthia=1; those that are not named
    have weight 1. None given: every image counts alike."""
    cache: Path | None = None
    """Folder of class indexes; by default ~/.cache/spn. An index is used again only for the same files."""

    def weight_of(self) -> Mapping[str, float]:
        """The weights by dataset. Raises UserError for what is not KEY=WEIGHT above 0, each key once."""
        found: dict[str, float] = {}
        for text in self.weights:
            key, _, number = text.partition("=")
            try:
                weight = float(number)
            except ValueError:
                weight = 0.0
            if not key or key in found or not 0 < weight < float("inf"):
                raise UserError(
                    f"sampling.weights has {text!r}; wanted KEY=WEIGHT, above 0 and each dataset once, "
                    "as gtav=2 synthia=1"
                )
            found[key] = weight
        return found
