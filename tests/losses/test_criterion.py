"""Cross-entropy: ignored pixels count nowhere, and sampled pixels are exactly those of the full image."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from spn.losses.criterion import class_weights, cross_entropy, logits_at, sampled_cross_entropy


def test_balance_weighs_classes_by_their_rarity() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[0, 0, 0], labels[0, 0, 1] = 1, 255
    weights = class_weights(labels, classes=3, balance=0.5)
    assert torch.allclose(weights, torch.tensor([14 / 15, 1 / 15, 1e-4]).pow(-0.5))
    logits = torch.randn(1, 3, 4, 4)
    losses = torch.nn.functional.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    by_class = losses[labels == 0].sum() * weights[0] + losses[labels == 1].sum() * weights[1]
    expected = by_class / (14 * weights[0] + weights[1])
    assert torch.allclose(cross_entropy(logits, labels, balance=0.5), expected)
    assert cross_entropy(logits, torch.full_like(labels, 255), balance=0.5) == 0


def random_logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def random_labels(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 5, shape, generator=generator)
    return torch.where(torch.rand(shape, generator=generator) < 0.3, 255, labels)


def test_agrees_with_torch_on_the_evaluated_pixels() -> None:
    logits, labels = random_logits(2, 5, 6, 7), random_labels(2, 6, 7)
    torch.testing.assert_close(
        cross_entropy(logits, labels), F.cross_entropy(logits, labels, ignore_index=255)
    )


def test_nothing_to_evaluate_is_zero_with_zero_gradients() -> None:
    logits = random_logits(1, 5, 4, 4).requires_grad_()
    loss = cross_entropy(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("offset", [(0, 0), (1, 0)])
def test_sampled_loss_is_the_loss_at_those_pixels(stride: int, offset: tuple[int, int]) -> None:
    logits, labels = random_logits(2, 5, 4, 8), random_labels(2, 13, 30)
    resized = F.interpolate(logits, size=(16, 32), mode="bilinear")[..., :13, :30]
    rows, columns = slice(offset[0], None, stride), slice(offset[1], None, stride)
    expected = cross_entropy(resized[..., rows, columns], labels[:, rows, columns])
    loss = sampled_cross_entropy(logits, labels, covers=(16, 32), stride=stride, offset=offset)
    torch.testing.assert_close(loss, expected)


def test_interpolated_logits_are_bilinear() -> None:
    logits = random_logits(2, 5, 3, 4)
    resized = F.interpolate(logits, size=(24, 32), mode="bilinear")
    rows, columns = torch.tensor([0, 5, 23]), torch.tensor([31, 2])
    torch.testing.assert_close(
        logits_at(logits, rows, columns, covers=(24, 32)), resized[..., rows, :][..., columns]
    )


@pytest.mark.gpu
@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_the_host_never_waits_for_the_device(balance: float) -> None:
    logits, labels = random_logits(2, 5, 8, 8).cuda().requires_grad_(), random_labels(2, 8, 8).cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        cross_entropy(logits, labels, balance=balance).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert logits.grad is not None
