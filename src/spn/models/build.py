"""Builds a network from its configuration, and a larger one from a trained one.

Each part is built by its own builder, from weights of its own seed. What a larger network has more of starts
by changing nothing: timm's ResNets set the last normalisation weight of every block to zero, so an untrained
block behind the trained ones of its stage adds nothing, nor do a detail branch and strip blocks; prompts,
further scales and style removal are added by a strength or share of zero.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from spn.core.records import checked
from spn.models.config import ModelConfig
from spn.models.decoders.options import DECODERS
from spn.models.decoders.protocol import AuxiliaryHead
from spn.models.encoders.multi_resolution import MultiResolutionEncoder
from spn.models.encoders.options import ENCODERS
from spn.models.encoders.outline import CONTAINERS, outers
from spn.models.encoders.style_parts import StyleRemoval
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
        activation_checkpointing: a frozen vision transformer computes most of its blocks again for the
            backward pass: less memory, the same gradients.

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
    auxiliary = None
    if config.auxiliary:
        with initial_weights(seed, "auxiliary"):
            auxiliary = AuxiliaryHead(widths, config.auxiliary_width, num_classes=config.num_classes)
    with initial_weights(seed, "prompts"):
        prompts = PROMPTS.entry_of(config.prompt).load()(
            config.prompt, widths, strides=strides, decoded=decoder.levels
        )
    read = {*decoder.levels, *(prompts.fusion.levels if prompts else ())}
    if auxiliary:
        read.add(auxiliary.level)
    with initial_weights(seed, "scales"):
        encoder = MultiResolutionEncoder(backbone, scales=config.scales, levels=tuple(sorted(read)))
    return SegmentationNetwork(encoder, prompts=prompts, decoder=decoder, auxiliary=auxiliary)


def grown(trained: ModelConfig, wanted: ModelConfig) -> ModelConfig:
    """`trained` with what `wanted` has more of, as far as its parts can be given it (Options.grown)."""
    parts = {part: (getattr(trained, part), getattr(wanted, part)) for part in ("encoder", "decoder")}
    larger = {part: old.grown(new) for part, (old, new) in parts.items() if type(old) is type(new)}
    prompt = wanted.prompt if trained.prompt.kind == "none" else trained.prompt
    scales = wanted.scales if trained.scales == (1.0,) else trained.scales
    return dataclasses.replace(trained, **larger, prompt=prompt, scales=scales)


def per_class(config: ModelConfig) -> tuple[str, ...]:
    """The tensors that have a row per class, whatever the decoder: those that one class more makes larger."""
    with torch.device("meta"):
        one, other = (
            build_network(dataclasses.replace(config, num_classes=config.num_classes + more)).state_dict()
            for more in (0, 1)
        )
    return tuple(name for name, tensor in one.items() if tensor.shape != other[name].shape)


def load_grown(network: SegmentationNetwork, weights: Mapping[str, Tensor]) -> int:
    """Give `network` the weights of a smaller one and return how many new parts it has.

    A part is a module, with modules inside, of which the smaller network has nothing (a block, a branch, the
    prompts), or style removal. A new scale starts with the statistics of the first one.
    Raises ValueError if anything but whole parts is missing, if a new part changes anything, and for weights
    that have no place (of style removal, where its stage got deeper).
    """
    own = network.state_dict()
    if homeless := sorted(weights.keys() - own.keys()):
        raise ValueError(f"{homeless[0]} has no place in the larger network")
    statistics = {f"encoder.{name}": f"encoder.{of}" for name, of in network.encoder.stands_for().items()}
    weights = {name: weights[of] for name, of in statistics.items() if of in weights} | {**weights}
    known = {outer for name in weights for outer in outers(statistics.get(name, name))}
    parts: dict[str, list[str]] = {}
    for name in sorted(own.keys() - weights.keys()):
        for outer in outers(statistics.get(name, name)):
            module = network.get_submodule(outer)
            whole = [*module.children()] or isinstance(module, StyleRemoval)
            if outer not in known and type(module) not in CONTAINERS and whole:
                parts.setdefault(outer, []).append(name)
                break
        else:
            raise ValueError(f"{name} is missing, and is no part of a new block or branch")
    for part, names in parts.items():
        if not any(
            name.endswith((".weight", ".strength", ".share")) and not own[name].any() for name in names
        ):
            raise ValueError(f"{part} is new, and does not start as the identity")
    network.load_state_dict({**own, **weights})
    return len(parts)
