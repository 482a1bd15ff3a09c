"""Instance normalisation after the stem and the first two stages, where instance-selective whitening acts.

Choi et al., "RobustNet: improving domain generalization in urban-scene segmentation via instance selective
whitening", CVPR 2021. The normalisation is a part of the network and stays at inference; which covariances
the loss suppresses (spn.methods.isw) is kept beside it, so that a checkpoint holds the whole training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.models.encoders.protocol import Encoder


class InstanceWhitening(nn.Module):
    """Features [B, C, h, w] → each channel with mean 0 and variance 1 in each image.

    The buffers are the training's and not read by `forward`. variance: [C, C], the variance of each
    covariance over pairs of views, summed over the steps it was measured in. steps: their number.
    sensitive: bool [C, C], the covariances that the loss suppresses.
    """

    variance: Tensor
    steps: Tensor
    sensitive: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("variance", torch.zeros(width, width))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("sensitive", torch.zeros(width, width, dtype=torch.bool))

    def forward(self, features: Tensor) -> Tensor:
        return F.instance_norm(features)

    def measured(self, steps: int) -> bool:
        """Whether `steps` steps were measured; no on the meta device, which has shapes only."""
        return not self.steps.is_meta and int(self.steps) >= steps


def insert_whitening(encoder: Encoder) -> None:
    """Put it into an encoder's shallow places, in place of a BatchNorm right before (in a ResNet's stem).

    Raises UserError for an encoder without such places.
    """
    for place in encoder.style_places():
        place.insert(InstanceWhitening(place.width), replace_norm=True)
