"""One rendered street: what the renderer returns and what weather and export consume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """A rendered street with its exact ground truth.

    image: uint8 [H, W, 3], RGB. label: uint8 [H, W], train ids, 255 = void. instance: uint16 [H, W], 0 for
    stuff, else the object's number within the frame. depth: float32 [H, W], z-depth in metres; distance:
    float32 [H, W], metres along the ray; both inf where there is sky.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    depth: NDArray[np.float32]
    distance: NDArray[np.float32]
