"""The smallest network that has every part; tests change single fields of it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import timm
import torch
from torch import nn

from spn.models.config import ModelConfig
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.encoders.options import FrozenViTOptions, TimmOptions
from spn.models.prompts.options import PROMPTS, BlockPromptOptions, HybridOptions, PromptOptions, TokenOptions

SMALL = ModelConfig(
    encoder=TimmOptions(
        name="resnet18",
        channels=(8, 12, 16, 24),
        layers=(1, 1, 1, 1),
        stem_width=4,
        stem_type="deep",
        style_removal=True,
    ),
    prompt=HybridOptions(width=16, tokens=4, groups=4),
    decoder=DeepLabOptions(width=16, dilations=(1, 2), skips=(Skip(8, 8, 16), Skip(4, 4, 12))),
    auxiliary_width=8,
    num_classes=19,
)

SMALL_VIT = replace(
    SMALL,
    encoder=FrozenViTOptions(
        name="test_vit",
        level_width=12,
        prompt=BlockPromptOptions(kind="hybrid", width=16, tokens=4, groups=4),
    ),
)
"""The same on a frozen vision transformer with six blocks and prompts between them."""

TOKENS = TokenOptions(kind="hybrid", width=8, tokens=4, rank=2)

SECOND = replace(
    SMALL, encoder=replace(SMALL.encoder, tokens=TOKENS), prompt=replace(SMALL.prompt, noise="curvature")
)
"""SMALL in SPN's second form: tokens after every block, noise by the curvature."""


def prompt(kind: str) -> PromptOptions:
    """Prompts of this kind, as small as those of SMALL."""
    options = PROMPTS.entry(kind).options
    names = {field.name for field in fields(options)} - {"kind"}
    return options(**{name: getattr(SMALL.prompt, name) for name in names})


def waken(network: nn.Module, *, strength: float = 0.5) -> None:
    """Give the weights that start at zero a value, as training would: prompts, scales, style removal."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith((".strength", ".share")):
                parameter.fill_(strength)


def images(batch: int = 2, height: int = 64, width: int = 96, *, seed: int = 0) -> torch.Tensor:
    """Random images [B, 3, H, W] in 0..1."""
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 1) -> torch.Generator:
    """A stream of draws on the CPU."""
    return torch.Generator().manual_seed(seed)


def hide_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm's hub cannot be reached."""
    create = timm.create_model

    def offline(name: str, pretrained: bool = False, **options: object) -> object:
        if pretrained:
            raise ConnectionError("no route to the hub")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
