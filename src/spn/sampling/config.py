"""How training crops are chosen."""

from dataclasses import dataclass
from pathlib import Path

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
    cache: Path | None = None
    """Folder of class indexes; by default ~/.cache/spn. An index is used again only for the same files."""
