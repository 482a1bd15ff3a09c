"""Builds a network from its configuration: the one place where parts meet numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from spn.core.errors import UserError
from spn.core.seeding import derive_seed
from spn.models.config import BlockPromptConfig, DecoderConfig, ModelConfig, PromptConfig
from spn.models.decoders.aspp import ASPP
from spn.models.decoders.auxiliary import AuxiliaryHead
from spn.models.decoders.deeplab import DeepLabDecoder, SkipJoin
from spn.models.decoders.detail import DetailBranch
from spn.models.decoders.strip import StripBlock
from spn.models.encoders.frozen_vit import FrozenViT, create_frozen_vit
from spn.models.encoders.multi_resolution import MultiResolutionEncoder
from spn.models.encoders.normalisation import input_statistics
from spn.models.encoders.protocol import level_at_stride
from spn.models.encoders.timm_encoder import TimmEncoder
from spn.models.encoders.token_pyramid import TokenPyramid
from spn.models.network import SegmentationNetwork
from spn.models.prompts.between_blocks import BlockPrompt, BlockPrompts
from spn.models.prompts.fusion import MultiScaleFusion
from spn.models.prompts.hybrid import HybridGate
from spn.models.prompts.msffp import PromptInjection, PromptNetwork
from spn.models.prompts.semantic import SemanticPrompt
from spn.models.prompts.stochastic import StochasticPrompt

STEM_STRIDE = 2
PROMPT_STRIDE = 16
LEVEL_STRIDES = (4, 8, 16, 32)
OUTPUT_STRIDES = (8, 16, 32)


def build_network(
    config: ModelConfig, *, pretrained: bool | Path = False, seed: int = 0, recompute: bool = False
) -> SegmentationNetwork:
    """A network in training mode, on the CPU.

    pretrained: False for random encoder weights, True for timm's hub, a path for a local file. seed: each
    part draws its initial weights from a stream of its own, so two configurations share those of their
    common parts. recompute: a frozen vision transformer keeps little of its blocks for the backward pass and
    computes it again: less memory, the same gradients.
    Raises UserError for a configuration that cannot be built, CheckpointError for weights that do not fit.
    """
    _check(config)
    backbone: TimmEncoder | FrozenViT
    if config.encoder.family == "frozen_vit":
        backbone = build_frozen_vit(config, pretrained=pretrained, seed=seed, recompute=recompute)
    elif recompute:
        raise UserError(
            "runtime.recompute is for encoders of the family frozen_vit only: the BatchNorm of a "
            "convolutional encoder would measure every batch twice; leave it out"
        )
    else:
        stem = STEM_STRIDE in config.decoder.skip_strides or config.decoder.detail_width > 0
        with _initial_weights(seed, "encoder"):
            backbone = TimmEncoder(config.encoder, stem=stem, pretrained=pretrained)
    widths, strides = backbone.widths, backbone.strides
    try:
        skips = tuple(level_at_stride(strides, stride) for stride in config.decoder.skip_strides)
    except ValueError as error:
        raise UserError(f"decoder.skip_strides is {config.decoder.skip_strides}: {error}") from error
    decoded = tuple(sorted({*skips, len(widths) - 1}))
    auxiliary_level = len(widths) - 2

    with _initial_weights(seed, "decoder"):
        decoder = build_decoder(config.decoder, widths, skips=skips, num_classes=config.num_classes)
    auxiliary = None
    if config.auxiliary:
        with _initial_weights(seed, "auxiliary"):
            auxiliary = AuxiliaryHead(
                widths[auxiliary_level],
                config.auxiliary_width,
                level=auxiliary_level,
                num_classes=config.num_classes,
            )
    prompts = None
    if config.prompt.kind != "none":
        with _initial_weights(seed, "prompts"):
            prompts = build_prompts(config.prompt, widths, strides=strides, decoded=decoded)

    read = {*decoded, *((auxiliary_level,) if auxiliary else ()), *(prompts.fusion.levels if prompts else ())}
    with _initial_weights(seed, "scales"):
        encoder = MultiResolutionEncoder(backbone, scales=config.scales, levels=tuple(sorted(read)))
    return SegmentationNetwork(
        encoder, prompts=prompts, decoder=decoder, auxiliary=auxiliary, mean=backbone.mean, std=backbone.std
    )


def build_frozen_vit(
    config: ModelConfig, *, pretrained: bool | Path, seed: int, recompute: bool
) -> FrozenViT:
    """The frozen encoder of `config`, with the prompts between its blocks."""
    with _initial_weights(seed, "encoder"):
        backbone = create_frozen_vit(config.encoder, pretrained=pretrained)
        strides = tuple(min(stride, config.encoder.output_stride) for stride in LEVEL_STRIDES)
        width = backbone.embed_dim
        pyramid = TokenPyramid(width, level_width=config.encoder.level_width, strides=strides)
    prompts = None
    if config.block_prompt.kind != "none":
        with _initial_weights(seed, "block prompts"):
            prompts = build_block_prompts(
                config.block_prompt, width, depth=len(backbone.blocks), prefix=backbone.num_prefix_tokens
            )
    mean, std = input_statistics(config.encoder.name)
    return FrozenViT(backbone, pyramid=pyramid, prompts=prompts, mean=mean, std=std, recompute=recompute)


def build_block_prompts(config: BlockPromptConfig, width: int, *, depth: int, prefix: int) -> BlockPrompts:
    """Prompts for a vision transformer of `depth` blocks and `width` channels; `prefix`: as BlockPrompts."""
    if not 0 <= config.first_block < depth:
        raise UserError(
            f"block_prompt.first_block is {config.first_block}; the encoder's blocks are 0 to {depth - 1}"
        )
    blocks = [
        BlockPrompt(
            width,
            semantic=(
                SemanticPrompt(config.width, tokens=config.tokens)
                if config.kind in ("hybrid", "semantic")
                else None
            ),
            stochastic=(
                StochasticPrompt(config.width, noise="image", use_spread=False)
                if config.kind in ("hybrid", "stochastic")
                else None
            ),
            gate=HybridGate(config.width, groups=config.groups) if config.kind == "hybrid" else None,
        )
        for _ in range(config.first_block, depth)
    ]
    return BlockPrompts(
        width, prompt_width=config.width, blocks=blocks, first=config.first_block, prefix=prefix
    )


def build_decoder(
    config: DecoderConfig, widths: tuple[int, ...], *, skips: tuple[int, ...], num_classes: int
) -> DeepLabDecoder:
    """DeepLabV3+ on a pyramid of `widths`; `skips` are the indices of the levels it joins, deepest first."""
    context = ASPP(widths[-1], config.width, dilations=config.dilations, separable=config.separable)
    joins = []
    width = config.width
    for level, reduced, refined, convolutions in zip(
        skips, config.skip_widths, config.refine_widths, config.refine_convolutions, strict=True
    ):
        joins.append(
            SkipJoin(
                width,
                widths[level],
                reduced_width=reduced,
                out_width=refined,
                convolutions=convolutions,
                separable=config.separable,
            )
        )
        width = refined
    classifier = nn.Conv2d(width, num_classes, 1)
    nn.init.normal_(classifier.weight, std=0.01)
    detail = None
    if config.detail_width:
        detail = DetailBranch(width, widths[0], config.detail_width, num_classes=num_classes)
    strips = [StripBlock(width, length=config.strip_length) for _ in range(config.strips)]
    return DeepLabDecoder(
        context, joins=joins, skip_levels=skips, classifier=classifier, strips=strips, detail=detail
    )


def build_prompts(
    config: PromptConfig, widths: tuple[int, ...], *, strides: tuple[int, ...], decoded: tuple[int, ...]
) -> PromptNetwork:
    """MSFFP on a pyramid; prompts go to the `decoded` levels, or those of them in `config.strides`."""
    fused = tuple(level for level, stride in enumerate(strides) if stride > STEM_STRIDE)
    grid = level_at_stride(strides, min(PROMPT_STRIDE, strides[-1]))
    levels = tuple(level for level in decoded if config.strides is None or strides[level] in config.strides)
    unread = set(config.strides or ()) - {strides[level] for level in levels}
    if unread or not levels:
        raise UserError(
            f"prompt.strides is {config.strides}, but the decoder reads the levels at strides "
            f"{tuple(strides[level] for level in decoded)} only; choose among these"
        )
    hybrid = config.kind == "hybrid"
    return PromptNetwork(
        MultiScaleFusion(widths, levels=fused, grid=grid, prompt_width=config.width),
        semantic=(
            SemanticPrompt(config.width, tokens=config.tokens)
            if config.kind in ("hybrid", "semantic")
            else None
        ),
        stochastic=(
            StochasticPrompt(config.width, noise=config.noise, use_spread=config.style_spread)
            if config.kind in ("hybrid", "stochastic")
            else None
        ),
        gate=HybridGate(config.width, groups=config.groups) if hybrid else None,
        injections=[PromptInjection(config.width, widths[level]) for level in levels],
        levels=levels,
    )


def _check(config: ModelConfig) -> None:
    decoder = config.decoder
    lengths = {
        len(decoder.skip_strides),
        len(decoder.skip_widths),
        len(decoder.refine_widths),
        len(decoder.refine_convolutions),
    }
    if len(lengths) != 1:
        raise UserError(
            f"decoder.skip_strides {decoder.skip_strides}, skip_widths {decoder.skip_widths}, refine_widths "
            f"{decoder.refine_widths} and refine_convolutions {decoder.refine_convolutions} differ: "
            "wanted one value each per skip level"
        )
    if decoder.detail_width < 0:
        raise UserError(f"decoder.detail_width is {decoder.detail_width}; wanted 0 (none) or more")
    if decoder.strips < 0:
        raise UserError(f"decoder.strips is {decoder.strips}; wanted 0 (none) or more")
    if decoder.strip_length < 1 or decoder.strip_length % 2 == 0:
        raise UserError(f"decoder.strip_length is {decoder.strip_length}; wanted an odd number of rows")
    if decoder.detail_width and STEM_STRIDE in decoder.skip_strides:
        raise UserError(
            f"decoder.skip_strides is {decoder.skip_strides}, so the logits are at stride {STEM_STRIDE} "
            f"without decoder.detail_width, {decoder.detail_width}; choose one of the two"
        )
    if decoder.detail_width and config.encoder.family == "frozen_vit":
        raise UserError(
            f"decoder.detail_width is {decoder.detail_width}, but a frozen vision transformer has no stem at "
            f"stride {STEM_STRIDE}; leave it at 0"
        )
    if not config.scales or config.scales[0] != 1 or not all(0 < scale < 1 for scale in config.scales[1:]):
        raise UserError(f"scales is {config.scales}; wanted 1.0 first, then values between 0 and 1")
    prompts = (("prompt", config.prompt), ("block_prompt", config.block_prompt))
    counts = [("num_classes", config.num_classes)]
    for field in ("skip_widths", "refine_widths", "refine_convolutions"):
        counts += [(f"decoder.{field}", count) for count in getattr(decoder, field)]
    for field in ("width", "tokens", "groups"):
        counts += [(f"{name}.{field}", getattr(prompt, field)) for name, prompt in prompts]
    for name, count in counts:
        if count < 1:
            raise UserError(f"{name} is {count}; wanted at least 1")
    for name, prompt in prompts:
        if prompt.kind == "hybrid" and prompt.width % prompt.groups:
            raise UserError(
                f"{name}.groups is {prompt.groups}; wanted a divisor of {name}.width, {prompt.width}"
            )
    if config.block_prompt.kind != "none" and config.encoder.family != "frozen_vit":
        raise UserError(
            f"block_prompt.kind is {config.block_prompt.kind!r}, but a convolutional encoder has no blocks "
            "for it; set it to 'none', or encoder.family to 'frozen_vit'"
        )
    if config.encoder.family == "frozen_vit" and config.encoder.output_stride not in OUTPUT_STRIDES:
        raise UserError(
            f"encoder.output_stride is {config.encoder.output_stride}; wanted one of {OUTPUT_STRIDES}"
        )


@contextlib.contextmanager
def _initial_weights(seed: int, part: str) -> Iterator[None]:
    """Torch's global CPU generator starts from (seed, part) inside, and is as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights", part))
        yield
