"""What changes an encoder against a change of style: style removal, IBN, ISW's layer and SHADE's memory.

Style removal is ours: it takes the style of each image out of shallow features, by a share learned from 0,

    F' = F + δ · (IN(F) − F)      δ one share per channel, starting at 0

IN gives each channel mean 0 and variance 1 in each image. What it takes out, the style, is what differs most
between domains (Pan et al., "Two at once: enhancing learning and generalization capacities via IBN-Net",
ECCV 2018); δ leaves it where the task needs it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.models.encoders.options import TimmOptions
from spn.models.encoders.outline import blocks
from spn.models.encoders.protocol import Encoder

EPSILON = 1e-5
"""Added to the variance, as torch's normalisations do."""
SPACE = (2, 3)
BAND = 1 << 20
"""Elements whose squares are held at a time on the CPU, where fresh memory costs more than arithmetic."""
IBN_STAGES = 3


class StyleRemoval(nn.Module):
    """Features [B, C, h, w] → the same shape; untrained it is the identity, bit for bit.

    inplace: without gradients, `features` are overwritten.
    """

    def __init__(self, width: int, *, inplace: bool = False) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(width))
        self.inplace = inplace

    def forward(self, features: Tensor) -> Tensor:
        share = self.share.view(1, -1, 1, 1)
        compiling = torch.compiler.is_compiling()  # which makes fast code of the plain formula
        if torch.is_grad_enabled() and not compiling:
            return PartialInstanceNorm.apply(features, share)
        offset, gain = _affine(features, share, *image_statistics(features))
        return torch.addcmul(offset, features, gain, out=features if self.inplace and not compiling else None)


class PartialInstanceNorm(torch.autograd.Function):
    """F + δ · (IN(F) − F) as one affine map per image and channel; δ [1, C, 1, 1].

    Four times as fast on a CPU as the same by torch's own operations, on channels_last tensors.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, share: Tensor) -> Tensor:
        mean, scale = image_statistics(features)
        ctx.save_for_backward(features, share, mean, scale)
        offset, gain = _affine(features, share, mean, scale)
        return torch.addcmul(offset, features, gain)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """With x̂ = (F − mean) · scale: dF = (1 − δ) · g + δ · scale · (g − mean(g) − x̂ · mean(g · x̂))."""
        (gradient,) = gradients
        features, share, mean, scale = ctx.saved_tensors
        along_one = gradient.mean(SPACE, keepdim=True, dtype=mean.dtype)
        along_features = (gradient * features).mean(SPACE, keepdim=True, dtype=mean.dtype)
        along_normalised = (along_features - mean * along_one) * scale
        area = features.shape[2] * features.shape[3]
        of_share = ((along_normalised - along_features) * area).sum(dim=0, keepdim=True)
        slope = share * scale.square() * along_normalised
        constant = slope * mean - share * scale * along_one
        of_features = torch.addcmul(constant.to(features.dtype), features, -slope.to(features.dtype))
        _, gain = _affine(features, share, mean, scale)
        return of_features.addcmul_(gradient, gain), of_share


def image_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and 1 / standard deviation of each channel of each image, [B, C, 1, 1], in float32 at least: the
    squares of a large map do not fit into a float16."""
    batch, channels, height, width = features.shape
    wide = torch.promote_types(features.dtype, torch.float32)
    if torch.compiler.is_compiling():
        variance, mean = torch.var_mean(features.to(wide), SPACE, correction=0, keepdim=True)
        return mean, torch.rsqrt(variance + EPSILON)
    mean = features.mean(SPACE, keepdim=True, dtype=wide)
    centre = mean.to(features.dtype)
    rows = max(BAND // (batch * channels * width), 1) if features.device.type == "cpu" else height
    squares = [
        (band - centre).square_().sum(SPACE, keepdim=True, dtype=wide) for band in features.split(rows, dim=2)
    ]
    variance = torch.stack(squares).sum(dim=0) / (height * width)
    return mean, torch.rsqrt(variance + EPSILON)


def _affine(features: Tensor, share: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The map's offset and gain [B, C, 1, 1], of the type of `features`: F' = offset + gain · F."""
    offset, gain = -share * mean * scale, 1 + share * (scale - 1)
    return offset.to(features.dtype), gain.to(features.dtype)


def insert_style_removal(encoder: Encoder) -> None:
    """Put style removal at the ends of an encoder's stem and first two stages; UserError if it has none."""
    encoder.insert(lambda width, stage: StyleRemoval(width, inplace=stage.inplace))


class InstanceBatchNorm(nn.Module):
    """Features [B, C, h, w]: the first C // 2 channels by instance, the others by batch.

    It starts as the BatchNorm that it replaces, and goes on as that does: BatchNormAct2d has an activation.
    """

    def __init__(self, replaced: nn.BatchNorm2d) -> None:
        super().__init__()
        self.split = replaced.num_features // 2
        self.instance = nn.InstanceNorm2d(self.split, affine=True)
        self.batch = nn.BatchNorm2d(replaced.num_features - self.split)
        self.act = getattr(replaced, "act", nn.Identity())
        old = replaced.state_dict()
        own = {name: value[self.split :] if value.ndim else value for name, value in old.items()}
        self.batch.load_state_dict(own, strict=False)  # the activation may have weights of its own
        self.instance.load_state_dict({name: old[name][: self.split] for name in ("weight", "bias")})

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

    Batch normalisation keeps what that by instance throws away. An encoder without BatchNorm (ConvNeXt) has
    nothing to replace: there, half of the channels are normalised by instance at the ends of the stem and the
    first two stages, where the paper's IBN-b does so. Raises UserError for an encoder without stages.
    """
    norms = {name: norm for name, norm in encoder.named_modules() if isinstance(norm, nn.BatchNorm2d)}
    shallow = blocks(encoder, encoder.outline[1 : 1 + IBN_STAGES])
    found = [[name for name in block if name in norms] for block in shallow.values()]
    for first, *_ in filter(None, found):
        encoder.set_submodule(first, InstanceBatchNorm(norms[first]))
    if not any(found):
        encoder.insert(lambda width, _: HalfInstanceNorm(width))


class InstanceWhitening(nn.Module):
    """Features [B, C, h, w] → each channel with mean 0 and variance 1 in each image.

    It stays at inference; the buffers are the training's (spn.methods.isw), kept here so that a checkpoint
    holds all of it. variance: [C, C], of each covariance over pairs of views, summed over the
    steps it was measured in. steps: their number. sensitive: bool [C, C], those that the loss suppresses.
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


class StyleMemory(nn.Module):
    """The styles of the last `size` images a training saw, for style hallucination (spn.methods.shade).

    Part of the network only so that a checkpoint holds the whole training; with several processes, each adds
    its own images to what the first one remembers.
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
        self.written += len(styles)
        self._count = None if self._count is None else self._count + len(styles)

    def known(self) -> Tensor:
        """The styles there are, [n, 2, width]."""
        self._count = int(self.written) if self._count is None else self._count
        return self.styles[: self._count]


def insert_style_parts(encoder: Encoder, options: TimmOptions) -> None:
    """Put into an encoder what its options ask for."""
    if options.ibn:
        insert_instance_batch_norm(encoder)
    if options.whitening:
        encoder.insert(lambda width, _: InstanceWhitening(width), replace_norm=True)
    if options.style_removal:
        insert_style_removal(encoder)
    if options.style_memory > 0:
        encoder.styles = StyleMemory(options.style_memory, width=encoder.outline[1].widths[0])
