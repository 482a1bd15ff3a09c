"""Normalises shallow features in part by the image's own statistics, which takes out part of its style.

    μ = (1 - λ) μ_training + λ μ_image,   σ² = (1 - λ) σ²_training + λ σ²_image

in every batch normalisation of an encoder's stem and first two stages; λ is `Views.own_statistics`. No weight
changes. From Bahmani et al., "Semantic Self-adaptation: Enhancing Generalization with a Single Sample" (TMLR
2023), who do so in all layers and also train on the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.encoders.protocol import Encoder
from spn.models.encoders.style_removal import image_statistics

STAGES = 2


@contextmanager
def own_statistics(network: nn.Module, share: float) -> Iterator[None]:
    """Within the context `network`, in evaluation mode, normalises with λ = `share`, each image by itself.

    Raises UserError for a network without such normalisations.
    """
    with ExitStack() as hooks:
        if share > 0:
            encoders = [module for module in network.modules() if isinstance(module, Encoder)]
            norms = [norm for encoder in encoders for norm in encoder.norms(stages=STAGES)]
            if not norms:
                raise UserError(
                    f"own statistics {share:g}: wanted 0, the network's encoder has no BatchNorm (left), so "
                    "no statistics of the training that an image's own could replace"
                )
            for norm in norms:
                hooks.enter_context(norm.register_forward_pre_hook(_renormalise(share)))
        yield


def _renormalise(share: float) -> Callable[[nn.Module, tuple[Tensor]], Tensor]:
    """A hook on what a BatchNorm2d gets: normalised by the training's statistics, it comes out as if by the
    mixed ones."""

    def hook(norm: nn.Module, arguments: tuple[Tensor]) -> Tensor:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = (value.view(1, -1, 1, 1) for value in (norm.running_mean, norm.running_var))
        own_mean, own_scale = image_statistics(arguments[0])
        variance = variance + norm.eps  # both variances with the epsilon that roots of them need
        gain = torch.sqrt(variance / torch.lerp(variance, own_scale.pow(-2), share))
        offset = mean - gain * torch.lerp(mean, own_mean, share)
        return torch.addcmul(offset.to(arguments[0].dtype), arguments[0], gain.to(arguments[0].dtype))

    return hook
