"""A street in a few lines, for tests of what is done with a frame rather than of how it is drawn."""

from __future__ import annotations

import numpy as np

from spn.core.seeding import numpy_generator
from streets.frame import Frame


def render_blocks(style: object, *, seed: int, width: int, height: int) -> Frame:
    """Sky above, road below, and a grid of blocks holding every class and void; noise on the image."""
    generator = numpy_generator(seed, "blocks")
    rows = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    depth = np.broadcast_to(np.float32(2.0) / np.maximum(rows - 0.25, 0.01), (height, width)).copy()
    label = np.where(rows < 0.3, 10, 0).astype(np.uint8) * np.ones((1, width), np.uint8)
    classes = generator.permutation([*range(19), 255])
    instance = np.zeros((height, width), np.uint16)
    side_y, side_x = height // 5, width // 4
    for number, train_id in enumerate(classes):
        y, x = divmod(number, 4)
        block = np.s_[y * side_y + 1 : (y + 1) * side_y - 1, x * side_x + 1 : (x + 1) * side_x - 1]
        label[block] = train_id
        depth[block] = generator.uniform(4.0, 80.0)
        if 11 <= train_id <= 18:
            instance[block] = number + 1
            instance[y * side_y + 1 : (y + 1) * side_y - 1, x * side_x + 1 : x * side_x + side_x // 2] = (
                100 + number
            )
    depth[label == 10] = np.inf
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(image, label, instance, depth, depth * np.float32(1.05))
