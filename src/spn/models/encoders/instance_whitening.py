"""Instance normalisation after the stem and the first two stages, where instance-selective whitening acts.

Choi et al., "RobustNet: improving domain generalization in urban-scene segmentation via instance selective
whitening", CVPR 2021. The normalisation is a part of the network and stays at inference; which covariances
the loss suppresses (spn.methods.isw) is kept beside it, so that a checkpoint holds the whole training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.errors import UserError

STAGES = ("layer1", "layer2")


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


def insert_whitening(backbone: nn.Module, *, name: str) -> None:
    """Put it into a timm ResNet: in place of the stem's BatchNorm, before the last activation of two stages.

    Raises UserError for a backbone that is none.
    """
    norm = getattr(backbone, "bn1", None)
    blocks = [[*backbone.get_submodule(stage).children()][-1] for stage in STAGES if hasattr(backbone, stage)]
    numbers = [3 if hasattr(block, "bn3") else 2 for block in blocks]
    last = [getattr(block, f"bn{number}", None) for block, number in zip(blocks, numbers, strict=True)]
    if len(blocks) != len(STAGES) or not all(isinstance(layer, nn.BatchNorm2d) for layer in (norm, *last)):
        raise UserError(f"encoder.whitening needs a ResNet of timm with BatchNorm; {name!r} is none")
    backbone.bn1 = InstanceWhitening(norm.num_features)  # type: ignore[union-attr]
    for block, number in zip(blocks, numbers, strict=True):
        width = block.get_submodule(f"bn{number}").num_features
        assert isinstance(width, int)
        activation = block.get_submodule(f"act{number}")
        setattr(block, f"act{number}", nn.Sequential(InstanceWhitening(width), activation))
