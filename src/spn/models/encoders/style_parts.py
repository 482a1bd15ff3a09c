"""What methods against a change of style put into an encoder: IBN, ISW's normalisation, SHADE's memory."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.models.encoders.outline import blocks, set_module
from spn.models.encoders.protocol import Encoder

IBN_STAGES = 3


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
        first, second = features.tensor_split([self.split], dim=1)
        return self.act(torch.cat([self.instance(first), self.batch(second)], dim=1))


class HalfInstanceNorm(nn.InstanceNorm2d):
    """Features [B, width, h, w]: the first width // 2 channels by instance, the others as they are."""

    def __init__(self, width: int) -> None:
        super().__init__(width // 2, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        first, second = features.tensor_split([self.num_features], dim=1)
        return torch.cat([super().forward(first), second], dim=1)


def insert_instance_batch_norm(encoder: Encoder) -> None:
    """Put IBN-a into an encoder: after the first convolution of every block of the first three stages.

    Instance normalisation takes out the style of the image where features are shallow; batch normalisation
    keeps what it would throw away (Pan et al., "Two at once: enhancing learning and generalization capacities
    via IBN-Net", ECCV 2018). An encoder without BatchNorm (ConvNeXt) has nothing to replace: there, half of
    the channels are normalised by instance at the ends of the stem and the first two stages, where the
    paper's IBN-b does so, and half are left. Raises UserError for an encoder without stages.
    """
    named = dict(encoder.named_modules())
    norms = [
        [name for name in block if isinstance(named[name], nn.BatchNorm2d)]
        for block in blocks(encoder, encoder.outline[1 : 1 + IBN_STAGES])
    ]
    for names in filter(None, norms):
        norm = named[names[0]]
        assert isinstance(norm, nn.BatchNorm2d)
        set_module(encoder, names[0], InstanceBatchNorm(norm))
    if not any(norms):
        for place in encoder.style_places():
            place.insert(HalfInstanceNorm(place.width))


class InstanceWhitening(nn.Module):
    """Features [B, C, h, w] → each channel with mean 0 and variance 1 in each image.

    Choi et al., "RobustNet: improving domain generalization in urban-scene segmentation via instance
    selective whitening", CVPR 2021. The normalisation stays at inference; the buffers are the training's
    (spn.methods.isw), kept here so that a checkpoint holds the whole training. variance: [C, C], of each
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


class StyleMemory(nn.Module):
    """The styles of the last `size` images a training saw, for style hallucination (spn.methods.shade).

    Part of the network only so that a checkpoint holds the whole training; nothing reads it at inference.
    With several processes, each adds its own images to what the first one remembers.
    styles: [size, 2, width], mean and standard deviation of each channel. written: styles ever remembered.
    """

    styles: Tensor
    written: Tensor

    def __init__(self, size: int, *, width: int) -> None:
        super().__init__()
        self.register_buffer("styles", torch.zeros(size, 2, width))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))
        self._count: int | None = None  # `written` on the host, which then need not wait for the device
        self.register_load_state_dict_post_hook(lambda memory, _: setattr(memory, "_count", None))

    @torch.no_grad()
    def remember(self, styles: Tensor) -> None:
        """Take in styles [B, 2, width]; the oldest give way."""
        styles = styles[-len(self.styles) :]
        places = torch.arange(len(styles), device=styles.device) + self.written
        self.styles[places % len(self.styles)] = styles.to(self.styles.dtype)
        self._count = self._written() + len(styles)
        self.written += len(styles)

    def known(self) -> Tensor:
        """The styles there are, [n, 2, width]; all of them on the meta device, which has shapes only."""
        return self.styles if self.written.is_meta else self.styles[: self._written()]

    def _written(self) -> int:
        if self._count is None:
            self._count = 0 if self.written.is_meta else int(self.written)
        return self._count
