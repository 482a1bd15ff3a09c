"""The parts of MSFFP against their formulas."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from spn.models.prompts.hybrid import (
    LOG_VARIANCE_RANGE,
    Gaussian,
    HybridGate,
    SemanticPrompt,
    StochasticPrompt,
    flatness,
    gates_below,
    mixed,
    style_spread,
)
from spn.models.prompts.msffp import MultiScaleFusion, PromptInjection, PromptNetwork, blurred
from spn.models.prompts.options import HybridOptions, StochasticOptions
from spn.models.seeds import draw


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_kl_agrees_with_torch_distributions() -> None:
    mean, log_variance = normal(2, 4, 3, 5), normal(2, 4, 3, 5, seed=1)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(Gaussian(mean, log_variance).kl(), expected)


def test_kl_is_zero_at_the_prior_only() -> None:
    zero = torch.zeros(1, 4, 2, 2)
    assert Gaussian(zero, zero).kl() == 0
    assert Gaussian(zero + 0.1, zero).kl() > 0
    assert Gaussian(zero, zero - 0.1).kl() > 0


@pytest.mark.parametrize("scale", [0.0, 1e-8, 1e4])
def test_extreme_features_give_finite_samples_and_gradients(scale: float) -> None:
    prompt = StochasticPrompt(4)
    fused = (normal(3, 4, 5, 6) * scale).requires_grad_()
    gaussian = prompt(fused)
    low, high = LOG_VARIANCE_RANGE
    assert ((gaussian.log_variance >= low) & (gaussian.log_variance <= high)).all()
    loss = gaussian.sample(normal(3, 4, 1, 1)).sum() + gaussian.kl()
    loss.backward()
    assert loss.isfinite()
    assert fused.grad is not None
    assert fused.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in prompt.parameters())


def test_samples_have_the_mean_and_variance_they_say() -> None:
    gaussian = Gaussian(torch.full((1, 3, 1, 1), 2.0), torch.full((1, 3, 1, 1), -1.0))
    samples = gaussian.sample(normal(4000, 3, 1, 1))
    torch.testing.assert_close(samples.mean(), torch.tensor(2.0), atol=0.02, rtol=0)
    torch.testing.assert_close(samples.var().log(), torch.tensor(-1.0), atol=0.05, rtol=0)


@pytest.mark.parametrize(("noise", "alike"), [("image", True), ("pixel", False)])
def test_image_noise_moves_a_whole_image_alike_and_pixel_noise_does_not(
    noise: Literal["image", "pixel"], alike: bool
) -> None:
    options = StochasticOptions(width=3, noise=noise)
    network = PromptNetwork(options, (2, 2), strides=(4, 16), decoded=(0,)).eval()
    pyramid = [normal(2, 2, 16, 16), normal(2, 2, 4, 4, seed=1)]
    one, other = (
        network(pyramid, num_samples=1, generator=torch.Generator().manual_seed(seed)).prompts[0]
        for seed in (0, 1)
    )
    moved = (one - other) / network.made(network.fusion(pyramid)).gaussian.log_variance.div(2).exp()
    assert torch.allclose(moved, moved[:, :, :1, :1].expand_as(moved), atol=1e-4) == alike


def test_spread_is_measured_over_the_batch_and_remembered_for_inference() -> None:
    fused = normal(4, 3, 6, 6) * torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1)
    spread = style_spread(fused)
    torch.testing.assert_close(spread[0], fused.mean(dim=(2, 3)).var(dim=0, correction=0))
    prompt = StochasticPrompt(3, momentum=1.0).train()
    drawn = prompt(fused)
    torch.testing.assert_close(prompt.running_of_means, spread[0])
    torch.testing.assert_close(prompt.running_of_deviations, spread[1])
    torch.testing.assert_close(prompt.eval()(fused).log_variance, drawn.log_variance)


def test_a_wider_spread_of_styles_gives_a_larger_variance() -> None:
    prompt = StochasticPrompt(3).train()
    alike = normal(1, 3, 6, 6).expand(4, -1, -1, -1)
    different = alike + torch.arange(4.0).view(4, 1, 1, 1)
    assert (prompt(different).log_variance > prompt(alike).log_variance).all()


def test_a_batch_of_one_uses_the_remembered_spread() -> None:
    prompt = StochasticPrompt(3).train()
    before = prompt.running_of_means.clone()
    assert prompt(normal(1, 3, 4, 4)).log_variance.isfinite().all()
    assert torch.equal(prompt.running_of_means, before)


def test_without_the_spread_the_variance_is_learned_alone() -> None:
    prompt = StochasticPrompt(3, use_spread=False).train()
    assert dict(prompt.named_buffers()) == {}
    one, other = prompt(normal(2, 3, 4, 4)), prompt(normal(2, 3, 4, 4, seed=1) * 5)
    torch.testing.assert_close(one.log_variance, other.log_variance)


def test_attention_is_a_weighted_mean_of_the_values() -> None:
    features, prompt = normal(2, 8, 3, 4), SemanticPrompt(8, tokens=5)
    flat = features.flatten(2).transpose(1, 2)
    expected = torch.softmax(flat @ prompt.keys.t() / 8**0.5, dim=-1) @ prompt.values
    torch.testing.assert_close(prompt(features).flatten(2).transpose(1, 2), expected)


def test_gates_are_bernoulli_with_a_straight_through_gradient() -> None:
    probabilities = torch.tensor([[0.2, 0.9]]).expand(5000, 2).clone().requires_grad_()
    gates = gates_below(torch.rand(5000, 2, generator=torch.Generator().manual_seed(0)), probabilities)
    assert ((gates - gates.round()).abs() < 1e-6).all()
    torch.testing.assert_close(gates.mean(dim=0), torch.tensor([0.2, 0.9]), atol=0.02, rtol=0)
    gates.sum().backward()
    assert torch.equal(probabilities.grad, torch.ones_like(probabilities))  # type: ignore[arg-type]


def test_the_gate_shows_one_prompt_per_group() -> None:
    assert HybridGate(4, groups=2)(normal(3, 4, 2, 2)).shape == (3, 2)
    semantic, stochastic = torch.ones(1, 4, 2, 2), torch.zeros(1, 4, 2, 2)
    prompt = mixed(semantic, stochastic, torch.tensor([[1.0, 0.0]]))
    assert prompt[0, :, 0, 0].tolist() == [1, 1, 0, 0]


def test_fusion_is_on_the_grid_and_reads_every_level() -> None:
    fusion = MultiScaleFusion((2, 3, 4), levels=(0, 1, 2), grid=1, prompt_width=6)
    pyramid = [normal(2, 2, 16, 24), normal(2, 3, 8, 12, seed=1), normal(2, 4, 4, 6, seed=2)]
    fused = fusion(pyramid)
    assert fused.shape == (2, 6, 8, 12)
    for level in range(3):
        changed = list(pyramid)
        changed[level] = changed[level] + normal(*changed[level].shape, seed=9)
        assert not torch.allclose(fusion(changed), fused)


def test_projecting_before_resizing_is_projecting_after_it() -> None:
    injection = PromptInjection(4, 3)
    torch.nn.init.ones_(injection.strength)
    features, prompt = torch.zeros(1, 3, 8, 8), normal(1, 4, 2, 2)
    enlarged = torch.nn.functional.interpolate(prompt, size=(8, 8), mode="bilinear")
    torch.testing.assert_close(injection(features, prompt), injection.projection(enlarged))


def test_noise_follows_its_generator() -> None:
    like = torch.zeros(1)
    one = draw(torch.randn, (3,), like=like, generator=torch.Generator().manual_seed(4))
    again = draw(torch.randn, (3,), like=like, generator=torch.Generator().manual_seed(4))
    assert torch.equal(one, again)


def test_features_are_less_flat_at_a_bend_whatever_their_scale() -> None:
    along = torch.linspace(-4, 4, 64)
    bent = torch.stack([along, along.clamp(min=0)]).view(1, 2, 4, 16)
    flat = flatness(torch.cat([bent, 100 * bent]))
    torch.testing.assert_close(flat[0], flat[1], rtol=1e-2, atol=1e-2)
    flat = flat[0].flatten()
    assert flat[[*range(10, 25), *range(40, 55)]].min() > 0.95
    assert flat[31:33].max() < 0.8
    assert torch.equal(flatness(torch.zeros(1, 2, 2, 2)), torch.ones(1, 1, 2, 2))


def test_noise_by_curvature_has_the_size_of_the_flatness() -> None:
    options = StochasticOptions(width=4, noise="curvature")
    prompts = PromptNetwork(options, (3,), strides=(16,), decoded=(0,)).eval()
    pyramid = [normal(1, 3, 5, 6)]
    with torch.no_grad():
        drawn = torch.stack(
            prompts(pyramid, num_samples=4000, generator=torch.Generator().manual_seed(0)).prompts
        )
        fused = prompts.fusion(pyramid)
        made = prompts.made(fused)
    assert made.gaussian is not None
    expected = flatness(fused) * (0.5 * made.gaussian.log_variance).exp()
    torch.testing.assert_close(drawn.std(dim=0), expected, rtol=0.06, atol=0)
    torch.testing.assert_close(drawn.mean(dim=0), made.mean(), rtol=0, atol=0.1)


def test_split_by_frequency_the_stochastic_prompt_sees_neither_style_nor_low_frequencies() -> None:
    options = HybridOptions(width=4, groups=2, tokens=3, frequency_split=True)
    prompts = PromptNetwork(options, (3,), strides=(16,), decoded=(0,)).eval()
    fused = normal(2, 4, 9, 11)
    ramp = torch.linspace(-3, 3, 11).expand(1, 4, 9, 11)
    with torch.no_grad():
        made, styled, sloped = (prompts.made(x) for x in (fused, 3 * fused + 2, fused + ramp))
        smooth = prompts.made(blurred(fused))
    assert made.gaussian is not None
    assert styled.gaussian is not None
    assert sloped.gaussian is not None
    torch.testing.assert_close(styled.gaussian.mean, made.gaussian.mean, rtol=1e-3, atol=1e-3)
    inside = (..., slice(2, -2), slice(2, -2))  # a slope bends at the edge only
    torch.testing.assert_close(sloped.gaussian.mean[inside], made.gaussian.mean[inside], rtol=0.3, atol=0.3)
    assert made.semantic is not None
    assert smooth.semantic is not None
    assert not torch.allclose(made.semantic, sloped.semantic)


def test_noise_that_grows_with_the_frequency_has_size_one_and_no_slow_part() -> None:
    options = HybridOptions(width=2, groups=1, tokens=2, frequency_split=True, style_spread=False)
    prompts = PromptNetwork(options, (3,), strides=(16,), decoded=(0,)).eval()
    with torch.no_grad():
        assert prompts.gate is not None
        prompts.gate.to_logits.bias.fill_(-40.0)  # the stochastic prompt alone
        generator = torch.Generator().manual_seed(0)
        drawn = torch.stack(prompts([normal(1, 3, 24, 24)], num_samples=200, generator=generator).prompts)
    noise = (drawn - drawn.mean(dim=0)) / torch.tensor(-1.0).exp()  # log σ² starts at -2
    inside = noise[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside.std(), torch.tensor(1.0), rtol=0.03, atol=0)
    power = torch.fft.rfft2(inside).abs().square().mean(dim=(0, 1, 2))
    assert power[:3, :3].mean() < 0.1 * power[9:13, 9:].mean()
