"""IBN-a: half of the channels normalised by instance, half by batch.

Pan et al., "Two at once: enhancing learning and generalization capacities via IBN-Net", ECCV 2018: after the
first convolution of every residual block of the first three stages. Instance normalisation takes out the
style of the image where features are shallow; batch normalisation keeps what it would throw away.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.core.errors import UserError

STAGES = ("layer1", "layer2", "layer3")


class InstanceBatchNorm(nn.Module):
    """Features [B, C, h, w]: the first C // 2 channels by instance, the others by batch.

    It starts from the affine weights (and statistics) of the BatchNorm that it replaces.
    """

    def __init__(self, replaced: nn.BatchNorm2d) -> None:
        super().__init__()
        self.split = replaced.num_features // 2
        self.instance = nn.InstanceNorm2d(self.split, affine=True)
        self.batch = nn.BatchNorm2d(replaced.num_features - self.split)
        old, new = replaced.state_dict(), self.batch.state_dict()
        with torch.no_grad():
            for name, value in new.items():  # the state shares memory with the layer
                value.copy_(old[name][self.split :] if value.ndim else old[name])
            self.instance.weight.copy_(replaced.weight[: self.split])
            self.instance.bias.copy_(replaced.bias[: self.split])

    def forward(self, features: Tensor) -> Tensor:
        first, second = features.split([self.split, features.shape[1] - self.split], dim=1)
        return torch.cat([self.instance(first), self.batch(second)], dim=1)


def replace_batch_norms(backbone: nn.Module, *, name: str) -> None:
    """Put IBN-a into a timm ResNet. Raises UserError for a backbone that is none."""
    stages = [backbone.get_submodule(stage) for stage in STAGES if hasattr(backbone, stage)]
    blocks = [block for stage in stages for block in stage.children()]
    norms = [getattr(block, "bn1", None) for block in blocks]
    if len(stages) != len(STAGES) or not all(isinstance(norm, nn.BatchNorm2d) for norm in norms):
        raise UserError(f"encoder.ibn needs a ResNet of timm with BatchNorm; {name!r} is none")
    for block, norm in zip(blocks, norms, strict=True):
        assert isinstance(norm, nn.BatchNorm2d)
        block.bn1 = InstanceBatchNorm(norm)
