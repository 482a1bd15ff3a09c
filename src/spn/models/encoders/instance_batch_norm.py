"""IBN-a: half of the channels normalised by instance, half by batch.

Pan et al., "Two at once: enhancing learning and generalization capacities via IBN-Net", ECCV 2018: after the
first convolution of every residual block of the first three stages. Instance normalisation takes out the
style of the image where features are shallow; batch normalisation keeps what it would throw away.

An encoder without BatchNorm (ConvNeXt) has nothing to replace: there, half of the channels are normalised by
instance at the ends of the stem and the first two stages, where the paper's IBN-b does so, and half are left.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spn.models.encoders.outline import set_module
from spn.models.encoders.protocol import Encoder

STAGES = 3


class InstanceBatchNorm(nn.Module):
    """Features [B, C, h, w]: the first C // 2 channels by instance, the others by batch.

    It starts from the affine weights (and statistics) of the BatchNorm that it replaces, and goes on as that
    does: timm's BatchNormAct2d ends with an activation.
    """

    def __init__(self, replaced: nn.BatchNorm2d) -> None:
        super().__init__()
        self.split = replaced.num_features // 2
        self.instance = nn.InstanceNorm2d(self.split, affine=True)
        self.batch = nn.BatchNorm2d(replaced.num_features - self.split)
        self.act = getattr(replaced, "act", nn.Identity())
        old, new = replaced.state_dict(), self.batch.state_dict()
        with torch.no_grad():
            for name, value in new.items():  # the state shares memory with the layer
                value.copy_(old[name][self.split :] if value.ndim else old[name])
            self.instance.weight.copy_(replaced.weight[: self.split])
            self.instance.bias.copy_(replaced.bias[: self.split])

    def forward(self, features: Tensor) -> Tensor:
        first, second = features.split([self.split, features.shape[1] - self.split], dim=1)
        normalised: Tensor = self.act(torch.cat([self.instance(first), self.batch(second)], dim=1))
        return normalised


class HalfInstanceNorm(nn.InstanceNorm2d):
    """Features [B, width, h, w]: the first width // 2 channels by instance, the others as they are."""

    def __init__(self, width: int) -> None:
        super().__init__(width // 2, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        first, second = features.tensor_split([self.num_features], dim=1)
        return torch.cat([super().forward(first), second], dim=1)


def insert_instance_batch_norm(encoder: Encoder) -> None:
    """Put IBN-a into an encoder. Raises UserError for one without stages."""
    named = dict(encoder.named_modules())
    blocks = encoder.stage_blocks(stages=STAGES)
    norms = [[name for name in block if isinstance(named[name], nn.BatchNorm2d)] for block in blocks]
    for names in filter(None, norms):
        norm = named[names[0]]
        assert isinstance(norm, nn.BatchNorm2d)
        set_module(encoder, names[0], InstanceBatchNorm(norm))
    if not any(norms):
        for place in encoder.style_places():
            place.insert(HalfInstanceNorm(place.width))
