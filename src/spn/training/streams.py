"""Unlabelled images beside the training's crops, for methods that ask for them (spn.methods.base.Stream).

Item p of a stream is a random crop of one of its images; which, and what of it, follows from the seed, the
stream's name and p alone. An image smaller than the crop is enlarged to cover it, a larger one keeps its
pixels. While the training is coarse the same view comes at half the size.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.errors import UserError
from spn.core.seeding import numpy_generator
from spn.data.files import IMAGE_SUFFIXES, decode_rgb, read_bytes
from spn.methods.base import Stream
from spn.transforms.config import AugmentationConfig
from spn.transforms.geometric import draw_window


class StreamImages:
    """The crops of one stream. Raises UserError for a folder without images."""

    def __init__(self, stream: Stream, config: AugmentationConfig, *, seed: int) -> None:
        self.name = stream.name
        self._folder = stream.folder
        self._paths = sorted(
            Path(folder, name).relative_to(stream.folder)
            for folder, _, names in os.walk(stream.folder, followlinks=True)
            for name in names
            if name.lower().endswith(IMAGE_SUFFIXES)
        )
        if not self._paths:
            raise UserError(
                f"the method's images {stream.name!r} should lie in {stream.folder}, where there are none; "
                f"wanted a folder with {', '.join(IMAGE_SUFFIXES)} files, at any depth"
            )
        self._size = (config.crop_height, config.crop_width)
        self._flip = config.flip
        self._seed = seed

    def __len__(self) -> int:
        return len(self._paths)

    def crop(self, position: int, *, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The crop at `position` as uint8 [H, W, 3] of this size, which has the shape of the config's crop.

        Raises:
            DatasetError: if the image cannot be read.
        """
        generator = numpy_generator(self._seed, "stream", self.name, position)
        path = self._folder / self._paths[generator.integers(len(self._paths))]
        image = decode_rgb(read_bytes(path), path)
        height, width = image.shape[:2]
        scale = max(1.0, self._size[0] / height, self._size[1] / width)
        window = draw_window(
            (height, width), self._size, scale=(scale, scale), flip=self._flip, generator=generator
        )
        region = image[window.inside((height, width))]
        shrinks = region.shape[0] >= size[0] and region.shape[1] >= size[1]
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        crop = cv2.resize(region, (size[1], size[0]), interpolation=interpolation)
        return np.ascontiguousarray(crop[:, ::-1] if window.mirrored else crop)

    def fingerprint(self) -> str:
        """Changes with the files' names and sizes."""
        digest = hashlib.sha256()
        for path in self._paths:
            digest.update(f"{path.as_posix()}\0{(self._folder / path).stat().st_size}\0".encode())
        return f"{self.name}:{digest.hexdigest()[:16]}"
