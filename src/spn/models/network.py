"""The network, as in the figure: multi-resolution encoder, prompts, decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.models.decoders.auxiliary import AuxiliaryHead
from spn.models.encoders.multi_resolution import MultiResolutionEncoder
from spn.models.prompts.msffp import PromptNetwork
from spn.models.prompts.stochastic import average_kl
from spn.models.resampling import resize

SIZE_MULTIPLE = 32
"""Images are padded to a multiple of this, the same for every configuration, so all see the same pixels."""


class NetworkOutput(NamedTuple):
    """logits: [B, C, H, W] (mean prompt) or [n, B, C, H, W] (n draws), at the size of the input.

    auxiliary_logits: [B, C, h, w] on its own grid (stride 16), in training mode only.
    prompt_kl: scalar, the sum over MSFFP and the encoder's own prompts; None without a stochastic prompt.
    covers: height and width in pixels that the grid of the auxiliary logits spans (and that of the logits,
    where `upsample=False` asked for them on their own grid): the input's size, padded right and below.
    """

    logits: Tensor
    auxiliary_logits: Tensor | None
    prompt_kl: Tensor | None
    covers: tuple[int, int]


class SegmentationNetwork(nn.Module):
    """Images in 0..1 RGB → logits.

    encoder, decoder: required. prompts: None for a network without prompts. auxiliary: None for no auxiliary
    head. mean, std: the input normalisation that the encoder expects.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: MultiResolutionEncoder,
        *,
        prompts: PromptNetwork | None,
        decoder: nn.Module,
        auxiliary: AuxiliaryHead | None,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.prompts = prompts
        self.decoder = decoder
        self.auxiliary = auxiliary
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(
        self,
        images: Tensor,
        *,
        draws: int = 0,
        generator: torch.Generator | None = None,
        upsample: bool = True,
    ) -> NetworkOutput:
        """images [B, 3, H, W] of any size.

        draws = 0: the mean prompt, deterministic. draws = n: the encoder runs once (one with prompts between
        its blocks: from the first prompt on n times), the decoder n times on n random prompts; all randomness
        comes from `generator` (torch's global one if None).
        upsample = False: the logits stay on the decoder's grid, for losses that need not have every pixel.
        """
        size = (images.shape[-2], images.shape[-1]) if upsample else None
        images = self._prepare(images)
        covers = (images.shape[-2], images.shape[-1])
        pyramids, kl = self.encoder(images, draws=draws, generator=generator)
        auxiliary = self.auxiliary(pyramids[0]) if self.auxiliary is not None and self.training else None
        if self.prompts is None:
            drawn = [self._decode(pyramid, covers, size) for pyramid in pyramids]
            logits = torch.stack(drawn).expand(draws, *drawn[0].shape) if draws else drawn[0]
            return NetworkOutput(logits, auxiliary, kl, covers)
        each = draws // len(pyramids)  # every draw on the one pyramid, or one on each
        made = [self.prompts(pyramid, draws=each, generator=generator) for pyramid in pyramids]
        drawn = [
            self._decode(self.prompts.add(pyramid, prompt), covers, size)
            for pyramid, (prompts, _) in zip(pyramids, made, strict=True)
            for prompt in prompts
        ]
        own = average_kl([prompts.kl for prompts in made])
        kl = own if kl is None else kl if own is None else kl + own
        return NetworkOutput(torch.stack(drawn) if draws else drawn[0], auxiliary, kl, covers)

    def _prepare(self, images: Tensor) -> Tensor:
        """Normalise, and repeat the last row and column up to a multiple of `SIZE_MULTIPLE`."""
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f"images are {images.dtype} {tuple(images.shape)}; wanted floats [B, 3, H, W] in 0..1, RGB"
            )
        height, width = images.shape[-2:]
        bottom, right = -height % SIZE_MULTIPLE, -width % SIZE_MULTIPLE
        images = (images - self.mean) / self.std
        return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images

    def _decode(self, pyramid: list[Tensor], covers: tuple[int, int], size: tuple[int, int] | None) -> Tensor:
        logits: Tensor = self.decoder(pyramid).contiguous()
        return logits if size is None else resize(logits, covers)[..., : size[0], : size[1]]
