"""A frozen vision transformer (timm's ViT and EVA) as an encoder, with prompts between its blocks.

Blocks up to the first prompt run without autograd, once for all draws; what follows, once for each draw.

Whatever its patch size p, it sees the image resized to p pixels for every 16 (a patch of 14 covers 16 pixels
of the image): the weights stay as they were trained, and tokens lie on a stride-16 grid. timm interpolates
the position embeddings to that grid (`dynamic_img_size`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import timm
import torch
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from spn.core.errors import UserError
from spn.models.encoders.options import FrozenViTOptions
from spn.models.encoders.pretrained import input_statistics, load_pretrained
from spn.models.encoders.protocol import Encoder, Encoding, Pyramid
from spn.models.prompts.between_blocks import BlockPrompts
from spn.models.prompts.hybrid import average_kl
from spn.models.resampling import nearest, resample, resize_images
from spn.models.seeds import initial_weights

LEVELS = 4
TOKEN_STRIDE = 16
LEVEL_STRIDES = (4, 8, 16, 32)


class TokenPyramid(nn.Module):
    """Tokens [B, prefix + h · w, C] of several depths → levels [B, level_width, H / stride, W / stride].

    A norm, a projection and a bilinear resize each: in the manner of ViTDet (Li et al., ECCV 2022), with
    levels from four depths, as Rein (Wei et al., CVPR 2024) reads them.
    """

    def __init__(self, width: int, *, prefix: int, level_width: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.prefix, self.strides = prefix, strides
        self.levels = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, level_width)) for _ in strides
        )

    def forward(self, tokens: Sequence[Tensor], *, grid: tuple[int, int], size: Sequence[int]) -> Pyramid:
        """grid: rows and columns of the tokens; size: of the image, [height, width]."""
        pyramid = []
        for depth, level, stride in zip(tokens, self.levels, self.strides, strict=True):
            features = level(depth[:, self.prefix :]).transpose(1, 2).unflatten(2, grid)
            rows, columns = ((length + stride - 1) // stride for length in size)
            pyramid.append(resample(features, (rows, columns)))
        return pyramid


class FrozenViT(Encoder):
    """Levels from the tokens after each quarter of the blocks; the deepest is that of the last block.

    prompts, pyramid: trained. activation_checkpointing: keep what goes from block to block, and compute the
    rest again in the backward pass. Raises UserError for a model that is no plain vision transformer,
    CheckpointError for weights that do not fit.
    """

    spans_exactly = True

    def __init__(
        self,
        options: FrozenViTOptions,
        *,
        stem: bool,
        pretrained: bool | Path,
        seed: int,
        activation_checkpointing: bool,
    ) -> None:
        super().__init__()
        if stem:
            raise UserError(
                "the decoder reads a level at stride 2 (decoder.skips or decoder.detail_width), but a frozen "
                "vision transformer has no stem there; leave it out"
            )
        self.strides = tuple(min(stride, options.output_stride) for stride in LEVEL_STRIDES)
        self.widths = (options.level_width,) * LEVELS
        self.mean, self.std = input_statistics(options.name)
        with initial_weights(seed, "encoder"):
            self.backbone = _backbone(options.name, pretrained=pretrained)
            width, prefix = self.backbone.embed_dim, self.backbone.num_prefix_tokens
            pyramid = TokenPyramid(
                width, prefix=prefix, level_width=options.level_width, strides=self.strides
            )
        self.blocks = len(self.backbone.blocks)
        self.prompts: BlockPrompts | None = None
        if options.prompt.kind != "none":
            with initial_weights(seed, "block prompts"):
                self.prompts = BlockPrompts(options.prompt, width, depth=self.blocks, prefix=prefix)
            self.noise_width = self.prompts.noise_width
        self.pyramid = pyramid
        self.activation_checkpointing = activation_checkpointing
        self.read = tuple(self.blocks * quarter // LEVELS - 1 for quarter in range(1, LEVELS + 1))
        self.train(self.training)

    def train(self, mode: bool = True) -> FrozenViT:
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
        height, width = (max(1, nearest(length, TOKEN_STRIDE)) for length in images.shape[-2:])
        known = self._frozen_blocks(images, (height, width))
        pyramids, divergences = [], []
        for drawn in (None,) if noise is None else noise:
            tokens, kl = self._prompted_blocks(known, (height, width), noise=drawn)
            divergences.append(kl)
            read = [tokens[block] for block in self.read]
            pyramids.append(self.pyramid(read, grid=(height, width), size=images.shape[-2:]))
        return Encoding(pyramids, average_kl(divergences))

    @torch.no_grad()
    def _frozen_blocks(self, images: Tensor, grid: tuple[int, int]) -> dict[int, Tensor]:
        """Tokens [B, N, C] after those blocks up to the first prompt that something reads."""
        rows, columns = self.backbone.patch_embed.patch_size
        last = self.blocks - 1 if self.prompts is None else self.prompts.first
        known = [*(block for block in self.read if block < last), last]
        tokens = self.backbone.forward_intermediates(
            resize_images(images, (grid[0] * rows, grid[1] * columns)),
            indices=known,
            return_prefix_tokens=True,
            stop_early=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        parts = zip(known, tokens, strict=True)
        return {block: torch.cat([prefix, patches], dim=1) for block, (patches, prefix) in parts}

    def _prompted_blocks(
        self, known: dict[int, Tensor], grid: tuple[int, int], *, noise: Tensor | None
    ) -> tuple[dict[int, Tensor], Tensor | None]:
        """Tokens by block, as far as they are read; the KL averaged over blocks."""
        if self.prompts is None:
            return known, None
        first, blocks, prompts = self.prompts.first, self.backbone.blocks, self.prompts
        rope = getattr(self.backbone, "rope", None)
        embedding = {} if rope is None else {"rope": rope.get_embed(shape=grid)}

        def step(tokens: Tensor, block: int) -> tuple[Tensor, Tensor | None]:
            if block > first:  # the first prompted one has run already
                tokens = blocks[block](tokens, **embedding)
            return prompts(tokens, block=block, noise=noise)

        run: Callable[..., tuple[Tensor, Tensor | None]] = step
        if self.activation_checkpointing and torch.is_grad_enabled():
            run = partial(checkpoint, step, use_reentrant=False, preserve_rng_state=False)
        tokens, result, divergences = known[first], dict(known), []
        for block in range(first, self.blocks):
            tokens, kl = run(tokens, block)
            if block in self.read:
                result[block] = tokens
            divergences.append(kl)
        return result, average_kl(divergences)


def _backbone(name: str, *, pretrained: bool | Path) -> VisionTransformer | Eva:
    """timm's model without its head, any image size, no gradients."""
    try:
        backbone = timm.create_model(name, dynamic_img_size=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"timm cannot build the vision transformer {name!r}: {error}. Wanted a name of timm's"
        ) from error
    if not (
        isinstance(backbone, VisionTransformer | Eva)
        and not getattr(backbone, "rope_mixed", False)
        and backbone.num_prefix_tokens > 0
        and len(backbone.blocks) >= LEVELS
    ):
        raise UserError(
            f"encoder.kind is frozen_vit, but {name!r} is a {type(backbone).__name__} that cannot "
            f"be one; wanted a ViT or EVA of timm with a class or register token, {LEVELS} blocks or more, "
            "and one position embedding for all of them"
        )
    backbone.prune_intermediate_layers(len(backbone.blocks), prune_norm=True, prune_head=True)
    if pretrained:
        load_pretrained(backbone, name=name, options={}, source=pretrained)
    return backbone.requires_grad_(False)
