"""A network that knows the palette by heart: every pixel gets the class whose colour is nearest."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spn.core.classes import CITYSCAPES_19, NUM_CLASSES
from spn.models.network import NetworkOutput


class ColourNetwork(nn.Module):
    """logits = -sharpness |x - colour|² + const; each draw adds noise of the given strength to the logits.

    Counts its calls and remembers the sizes it saw.
    """

    def __init__(self, *, sharpness: float = 50.0, noise: float = 0.0) -> None:
        super().__init__()
        colours = torch.from_numpy(CITYSCAPES_19.palette()[:NUM_CLASSES].astype(np.float32)) / 255
        self.weight = nn.Parameter(2 * sharpness * colours[:, :, None, None])
        self.bias = nn.Parameter(-sharpness * (colours**2).sum(dim=1))
        self.noise = noise
        self.sizes: list[tuple[int, ...]] = []

    def forward(
        self,
        images: Tensor,
        *,
        num_samples: int = 0,
        generator: torch.Generator | None = None,
        upsample: bool = True,
    ) -> NetworkOutput:
        self.sizes.append(tuple(images.shape))
        covers = images.shape[-2], images.shape[-1]
        logits = nn.functional.conv2d(images, self.weight, self.bias)
        if not num_samples:
            return NetworkOutput(logits, None, None, covers)
        noise = torch.randn(num_samples, len(images), NUM_CLASSES, 1, 1, generator=generator)
        return NetworkOutput(logits + self.noise * noise, None, None, covers)


def painted(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image uint8 [H, W, 3] that ColourNetwork labels as `label`."""
    return CITYSCAPES_19.palette()[label]


def random_blocks(
    generator: np.random.Generator, *, height: int, width: int, classes: int = NUM_CLASSES, block: int = 8
) -> NDArray[np.uint8]:
    """uint8 [height, width] in blocks of one class."""
    coarse = generator.integers(0, classes, (-(-height // block), -(-width // block)), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, block, axis=0), block, axis=1)[:height, :width]
