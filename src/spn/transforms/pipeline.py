"""The training transform: one random window of a sample, seen through one or more colour augmentations.

All views share the geometry, so one label serves them. View 0 has the standard augmentation and is the same
for every method given the generator: it is drawn before the others. Views 1, 2, … are perturbed strongly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spn.core.sample import RegionSource
from spn.transforms.config import AugmentationConfig
from spn.transforms.geometric import cut, draw_window
from spn.transforms.jitter import jitter, random_blur
from spn.transforms.perturbation import perturb


@dataclass(frozen=True)
class TrainItem:
    """images: uint8 [V, H, W, 3], RGB, one per view; label: uint8 [H, W], 255 where ignored or padded."""

    images: NDArray[np.uint8]
    label: NDArray[np.uint8]


class TrainTransform:
    """Turns a sample into a training crop with `views` photometric views of it."""

    def __init__(self, config: AugmentationConfig, *, views: int = 1) -> None:
        if views < 1:
            raise ValueError(f"{views} views of a crop; wanted at least 1")
        self.config = config
        self.views = views

    def __call__(
        self, sample: RegionSource, *, generator: np.random.Generator, centre: tuple[int, int] | None = None
    ) -> TrainItem:
        """A crop drawn with `generator`; the pixel `centre` (x, y), in native pixels, lies inside it.

        Only the region that the crop shows is read from `sample`.
        """
        config = self.config
        size = (config.crop_height, config.crop_width)
        window = draw_window(
            sample.size,
            size,
            scale=(config.scale_min, config.scale_max),
            flip=config.flip,
            generator=generator,
            centre=centre,
        )
        rows, columns = window.inside(sample.size)
        region = sample.region(rows, columns)
        crop = cut(region.image, region.label, window=window.relative_to(rows, columns), size=size)
        images = np.empty((self.views, *size, 3), np.uint8)
        for view in range(self.views):
            images[view] = self._recolour(crop.image, view=view, generator=generator)
        return TrainItem(images, crop.label)

    def _recolour(
        self, image: NDArray[np.uint8], *, view: int, generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        if view > 0 or generator.random() < self.config.perturb_first:
            return perturb(image, self.config.perturbation, generator=generator)
        image = jitter(image, self.config.jitter, generator=generator)
        return random_blur(image, self.config.blur, generator=generator)
