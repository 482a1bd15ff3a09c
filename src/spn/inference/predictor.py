"""The user's way to a trained network: a photo in; labels, confidence and uncertainty out.

predictor = Predictor.from_checkpoint(Path("runs/spn"))
scene = predictor.predict(read_photo(Path("street.jpg")))
scene.labels        # uint8 [H, W], train ids
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spn.inference.bands import resized_bands
from spn.inference.folding import fold_batch_norms
from spn.inference.precision import Precision, at_precision
from spn.inference.probabilities import BatchPrediction, device_of, predict_maps
from spn.inference.scores import entropy
from spn.inference.shipped import released_views
from spn.inference.views import Views
from spn.inference.weights import load_network
from spn.models.resampling import resize

MAX_PIXELS = 1 << 21
"""2048x1024."""


@dataclass(frozen=True)
class Scene:
    """What the network sees in one photo, at the photo's size.

    labels: uint8 [H, W], train ids. confidence: float32 [H, W], the probability of the label.
    uncertainty: float32 [H, W], the entropy of the prediction as a fraction of its maximum, 0..1.
    disagreement: float32 [H, W], the mutual information between label and draw as the same fraction; None
    without draws.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None


class Predictor:
    """Labels photos with one network."""

    def __init__(
        self,
        network: nn.Module,
        *,
        views: Views | None = None,
        seed: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """network: on the device it runs on. views: one deterministic pass by default. seed: of the draws."""
        self.network = network.eval()
        self.views = views or Views()
        self.seed = seed
        self.max_pixels = max_pixels

    @classmethod
    def from_checkpoint(
        cls,
        path: Path,
        *,
        device: torch.device | str = "cpu",
        views: Views | None = None,
        precision: Precision = "32",
        seed: int = 0,
    ) -> Predictor:
        """From a .safetensors file or a run folder. Raises CheckpointError.

        Without `views.input_height`, the views that the weights were released for, if any.
        """
        loaded = load_network(path)
        views = released_views(views or Views(), loaded.info)
        if not views.own_statistics:
            fold_batch_norms(loaded.network)
        network = loaded.network.to(device).to(memory_format=torch.channels_last)  # faster, a tenth on a CPU
        return cls(at_precision(network, precision), views=views, seed=seed)

    def predict(self, image: NDArray[np.uint8]) -> Scene:
        """Label one photo, uint8 [H, W, 3] RGB of any size. Raises ValueError for any other array."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                f"image is {image.dtype} {image.shape}; wanted uint8 [H, W, 3], RGB (see read_photo)"
            )
        views, height, width = self.views, *image.shape[:2]
        size = height, width
        if height * width > self.max_pixels:  # predicted at that size, brought back to the photo's own
            factor = math.sqrt(self.max_pixels / (height * width))
            size = max(1, int(height * factor)), max(1, int(width * factor))
            if views.input_height is None:
                views = dataclasses.replace(views, input_height=size[0])
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(image))[None].to(device_of(self.network))
            predicted = predict_maps(self.network, batch, views=views, seed=self.seed, size=size)
            return _scene(predicted, (height, width))


def _scene(predicted: BatchPrediction, size: tuple[int, int]) -> Scene:
    """The first image of a prediction, enlarged to `size`."""
    probabilities, information = predicted.probabilities, predicted.mutual_information
    classes, (height, width) = probabilities.shape[1], size
    shares = [entropy(probabilities)] if information is None else [entropy(probabilities), information]
    shares = [share.div_(math.log(classes)).clamp_(0, 1)[:, None] for share in shares]
    labels = np.empty(size, np.uint8)
    confidence = np.empty(size, np.float32)
    for band in resized_bands(probabilities, height):
        rows = slice(band.top, band.bottom)
        most_probable, probability = band.labels(width)
        labels[rows], confidence[rows] = most_probable[0].cpu().numpy(), probability[0].cpu().numpy()
    uncertainty, *disagreement = resize(torch.cat(shares, dim=1), size)[0].cpu().numpy()
    return Scene(labels, confidence, uncertainty, disagreement[0] if disagreement else None)
