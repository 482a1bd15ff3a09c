"""Prompts between the blocks of a frozen vision transformer: SPN's idea where the encoder is not trained.

After block i, the patch tokens f [B, N, C] get a hybrid prompt made of themselves,

    M_i = P · norm(f)            S_i, Z_i, π_i from M_i as in MSFFP (hybrid.py)
    f' = f + γ_i · (U · H_i)     H_i = b · S_i + (1 − b) · Z_i drawn
                                 H_i = π_i · S_i + (1 − π_i) · mean(Z_i) otherwise

P (C → D) and U (D → C) are shared by all blocks; tokens, Gaussian, gate and γ_i [C], at first 0, are each
block's own. U times a block's K tokens are the deterministic tokens of Rein (Wei et al., CVPR 2024); Gaussian
and gate are ours. The noise comes from outside, so that a pass can be repeated, at another scale or to
recompute activations, with the same result.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.prompts.hybrid import HybridGate, PromptMaker, SemanticPrompt, StochasticPrompt
from spn.models.prompts.options import BlockPromptOptions
from spn.models.prompts.strength import WithStrength


class BlockPrompt(WithStrength, PromptMaker):
    """The own part of a block with `width` channels; its prompts are [B, D, N, 1]."""

    def __init__(self, options: BlockPromptOptions, width: int) -> None:
        super().__init__()
        if options.kind != "stochastic":
            self.semantic = SemanticPrompt(options.width, tokens=options.tokens)
        if options.kind != "semantic":
            self.stochastic = StochasticPrompt(options.width, use_spread=False)
        if options.kind == "hybrid":
            self.gate = HybridGate(options.width, groups=options.groups)
        self.strength = nn.Parameter(torch.zeros(width))


class BlockPrompts(nn.Module):
    """Adds a prompt to the patch tokens after each block from `first` on; prefix tokens pass.

    options: not of kind "none". width: channels C of the tokens. prefix: how many tokens before the patches.
    noise_width: random numbers a draw takes per image, over all blocks.
    """

    def __init__(self, options: BlockPromptOptions, width: int, *, depth: int, prefix: int) -> None:
        super().__init__()
        self.first = options.first_block
        if self.first >= depth:
            raise UserError(
                f"encoder.prompt.first_block is {self.first}; the encoder's blocks are 0 to {depth - 1}"
            )
        self.prefix = prefix
        blocks = [BlockPrompt(options, width) for _ in range(self.first, depth)]
        self.to_prompt = nn.Linear(width, options.width)
        self.from_prompt = nn.Linear(options.width, width)
        self.blocks = nn.ModuleList(blocks)
        drawn = {"semantic": 0, "stochastic": options.width, "hybrid": options.width + options.groups}
        self.noise_width = len(blocks) * drawn[options.kind]

    def forward(self, tokens: Tensor, *, block: int, noise: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Tokens [B, prefix + N, C] after a block, by noise [B, noise_width] → with its prompt; the KL."""
        place = block - self.first
        own = self.blocks[place]
        assert isinstance(own, BlockPrompt)
        patches = tokens[:, self.prefix :]
        fused = self.to_prompt(F.layer_norm(patches, patches.shape[-1:])).transpose(1, 2).unsqueeze(-1)
        made = own.made(fused)
        if noise is None:
            prompt = made.mean()
        else:
            drawn = noise.chunk(len(self.blocks), dim=1)[place]
            normal, uniform = drawn.tensor_split([fused.shape[1]], dim=1)
            prompt = made.sample(normal[..., None, None], torch.special.ndtr(uniform))
        addition = self.from_prompt(prompt.squeeze(-1).transpose(1, 2)) * own.strength
        prompted = patches + addition.to(patches.dtype)
        return torch.cat([tokens[:, : self.prefix], prompted], dim=1), made.kl()
