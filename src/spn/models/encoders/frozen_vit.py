"""A frozen vision transformer (timm's ViT and EVA) as an encoder, with prompts between its blocks.

Its weights get no gradient and no optimiser state, and it stays in evaluation mode. Blocks up to the first
prompt run without autograd, once for all draws; only what follows is repeated for each draw.

Whatever its patch size p, it sees the image resized to p pixels for every 16 (a patch of 14 covers 16 pixels
of the image): the weights stay as they were trained, and tokens lie on a stride-16 grid. timm interpolates
the position embeddings to that grid (`dynamic_img_size`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import timm
import torch
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from spn.core.errors import UserError
from spn.models.encoders.normalisation import input_statistics
from spn.models.encoders.options import FrozenViTOptions
from spn.models.encoders.pretrained import load_pretrained
from spn.models.encoders.protocol import CoarseScale, Encoder, Encoding
from spn.models.encoders.scale_blocks import BLOCKS, Spans, run_block
from spn.models.encoders.token_pyramid import TokenPyramid
from spn.models.prompts.between_blocks import BlockPrompts, Prompted
from spn.models.prompts.hybrid import average_kl
from spn.models.resampling import resize_images
from spn.models.seeds import initial_weights

LEVELS = 4
TOKEN_STRIDE = 16
LEVEL_STRIDES = (4, 8, 16, 32)


class FrozenViT(Encoder):
    """Levels from the tokens after each quarter of the blocks; the deepest is that of the last block.

    backbone: from `create_frozen_vit`. pyramid: makes the levels, trained. prompts: between the blocks,
    trained; None for the frozen encoder alone. mean, std: the input normalisation it expects.
    activation_checkpointing: keep only what goes from block to block, and compute the rest again in the
    backward pass.
    """

    spans_exactly = True

    def __init__(
        self,
        backbone: VisionTransformer | Eva,
        *,
        pyramid: TokenPyramid,
        prompts: BlockPrompts | None,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.prompts = prompts
        self.pyramid = pyramid
        self.widths, self.strides = pyramid.widths, pyramid.strides
        self.noise_width = 0 if prompts is None else prompts.noise_width
        self.mean, self.std = mean, std
        self.activation_checkpointing = activation_checkpointing
        self.blocks = len(backbone.blocks)
        self.read = tuple(self.blocks * quarter // LEVELS - 1 for quarter in range(1, LEVELS + 1))
        self.train(self.training)

    def train(self, mode: bool = True) -> FrozenViT:
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
        return self.encode([images], noise)[0]

    def encode(
        self,
        images_at_scales: Sequence[Tensor],
        noise: Tensor | None = None,
        *,
        coarse: Sequence[CoarseScale] = (),
    ) -> list[Encoding]:
        """Images [B, 3, H, W] at several resolutions: an encoding of each, from one pass of the blocks.

        All see the same noise. kl: the mean over the resolutions, in each encoding. coarse: not needed.
        """
        scales = [_Scale.of(images) for images in images_at_scales]
        alone = self.blocks if self.prompts is None else self.prompts.first + 1
        known, spans = self._frozen_blocks(images_at_scales, scales, count=alone)
        encodings: list[Encoding] = [Encoding([], None) for _ in scales]
        divergences = []
        for drawn in (None,) if noise is None else noise:
            tokens, kl = self._prompted_blocks(known, spans, noise=drawn)
            divergences.append(kl)
            read = [tokens[block].split(spans.lengths, dim=1) for block in self.read]
            for number, (scale, encoding) in enumerate(zip(scales, encodings, strict=True)):
                patches = [parts[number][:, self.backbone.num_prefix_tokens :] for parts in read]
                encoding.pyramids.append(self.pyramid(patches, grid=scale.grid, size=scale.size))
        average = average_kl(divergences)
        return [encoding._replace(kl=average) for encoding in encodings]

    @torch.no_grad()
    def _frozen_blocks(
        self, at_scales: Sequence[Tensor], scales: Sequence[_Scale], *, count: int
    ) -> tuple[dict[int, Tensor], Spans]:
        """Tokens [B, ΣN, C] after those of the first `count` blocks that something reads; whose they are."""
        rope = getattr(self.backbone, "rope", None)
        parts = [
            self._first_block(images, scale.grid) for images, scale in zip(at_scales, scales, strict=True)
        ]
        spans = Spans(
            [part.shape[1] for part in parts],
            [None if rope is None else rope.get_embed(shape=scale.grid) for scale in scales],
        )
        tokens = torch.cat(parts, dim=1)
        known = {0: tokens}
        for block in range(1, count):
            tokens = run_block(self.backbone.blocks[block], tokens, spans)
            if block in self.read or block == count - 1:
                known[block] = tokens
        return known, spans

    def _first_block(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """The tokens of one scale after the first block, by timm's own forward: [B, prefix + h · w, C]."""
        height, width = self.backbone.patch_embed.patch_size
        (patches, prefix), *_ = self.backbone.forward_intermediates(
            resize_images(images, (grid[0] * height, grid[1] * width)),
            indices=[0],
            return_prefix_tokens=True,
            stop_early=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        return torch.cat([prefix, patches], dim=1)

    def _prompted_blocks(
        self, known: dict[int, Tensor], spans: Spans, *, noise: Tensor | None
    ) -> tuple[dict[int, Tensor], Tensor | None]:
        """Tokens by block, as far as they are read, with the prompts so far; the KL averaged over blocks."""
        if self.prompts is None:
            return known, None
        step: Callable[..., Prompted] = self._step
        if self.activation_checkpointing and torch.is_grad_enabled():
            step = partial(checkpoint, self._step, use_reentrant=False, preserve_rng_state=False)
        first = self.prompts.first
        tokens, result, divergences = known[first], dict(known), []
        for block in range(first, self.blocks):
            tokens, kl = step(tokens, block, noise, spans)
            if block in self.read:
                result[block] = tokens
            divergences.append(kl)
        return result, average_kl(divergences)

    def _step(self, tokens: Tensor, block: int, noise: Tensor | None, spans: Spans) -> Prompted:
        """The frozen block (the first prompted one has run already), and the prompt after it by scale."""
        assert self.prompts is not None
        if block > self.prompts.first:
            tokens = run_block(self.backbone.blocks[block], tokens, spans)
        parts = tokens.split(spans.lengths, dim=1)
        prompted = [self.prompts(part, block=block, noise=noise) for part in parts]
        return Prompted(
            torch.cat([part.features for part in prompted], dim=1), average_kl([part.kl for part in prompted])
        )


class _Scale(NamedTuple):
    """size: of the images, (height, width); grid: of their tokens."""

    size: tuple[int, int]
    grid: tuple[int, int]

    @classmethod
    def of(cls, images: Tensor) -> _Scale:
        height, width = images.shape[-2:]
        return cls(
            (height, width), (max(1, round(height / TOKEN_STRIDE)), max(1, round(width / TOKEN_STRIDE)))
        )


def create_frozen_vit(config: FrozenViTOptions, *, pretrained: bool | Path) -> VisionTransformer | Eva:
    """timm's model called `config.name` without its head, any image size, no gradients.

    pretrained: as in spn.models.encoders.pretrained. Raises UserError for a model that is no plain vision
    transformer, CheckpointError for weights that do not fit.
    """
    try:
        backbone = timm.create_model(config.name, dynamic_img_size=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"timm cannot build the vision transformer {config.name!r}: {error}") from error
    plain = (
        isinstance(backbone, VisionTransformer | Eva)
        and not getattr(backbone, "rope_mixed", False)
        and all(type(block) in BLOCKS for block in backbone.blocks)
    )
    if not plain or backbone.num_prefix_tokens == 0 or len(backbone.blocks) < LEVELS:
        raise UserError(
            f"encoder.kind is frozen_vit, but {config.name!r} is a {type(backbone).__name__} that cannot "
            f"be one; wanted a ViT or EVA of timm with a class or register token, {LEVELS} blocks or more, "
            "and one position embedding for all of them"
        )
    backbone.prune_intermediate_layers(len(backbone.blocks), prune_norm=True, prune_head=True)
    if pretrained:
        load_pretrained(backbone, name=config.name, options={}, source=pretrained)
    return backbone.requires_grad_(False)


def build(
    options: FrozenViTOptions,
    *,
    stem: bool,
    pretrained: bool | Path,
    seed: int,
    activation_checkpointing: bool = False,
) -> FrozenViT:
    """The frozen encoder of these options, with the prompts between its blocks. Raises UserError."""
    if stem:
        raise UserError(
            "the decoder reads a level at stride 2 (decoder.skips or decoder.detail_width), but a frozen "
            "vision transformer has no stem there; leave it out"
        )
    with initial_weights(seed, "encoder"):
        backbone = create_frozen_vit(options, pretrained=pretrained)
        strides = tuple(min(stride, options.output_stride) for stride in LEVEL_STRIDES)
        pyramid = TokenPyramid(backbone.embed_dim, level_width=options.level_width, strides=strides)
    with initial_weights(seed, "block prompts"):
        prompts = None
        if options.prompt.kind != "none":
            prompts = BlockPrompts(
                options.prompt,
                backbone.embed_dim,
                depth=len(backbone.blocks),
                prefix=backbone.num_prefix_tokens,
            )
    mean, std = input_statistics(options.name)
    return FrozenViT(
        backbone,
        pyramid=pyramid,
        prompts=prompts,
        mean=mean,
        std=std,
        activation_checkpointing=activation_checkpointing,
    )
