"""Prompts between blocks against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.small_network import waken
from spn.models.prompts.between_blocks import BlockPrompts
from spn.models.prompts.options import BlockPromptOptions

CONFIG = BlockPromptOptions(kind="hybrid", width=8, tokens=3, groups=2, first_block=4)


def block_prompts(kind: str = "hybrid") -> BlockPrompts:
    """For six blocks of 12 channels with two prefix tokens: prompts after the blocks 4 and 5."""
    torch.manual_seed(0)
    config = BlockPromptOptions(**{**vars(CONFIG), "kind": kind})
    prompts = BlockPrompts(config, 12, depth=6, prefix=2)
    waken(prompts, strength=0.7)
    return prompts


def tokens(batch: int = 2) -> Tensor:
    return torch.randn(batch, 2 + 5, 12, generator=torch.Generator().manual_seed(1)) * 3 + 1


def written_out(prompts: BlockPrompts, features: Tensor, noise: Tensor | None) -> Tensor:
    """The module's equations with matrices, for the second of the two prompted blocks (block 5)."""
    own = prompts.blocks[1]
    patches = features[:, 2:]
    deviation = (patches.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    normed = (patches - patches.mean(-1, keepdim=True)) / deviation
    fused = prompts.to_prompt(normed)
    semantic = torch.softmax(fused @ own.semantic.keys.t() / 8**0.5, dim=-1) @ own.semantic.values
    mean = fused @ own.stochastic.mean.weight[:, :, 0, 0].t() + own.stochastic.mean.bias
    log_variance = own.stochastic.log_variance.bias
    share = torch.sigmoid(own.gate.to_logits(fused.mean(1)))
    if noise is None:
        stochastic = mean
    else:
        stochastic = mean + (log_variance / 2).exp() * noise[:, None, 10:18]
        share = (torch.distributions.Normal(0.0, 1.0).cdf(noise[:, 18:20]) < share).float()
    share = share.repeat_interleave(4, dim=1)[:, None]
    prompt = share * semantic + (1 - share) * stochastic
    return torch.cat([features[:, :2], patches + 0.7 * prompts.from_prompt(prompt)], dim=1)


@pytest.mark.parametrize("drawing", [False, True])
def test_the_prompted_tokens_follow_the_equations(drawing: bool) -> None:
    prompts = block_prompts()
    assert prompts.noise_width == 2 * (8 + 2)
    noise = torch.randn(2, 20, generator=torch.Generator().manual_seed(2)) if drawing else None
    prompted, kl = prompts(tokens(), block=5, noise=noise)
    torch.testing.assert_close(prompted, written_out(prompts, tokens(), noise))
    assert torch.equal(prompted[:, :2], tokens()[:, :2]), "prefix tokens pass"
    assert kl is not None
    assert kl > 0


def test_draws_of_one_block_average_to_its_mean_prompt() -> None:
    prompts = block_prompts().requires_grad_(False)
    features = tokens(1)
    mean, _ = prompts(features, block=4, noise=None)
    noise = torch.randn(4000, 20, generator=torch.Generator().manual_seed(3))
    drawn, _ = prompts(features.expand(4000, -1, -1), block=4, noise=noise)
    error = (drawn.mean(0) - mean[0])[2:].abs() / (drawn.std(0)[2:] / 4000**0.5)
    assert error.max() < 6


@pytest.mark.parametrize(("kind", "width"), [("semantic", 0), ("stochastic", 16), ("hybrid", 20)])
def test_only_what_is_random_takes_noise(kind: str, width: int) -> None:
    prompts = block_prompts(kind)
    assert prompts.noise_width == width
    _, kl = prompts(tokens(), block=4, noise=None)
    assert (kl is None) == (kind == "semantic")
