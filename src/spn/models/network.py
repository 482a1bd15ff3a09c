"""The network, as in the figure: multi-resolution encoder, prompts, decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.models.convolution import resize
from spn.models.decoders.auxiliary import AuxiliaryHead
from spn.models.encoders.multi_resolution import MultiResolutionEncoder
from spn.models.prompts.msffp import PromptNetwork

SIZE_MULTIPLE = 32
"""Images are padded to a multiple of this, the same for every configuration, so all see the same pixels."""


class NetworkOutput(NamedTuple):
    """logits: [B, C, H, W] (mean prompt) or [n, B, C, H, W] (n draws), at the size of the input.

    auxiliary_logits: [B, C, h, w] on its own grid (stride 16), in training mode only.
    prompt_kl: scalar, None where there is no stochastic prompt.
    """

    logits: Tensor
    auxiliary_logits: Tensor | None
    prompt_kl: Tensor | None


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
        self, images: Tensor, *, draws: int = 0, generator: torch.Generator | None = None
    ) -> NetworkOutput:
        """images [B, 3, H, W] of any size.

        draws = 0: the mean prompt, deterministic. draws = n: the encoder runs once, the decoder n times on n
        random prompts; all randomness comes from `generator` (torch's global one if None).
        """
        size = (images.shape[-2], images.shape[-1])
        pyramid = self.encoder(self._prepare(images))
        auxiliary = self.auxiliary(pyramid) if self.auxiliary is not None and self.training else None
        if self.prompts is None:
            logits = self._decode(pyramid, size)
            return NetworkOutput(logits.expand(draws, *logits.shape) if draws else logits, auxiliary, None)
        prompts, kl = self.prompts(pyramid, draws=draws, generator=generator)
        drawn = [self._decode(self.prompts.add(pyramid, prompt), size) for prompt in prompts]
        return NetworkOutput(torch.stack(drawn) if draws else drawn[0], auxiliary, kl)

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

    def _decode(self, pyramid: list[Tensor], size: tuple[int, int]) -> Tensor:
        logits = self.decoder(pyramid)
        padded = (size[0] + -size[0] % SIZE_MULTIPLE, size[1] + -size[1] % SIZE_MULTIPLE)
        return resize(logits, padded)[..., : size[0], : size[1]]
