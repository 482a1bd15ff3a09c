"""The user's way to a trained network: a photograph in; labels, confidence and uncertainty out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import nn

from spn.core.classes import CLASS_NAMES
from spn.inference.devices import Precision
from spn.inference.photographs import Picture, as_photo
from spn.inference.predictor import Predictor
from spn.inference.scene import Scene
from spn.inference.tta import TestTimeAugmentation
from spn.models.config import ModelConfig


@dataclass(frozen=True, eq=False)
class Model:
    """A network that labels photographs, on the device on which it is to run.

    Attributes:
        network: a plain nn.Module in evaluation mode: `network(images).logits` takes float images
            [B, 3, H, W] in 0..1 (RGB, of any size) and gives logits [B, C, H, W].
        tta: test-time augmentation: how photographs are shown to it.
        precision: arithmetic of `predict`.
        seed: of the random prompts.
        max_pixels: larger photographs are shown to the network at this size.
        classes: the names of its classes, in the order of the logits.
        info: what training noted (method, seed, steps, …).
        path, sha256, model_config: of a network that was loaded: the weights' file, the digest of its bytes
            (hexadecimal; in results the identity of these weights), and what it was built from.
    """

    network: nn.Module
    _: KW_ONLY
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    precision: Precision = "32"
    seed: int = 0
    max_pixels: int = 1 << 21  # 2048x1024
    classes: tuple[str, ...] = CLASS_NAMES
    info: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()
    sha256: str = ""
    model_config: ModelConfig | None = None

    def __post_init__(self) -> None:
        self.network.eval()

    @overload
    def predict(self, picture: Picture) -> Scene: ...

    @overload
    def predict(self, picture: list[Picture] | tuple[Picture, ...]) -> list[Scene]: ...

    def predict(self, picture: Picture | list[Picture] | tuple[Picture, ...]) -> Scene | list[Scene]:
        """Label one picture, or each of a list, one after another.

        Args:
            picture: a file (str or Path), a PIL image, an array uint8 [H, W, 3] or a tensor float [3, H, W]
                in 0..1, RGB, of any size.

        Raises:
            PhotoError: a file that cannot be read as an image.
            ValueError: an array or tensor of another shape or type.
        """
        if isinstance(picture, list | tuple):
            return [self.predict(one) for one in picture]
        image = as_photo(picture)
        tta, height, width = self.tta, *image.shape[:2]
        grid = height, width
        if height * width > self.max_pixels:  # predicted at that size, brought back to the photograph's own
            factor = math.sqrt(self.max_pixels / (height * width))
            grid = max(1, int(height * factor)), max(1, int(width * factor))
            if tta.input_height is None:
                tta = dataclasses.replace(tta, input_height=grid[0])
        predictor = Predictor(self.network, tta, self.precision, self.seed)
        batch = torch.from_numpy(np.ascontiguousarray(image))[None].to(predictor.device)
        predicted = predictor.predict(batch, (height, width), grid=grid)
        assert predicted.entropy is not None
        return Scene(
            image,
            labels=predicted.labels[0].cpu().numpy(),
            confidence=predicted.confidence[0].cpu().numpy(),
            uncertainty=self._share(predicted.entropy),
            disagreement=None if predicted.information is None else self._share(predicted.information),
            classes=self.classes,
        )

    def _share(self, nats: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Entropies [1, H, W] as fractions of the largest that there can be."""
        return (nats[0] / math.log(len(self.classes))).clamp_(0, 1).cpu().numpy()
