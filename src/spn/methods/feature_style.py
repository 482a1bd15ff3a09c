"""The style of features, and how a method changes it while training.

A feature map's style is its mean and standard deviation over the image, per channel (Huang and Belongie,
"Arbitrary style transfer", ICCV 2017): x = σ · (x − μ) / σ + μ. Methods that replace μ and σ share this file.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spn.models.network import SegmentationNetwork
from spn.models.seeds import draw

EPSILON = 1e-6


def style(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of [B, C, h, w] over the image, each [B, C, 1, 1]."""
    mean = features.mean(dim=(2, 3), keepdim=True)
    deviation = (features.var(dim=(2, 3), keepdim=True, unbiased=False) + EPSILON).sqrt()
    return mean, deviation


def restyled(features: Tensor, *, mean: Tensor, deviation: Tensor) -> Tensor:
    """Features [B, C, h, w] with their own style replaced by this one, [B, C, 1, 1] each."""
    own_mean, own_deviation = style(features)
    return (features - own_mean) / own_deviation * deviation + mean


def attach(
    network: SegmentationNetwork, restyle: Callable[[Tensor], Tensor], *, levels: Sequence[int]
) -> None:
    """Pass what some stages of the encoder put out, [B, C, h, w], through `restyle`, in training mode only.

    levels: which stages; -4 is the first, -1 the last. Frozen ones, which stay in evaluation, are restyled
    too. Raises UserError for an encoder without stages.
    """
    training = False

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal training
        training = module.training

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> Any:
        if not training:
            return output
        return restyle(output) if isinstance(output, Tensor) else [restyle(features) for features in output]

    backbone = network.encoder.backbone
    backbone.register_forward_pre_hook(look)
    for level in levels:
        backbone.get_submodule(backbone.outline[level].name).register_forward_hook(hook, prepend=True)


def happens(probability: float, *, generator: torch.Generator | None) -> bool:
    """True with this probability."""
    return float(torch.rand((), generator=generator, device=_device(generator))) < probability


def normal_like(values: Tensor, *, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers in the shape of `values`."""
    return draw(torch.randn, values.shape, like=values, generator=generator).to(values.dtype)


def shuffled(size: int, *, generator: torch.Generator | None) -> Tensor:
    """A random order of the images of a batch."""
    return torch.randperm(size, generator=generator, device=_device(generator))


def numpy_stream(generator: torch.Generator | None) -> np.random.Generator:
    """A NumPy generator that follows `generator`: torch draws some distributions from its global one only."""
    seed = torch.randint(1 << 31, (), generator=generator, device=_device(generator))
    return np.random.default_rng(int(seed))


def _device(generator: torch.Generator | None) -> torch.device | None:
    return None if generator is None else generator.device
