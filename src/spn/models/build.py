"""Builds a network from its configuration: each part by its own builder, from weights of its own seed."""

from __future__ import annotations

from pathlib import Path

from spn.core.records import checked
from spn.models.config import ModelConfig
from spn.models.decoders.options import DECODERS
from spn.models.decoders.protocol import AuxiliaryHead
from spn.models.encoders.multi_resolution import MultiResolutionEncoder
from spn.models.encoders.options import ENCODERS
from spn.models.network import SegmentationNetwork
from spn.models.prompts.options import PROMPTS
from spn.models.seeds import initial_weights


def build_network(
    config: ModelConfig,
    *,
    pretrained: bool | str | Path = False,
    seed: int = 0,
    activation_checkpointing: bool = False,
) -> SegmentationNetwork:
    """A network in training mode, on the CPU.

    Args:
        config: what it is made of.
        pretrained: False for random encoder weights, True for timm's hub, a path for a local file.
        seed: each part's initial weights come from a stream of its own that follows from it.
        activation_checkpointing: a frozen vision transformer keeps little of its blocks for the backward pass
            and computes it again: less memory, the same gradients.

    Raises:
        UserError: for a configuration that cannot be built.
        CheckpointError: for pretrained weights that do not fit.
    """
    config = checked(config, where="model")
    backbone = ENCODERS.entry_of(config.encoder).load()(
        config.encoder,
        stem=config.decoder.reads_stem,
        pretrained=Path(pretrained) if isinstance(pretrained, str) else pretrained,
        seed=seed,
        activation_checkpointing=activation_checkpointing,
    )
    widths, strides = backbone.widths, backbone.strides
    with initial_weights(seed, "decoder"):
        decoder = DECODERS.entry_of(config.decoder).load()(
            config.decoder, widths, strides=strides, num_classes=config.num_classes
        )
    auxiliary, level = None, len(widths) - 2
    if config.auxiliary:
        with initial_weights(seed, "auxiliary"):
            auxiliary = AuxiliaryHead(
                widths[level], config.auxiliary_width, level=level, num_classes=config.num_classes
            )
    with initial_weights(seed, "prompts"):
        prompts = PROMPTS.entry_of(config.prompt).load()(
            config.prompt, widths, strides=strides, decoded=decoder.levels
        )
    read = {*decoder.levels, *([level] if auxiliary else []), *(prompts.fusion.levels if prompts else [])}
    with initial_weights(seed, "scales"):
        encoder = MultiResolutionEncoder(backbone, scales=config.scales, levels=tuple(sorted(read)))
    return SegmentationNetwork(
        encoder, prompts=prompts, decoder=decoder, auxiliary=auxiliary, mean=backbone.mean, std=backbone.std
    )
