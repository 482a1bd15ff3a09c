"""Tokens after blocks against their formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.small_network import SMALL, TOKENS, generator, waken
from spn.core.records import to_plain
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.encoders.options import TimmOptions
from spn.models.prompts.tokens import TokenPrompts

WIDTHS = (6, 10, 6)


def token_prompts(kind: str = "hybrid", **changes: float) -> TokenPrompts:
    torch.manual_seed(0)
    prompts = TokenPrompts(replace(TOKENS, kind=kind, **changes), WIDTHS)  # type: ignore[arg-type]
    waken(prompts, strength=0.7)
    return prompts


def features(batch: int = 2) -> Tensor:
    return torch.randn(batch, 6, 3, 5, generator=generator(1)) * 3 + 1


def written_out(prompts: TokenPrompts, noise: Tensor | None) -> Tensor:
    """The equations for the last of the three blocks; noise: [B, K - 1, r]."""
    own, pixels = prompts.blocks[2], features().permute(0, 2, 3, 1)
    deviation = (pixels.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    fused = prompts.to_prompt["6"]((pixels - pixels.mean(-1, keepdim=True)) / deviation)
    tokens = own.factors @ own.basis
    attention = torch.softmax(fused @ tokens.t() / 8**0.5, dim=-1)[..., 1:]
    values = own.factors[1:] * (own.kind != "stochastic")
    values = values.expand(2, -1, -1)
    if noise is not None and own.kind != "semantic":
        values = values + own.log_size.exp() * noise
    attended = torch.einsum("bhwk,bkr,rd->bhwd", attention, values, own.basis)
    addition = prompts.from_prompt["6"](torch.relu(prompts.mix(attended + fused)))
    return features() + 0.7 * addition.permute(0, 3, 1, 2)


@pytest.mark.parametrize("kind", ["semantic", "stochastic", "hybrid"])
@pytest.mark.parametrize("drawing", [False, True])
def test_prompted_features_follow_the_equations(kind: str, drawing: bool) -> None:
    prompts = token_prompts(kind, drop=0.0)
    random = 0 if kind == "semantic" else 3 * 2
    assert prompts.noise_width == 3 * random
    prompts.noise = torch.randn(2, prompts.noise_width, generator=generator(2)) if drawing else None
    noise = prompts.noise[:, 2 * random :].view(2, 3, 2) if drawing and random else None  # type: ignore[index]
    torch.testing.assert_close(prompts(features(), block=2), written_out(prompts, noise))


def test_a_pixel_that_attends_to_the_null_token_gets_nothing_of_the_others() -> None:
    prompts = token_prompts()
    own = prompts.blocks[0]
    assert torch.equal(own.values(None)[0], torch.zeros(8))
    assert torch.equal(own.values(torch.randn(2, 6))[:, 0], torch.zeros(2, 8))
    assert own.values(None)[1:].abs().min() > 0


def test_prompts_of_a_block_are_dropped_by_chance_and_on_average_there() -> None:
    prompts = token_prompts("semantic", drop=0.25)
    image = features(1)
    with torch.no_grad():
        whole = prompts(image, block=1 - 1) - image
        prompts.noise = torch.randn(4000, prompts.noise_width, generator=generator(3))
        drawn = prompts(image.expand(4000, -1, -1, -1), block=0) - image
    dropped = (drawn == 0).flatten(1).all(dim=1)
    assert dropped.float().mean() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(drawn[~dropped][0], whole[0] / 0.75)


def test_todays_weights_and_configurations_stay_as_they_are() -> None:
    """Without tokens nothing has another name, and what was recorded before there were any is still read."""
    assert not [name for name in build_network(SMALL).state_dict() if "token" in name]
    recorded = to_plain(SMALL)
    del recorded["encoder"]["tokens"]
    assert ModelConfig.from_dict(recorded) == SMALL
    assert TimmOptions().tokens.kind == "none"


def test_each_block_and_image_has_noise_of_its_own_and_all_scales_the_same() -> None:
    network = build_network(replace(SMALL, encoder=replace(SMALL.encoder, tokens=TOKENS))).eval()
    waken(network)
    encoder, seen = network.encoder, []
    prompts = encoder.backbone.token_prompts
    prompts.register_forward_hook(lambda module, inputs, output: seen.append(module.noise))
    images = torch.rand(1, 3, 64, 64, generator=generator()).expand(2, -1, -1, -1)
    (drawn,) = encoder(images, num_samples=1, generator=generator()).pyramids
    assert len(seen) == 8
    assert all(torch.equal(noise, seen[0]) for noise in seen)
    assert all(not torch.equal(level[0], level[1]) for level in drawn)
