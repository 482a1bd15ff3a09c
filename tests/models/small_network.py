"""The smallest network that has every part; tests change single fields of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from spn.models.config import (
    BlockPromptConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    PromptConfig,
)

SMALL = ModelConfig(
    encoder=EncoderConfig(
        name="resnet18",
        channels=(8, 12, 16, 24),
        layers=(1, 1, 1, 1),
        stem_width=4,
        stem_type="deep",
        style_removal=True,
    ),
    prompt=PromptConfig(width=16, tokens=4, groups=4),
    decoder=DecoderConfig(
        width=16,
        dilations=(1, 2),
        skip_strides=(8, 4),
        skip_widths=(8, 4),
        refine_widths=(16, 12),
        refine_convolutions=(1, 1),
    ),
    auxiliary_width=8,
    num_classes=19,
)

SMALL_VIT = replace(
    SMALL,
    encoder=EncoderConfig(name="test_vit", family="frozen_vit", level_width=12),
    block_prompt=BlockPromptConfig(kind="hybrid", width=16, tokens=4, groups=4),
)
"""The same on a frozen vision transformer with six blocks and prompts between them."""


def waken(network: nn.Module, *, strength: float = 0.5) -> None:
    """Give the weights that start at zero a value, as training would, so that prompts and scales count."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".strength"):
                parameter.fill_(strength)


def images(batch: int = 2, height: int = 64, width: int = 96, *, seed: int = 0) -> torch.Tensor:
    """Random images [B, 3, H, W] in 0..1."""
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 1) -> torch.Generator:
    """A stream of draws on the CPU."""
    return torch.Generator().manual_seed(seed)
