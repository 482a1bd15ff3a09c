"""The network, as in the figure: multi-resolution encoder, prompts, decoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spn.losses.criterion import Prediction
from spn.models.decoders.protocol import AuxiliaryHead, Decoder
from spn.models.encoders.multi_resolution import SIZE_MULTIPLE, MultiResolutionEncoder, Window
from spn.models.encoders.protocol import Pyramid
from spn.models.prompts.hybrid import average_kl
from spn.models.prompts.msffp import PromptNetwork
from spn.models.resampling import cropped, padded, resize


class NetworkOutput(NamedTuple):
    """logits: [B, C, H, W] (mean prompt) or [n, B, C, H, W] (n samples), at the size of the input.

    auxiliary_logits: [B, C, h, w] on its own grid (stride 16), in training mode only.
    prompt_kl: scalar, the sum over MSFFP and the encoder's own prompts; None without a stochastic prompt.
    covers: height and width in pixels that the grid of the auxiliary logits spans (and that of the logits,
    where `upsample=False` asked for them on their own grid): the input's size, padded right and below.
    parts: what else the decoder's criterion reads, in training mode only; [B, ...] or [n, B, ...].
    """

    logits: Tensor
    auxiliary_logits: Tensor | None
    prompt_kl: Tensor | None
    covers: tuple[int, int]
    parts: tuple[Tensor, ...] = ()

    @property
    def num_samples(self) -> int:
        """How many random prompts there are; 0 for the mean prompt."""
        return len(self.logits) if self.logits.ndim == 5 else 0

    def prediction(self) -> Prediction:
        """What the decoder's criterion reads. n samples of B images are n · B images, by sample."""
        if not self.num_samples:
            return Prediction(self.logits, self.parts)
        return Prediction(self.logits.flatten(0, 1), tuple(part.flatten(0, 1) for part in self.parts))

    def first(self, images: int) -> NetworkOutput:
        """The same of the first images of the batch; the KL stays that of all."""
        batch = 1 if self.num_samples else 0
        logits, *parts = (part.narrow(batch, 0, images) for part in (self.logits, *self.parts))
        auxiliary = None if self.auxiliary_logits is None else self.auxiliary_logits[:images]
        return self._replace(logits=logits, auxiliary_logits=auxiliary, parts=tuple(parts))


def images_at_once(weights: int) -> int:
    """How many images a network of so many weights is to look at side by side on a CPU, at most.

    One if it is large: one image then keeps several cores busy, and each takes memory of its own.
    """
    return 4 if weights < 20_000_000 else 1


class SegmentationNetwork(nn.Module):
    """Images in 0..1 RGB → logits. mean, std: the normalisation that the encoder expects."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: MultiResolutionEncoder,
        *,
        prompts: PromptNetwork | None,
        decoder: Decoder,
        auxiliary: AuxiliaryHead | None,
    ) -> None:
        super().__init__()
        self.encoder, self.prompts = encoder, prompts
        self.decoder, self.auxiliary = decoder, auxiliary
        mean, std = encoder.backbone.mean, encoder.backbone.std
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    @property
    def at_once(self) -> int:
        """How many threads may look at images of their own at the same time, with the mean prompt.

        One where coarse scales borrow the fine one's modules (`MultiResolutionEncoder.separate`), else
        `images_at_once`.
        """
        weights = sum(parameter.numel() for parameter in self.parameters())
        return images_at_once(weights) if self.encoder.separated else 1

    def forward(
        self,
        images: Tensor,
        *,
        num_samples: int = 0,
        generator: torch.Generator | None = None,
        upsample: bool = True,
        window: Window | None = None,
    ) -> NetworkOutput:
        """Logits of images [B, 3, H, W] of any size.

        Args:
            images: floats in 0..1, RGB.
            num_samples: 0 for the mean prompt, deterministic. n: one pass of the encoder (n of what follows a
                prompt between its blocks), and n of the decoder on random prompts.
            generator: all randomness of the prompts comes from here; torch's global one if None.
            upsample: False leaves the logits on the decoder's grid, for losses that need not all pixels.
            window: the part of the images that the fine scale sees and that is predicted; None: all.

        Raises:
            ValueError: for anything but floats [B, 3, H, W].
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f"images are {images.dtype} {tuple(images.shape)}; wanted floats [B, 3, H, W] in 0..1, RGB"
            )
        size = (images.shape[-2], images.shape[-1])
        images = padded((images - self.mean) / self.std, multiple=SIZE_MULTIPLE)
        covers = (images.shape[-2], images.shape[-1])
        pyramids, kl = self.encoder(images, num_samples=num_samples, generator=generator, window=window)
        if window is not None:
            size = covers = (window.height, window.width)
        auxiliary = self.auxiliary(pyramids[0]) if self.auxiliary is not None and self.training else None
        prompted, own_kl = self._prompted(pyramids, num_samples=num_samples, generator=generator)
        kl = own_kl if kl is None else kl if own_kl is None else kl + own_kl
        predictions = []
        for pyramid in prompted:
            logits, parts = self.decoder(pyramid)
            logits = logits.contiguous()
            if upsample:
                logits = cropped(resize(logits, covers), size)
            predictions.append((logits, *parts))
        logits, *rest = (_stacked(same, num_samples) for same in zip(*predictions, strict=True))
        return NetworkOutput(logits, auxiliary, kl, covers, tuple(rest))

    def _prompted(
        self, pyramids: list[Pyramid], *, num_samples: int, generator: torch.Generator | None
    ) -> tuple[Iterable[Pyramid], Tensor | None]:
        """The pyramids with prompts, added on demand: every sample on the one, or one on each."""
        if (prompts := self.prompts) is None:
            return pyramids, None
        each = num_samples // len(pyramids)
        made = [prompts(pyramid, num_samples=each, generator=generator) for pyramid in pyramids]
        pairs = zip(pyramids, made, strict=True)
        added = (prompts.add(pyramid, prompt) for pyramid, own in pairs for prompt in own.prompts)
        return added, average_kl([own.kl for own in made])


def _stacked(tensors: Sequence[Tensor], num_samples: int) -> Tensor:
    """[n, ...] of n samples, for all of which a network without prompts has one; the mean's own for n = 0."""
    return torch.stack(tuple(tensors)).expand(num_samples, *tensors[0].shape) if num_samples else tensors[0]
