"""Divergences against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from spn.losses.consistency import consistency, jensen_shannon, squared_angle, symmetric_kl

DIVERGENCES = ("symmetric_kl", "js", "angle")


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, 4, 6, generator=generator), torch.randn(2, 5, 4, 6, generator=generator)


def distributions() -> tuple[Categorical, Categorical]:
    first, second = pair()
    return Categorical(logits=first.movedim(1, -1)), Categorical(logits=second.movedim(1, -1))


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_symmetric_kl_agrees_with_torch_distributions(stop_gradient: bool) -> None:
    p, q = distributions()
    expected = 0.5 * (kl_divergence(p, q) + kl_divergence(q, p))
    torch.testing.assert_close(symmetric_kl(*pair(), stop_gradient=stop_gradient), expected)


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_jensen_shannon_agrees_with_torch_distributions(stop_gradient: bool) -> None:
    p, q = distributions()
    mixture = Categorical(probs=0.5 * (p.probs + q.probs))
    expected = 0.5 * (kl_divergence(p, mixture) + kl_divergence(q, mixture))
    torch.testing.assert_close(jensen_shannon(*pair(), stop_gradient=stop_gradient), expected)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_equal_predictions_are_consistent_whatever_their_size(divergence: str) -> None:
    first = (pair()[0] * 100).requires_grad_()
    loss = consistency(first, first.clone(), divergence=divergence)  # type: ignore[arg-type]
    loss.backward()
    assert loss.abs() < 1e-6
    assert first.grad is not None
    assert first.grad.isfinite().all()


def test_the_angle_is_that_between_the_roots_of_probabilities() -> None:
    first, second = (logits.requires_grad_() for logits in pair())
    p, q = (torch.softmax(logits, dim=1).detach().double() for logits in (first, second))
    angle = squared_angle(first, second, stop_gradient=True)
    torch.testing.assert_close(angle, torch.arccos((p * q).sqrt().sum(dim=1)).square().float())
    angle.mean().backward()
    assert first.grad is None, "the first prediction is the target"
    assert second.grad is not None
    assert second.grad.abs().max() > 0
    apart = torch.tensor([50.0, -50.0]).view(1, 2, 1, 1)
    assert squared_angle(apart, -apart).item() == pytest.approx((math.pi / 2) ** 2)


def test_jensen_shannon_is_bounded() -> None:
    first, second = torch.full((1, 2, 1, 1), 50.0), torch.full((1, 2, 1, 1), 50.0)
    first[:, 0] = second[:, 1] = -50.0
    assert jensen_shannon(first, second).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("stride", [2, 3, 100])
def test_blocks_are_averaged_first(stride: int) -> None:
    first, second = pair()
    loss = consistency(first, second, stride=stride)
    block = min(stride, 4)
    expected = symmetric_kl(
        torch.nn.functional.avg_pool2d(first, block), torch.nn.functional.avg_pool2d(second, block)
    ).mean()
    torch.testing.assert_close(loss, expected)


def test_stop_gradient_gives_each_side_its_own_target() -> None:
    first, second = (tensor.requires_grad_() for tensor in pair())
    consistency(first, second, stop_gradient=True).backward()
    p, q = torch.softmax(first.detach(), 1), torch.softmax(second.detach(), 1)
    torch.testing.assert_close(first.grad, 0.5 * (p - q) / 48)
