"""Prompts between the blocks of a frozen vision transformer: SPN's idea where the encoder is not trained.

After block i, the patch tokens f [B, N, C] get a hybrid prompt made of themselves,

    M_i = P · norm(f)            S_i, Z_i, π_i from M_i as in MSFFP (semantic.py, stochastic.py, hybrid.py)
    f' = f + γ_i · (U · H_i)     H_i = b · S_i + (1 − b) · Z_i drawn
                                 H_i = π_i · S_i + (1 − π_i) · mean(Z_i) otherwise

P (C → D) and U (D → C) are shared by all blocks; tokens, Gaussian, gate and γ_i [C] are each block's own. γ_i
starts at 0, so that a fresh network equals the frozen one. U times a block's K tokens is a low-rank matrix of
K × C numbers: these are the deterministic tokens of Rein (Wei et al., CVPR 2024), to which the Gaussian and
the gate are ours. The noise comes from outside, so a pass is a function of images and noise: it can be
repeated, at another scale or to recompute activations, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.prompts.hybrid import HybridGate, gates_below, join_prompts
from spn.models.prompts.options import BlockPromptOptions
from spn.models.prompts.semantic import SemanticPrompt
from spn.models.prompts.stochastic import StochasticPrompt, displaced, kl_to_standard_normal


class Prompted(NamedTuple):
    """features: a prompt, or tokens with one added. kl: scalar, None without a stochastic prompt."""

    features: Tensor
    kl: Tensor | None


class BlockPrompt(nn.Module):
    """One block's own part: M [B, D, N, 1] → H [B, D, N, 1].

    semantic, stochastic: at least one; gate: given exactly with both. width: channels C of the block.
    """

    def __init__(
        self,
        width: int,
        *,
        semantic: SemanticPrompt | None,
        stochastic: StochasticPrompt | None,
        gate: HybridGate | None,
    ) -> None:
        super().__init__()
        self.semantic = semantic
        self.stochastic = stochastic
        self.gate = gate
        self.strength = nn.Parameter(torch.zeros(width))

    def forward(self, fused: Tensor, noise: Tensor | None) -> Prompted:
        """noise: N(0, 1) numbers [B, D + groups], as far as there is something to draw; None: the mean."""
        semantic = None if self.semantic is None else self.semantic(fused)
        gates = None if self.gate is None else self.gate.probabilities(fused)
        if self.stochastic is None:
            return Prompted(join_prompts(None, semantic, None, None), kl=None)
        gaussian = self.stochastic(fused)
        stochastic = gaussian.mean
        if noise is not None:
            width = fused.shape[1]
            stochastic = displaced(gaussian, noise[:, :width, None, None])
            gates = None if gates is None else gates_below(torch.special.ndtr(noise[:, width:]), gates)
        prompt = join_prompts(self.gate, semantic, stochastic, gates)
        return Prompted(prompt, kl_to_standard_normal(gaussian))


class BlockPrompts(nn.Module):
    """Adds a prompt to the patch tokens after each block from `first` on; prefix tokens pass.

    blocks: one prompt per such block. width: channels C of the tokens. prefix: how many tokens before the
    patches (class, registers). noise_width: random numbers a draw takes per image, over all blocks.
    """

    def __init__(
        self, width: int, *, prompt_width: int, blocks: Sequence[BlockPrompt], first: int, prefix: int
    ) -> None:
        super().__init__()
        self.first = first
        self.prefix = prefix
        self.to_prompt = nn.Linear(width, prompt_width)
        self.from_prompt = nn.Linear(prompt_width, width)
        self.blocks = nn.ModuleList(blocks)
        gate, random = blocks[0].gate, blocks[0].stochastic is not None
        self.noise_width = len(blocks) * (random * prompt_width + (0 if gate is None else gate.groups))

    def forward(self, tokens: Tensor, *, block: int, noise: Tensor | None) -> Prompted:
        """tokens [B, prefix + N, C] after block `block` → with its prompt. noise: [B, noise_width]."""
        place = block - self.first
        own = self.blocks[place]
        patches = tokens[:, self.prefix :]
        fused = self.to_prompt(F.layer_norm(patches, patches.shape[-1:])).transpose(1, 2).unsqueeze(-1)
        prompt, kl = own(fused, None if noise is None else noise.chunk(len(self.blocks), dim=1)[place])
        addition = self.from_prompt(prompt.squeeze(-1).transpose(1, 2)) * own.strength
        prompted = patches + addition.to(patches.dtype)
        return Prompted(torch.cat([tokens[:, : self.prefix], prompted], dim=1), kl)


def build_block_prompts(
    options: BlockPromptOptions, width: int, *, depth: int, prefix: int
) -> BlockPrompts | None:
    """Prompts for a vision transformer of `depth` blocks and `width` channels; `prefix`: as BlockPrompts.

    None for the kind "none". Raises UserError where the first block is none of the encoder's.
    """
    if options.kind == "none":
        return None
    if options.first_block >= depth:
        raise UserError(
            f"encoder.prompt.first_block is {options.first_block}; the encoder's blocks are 0 to {depth - 1}"
        )
    semantic, stochastic = options.kind in ("hybrid", "semantic"), options.kind in ("hybrid", "stochastic")
    blocks = [
        BlockPrompt(
            width,
            semantic=SemanticPrompt(options.width, tokens=options.tokens) if semantic else None,
            stochastic=(
                StochasticPrompt(options.width, noise="image", use_spread=False) if stochastic else None
            ),
            gate=HybridGate(options.width, groups=options.groups) if semantic and stochastic else None,
        )
        for _ in range(options.first_block, depth)
    ]
    return BlockPrompts(
        width, prompt_width=options.width, blocks=blocks, first=options.first_block, prefix=prefix
    )
