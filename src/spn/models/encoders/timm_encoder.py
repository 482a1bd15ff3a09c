"""A timm backbone as an encoder: `features_only`, an output stride, declared widths and strides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.encoders.instance_batch_norm import replace_batch_norms
from spn.models.encoders.instance_whitening import insert_whitening
from spn.models.encoders.normalisation import input_statistics
from spn.models.encoders.options import TimmOptions
from spn.models.encoders.pretrained import load_pretrained
from spn.models.encoders.protocol import Encoding
from spn.models.encoders.style_memory import StyleMemory
from spn.models.encoders.style_removal import insert_style_removal
from spn.models.seeds import initial_weights

STAGES = 4


class TimmEncoder(nn.Module):
    """The last four levels of a timm backbone (strides 4, 8, 16 and the output stride).

    `stem` adds the level before them (stride 2) where the backbone has one. `pretrained`: False for random
    weights, True for timm's own from its hub, a path for a local file of the same model; both are loaded
    strictly. `mean` and `std` are what the backbone expects its RGB input in 0..1 to be normalised with.

    Raises UserError for a name or option timm does not know, CheckpointError for weights that do not fit.
    """

    noise_width = 0

    def __init__(self, config: TimmOptions, *, stem: bool = False, pretrained: bool | Path = False) -> None:
        super().__init__()
        levels = STAGES + int(stem)
        try:
            self.backbone = timm.create_model(
                config.name,
                features_only=True,
                output_stride=config.output_stride,
                out_indices=tuple(range(-levels, 0)),
                **_options(config),
            )
        except (
            RuntimeError,
            TypeError,
            NotImplementedError,
            ValueError,
            IndexError,
            AssertionError,
        ) as error:
            wanted = " with a level at stride 2" if stem else ""
            raise UserError(
                f"timm cannot build the encoder {config.name!r} at output stride {config.output_stride} with "
                f"options {_options(config)}{wanted}: {error}. Wanted a convolutional timm model that "
                "offers features_only (timm.list_models() lists the names), or encoder.kind frozen_vit "
                "for a vision transformer."
            ) from error
        self.widths: tuple[int, ...] = tuple(self.backbone.feature_info.channels())
        self.strides: tuple[int, ...] = tuple(self.backbone.feature_info.reduction())
        self.mean, self.std = input_statistics(config.name)
        if pretrained:
            load_pretrained(
                self.backbone,
                name=config.name,
                output_stride=config.output_stride,
                options=_options(config),
                source=pretrained,
            )
        if config.ibn:
            replace_batch_norms(self.backbone, name=config.name)
        if config.whitening:
            insert_whitening(self.backbone, name=config.name)
        if config.style_removal:
            insert_style_removal(self.backbone, name=config.name)
        if config.style_memory > 0:
            self.styles = StyleMemory(config.style_memory, width=self.widths[-STAGES])

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
        return Encoding([self.backbone(images)], kl=None)


def _options(config: TimmOptions) -> dict[str, Any]:
    given = {
        "channels": config.channels,
        "layers": config.layers,
        "stem_width": config.stem_width,
        "stem_type": config.stem_type,
        "drop_path_rate": config.drop_path_rate,
    }
    return {name: value for name, value in given.items() if value is not None}


def build(
    options: TimmOptions,
    *,
    stem: bool,
    pretrained: bool | Path,
    seed: int,
    activation_checkpointing: bool = False,
) -> TimmEncoder:
    """The encoder of these options, with the initial weights of `seed`. Raises UserError as TimmEncoder."""
    if activation_checkpointing:
        raise UserError(
            "runtime.activation_checkpointing is for encoders of kind frozen_vit only: the BatchNorm of a "
            "convolutional encoder would measure every batch twice; leave it out"
        )
    with initial_weights(seed, "encoder"):
        return TimmEncoder(options, stem=stem, pretrained=pretrained)
