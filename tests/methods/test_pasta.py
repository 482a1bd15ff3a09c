"""PASTA: what a perturbation of the Fourier amplitudes keeps and changes."""

from __future__ import annotations

import pytest
import torch

from spn.methods.pasta import ALPHA, BETA, perturb_amplitudes, perturbation


def images(height: int, width: int) -> torch.Tensor:
    return torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("height", "width"), [(16, 24), (15, 24), (17, 9)])
def test_the_phase_stays_and_the_amplitudes_do_not(height: int, width: int) -> None:
    before = torch.fft.fft2(images(height, width).double())
    after = torch.fft.fft2(perturb_amplitudes(images(height, width), generator=generator()).double())
    seen = after.abs() > 0.05
    torch.testing.assert_close((after / after.abs())[seen], (before / before.abs())[seen], rtol=0, atol=1e-3)
    assert seen.float().mean() > 0.9
    assert (after.abs() / before.abs()).std() > 0.5


def test_without_beta_the_mean_stays() -> None:
    before = images(16, 24)
    after = perturb_amplitudes(before, generator=generator(), beta=0.0)
    torch.testing.assert_close(after.mean(dim=(2, 3)), before.mean(dim=(2, 3)))
    assert (after - before).abs().max() > 0.1
    jittered = perturb_amplitudes(before, generator=generator())
    assert (jittered.mean(dim=(2, 3)) - before.mean(dim=(2, 3))).abs().max() > 0.02


def test_nothing_changes_without_strength() -> None:
    torch.testing.assert_close(
        perturb_amplitudes(images(15, 24), generator=generator(), alpha=0.0, beta=0.0), images(15, 24)
    )


def test_the_perturbation_grows_with_the_frequency() -> None:
    spread = perturbation(32, 48, alpha=ALPHA, beta=BETA)
    assert spread[0, 0] == BETA
    torch.testing.assert_close(spread[16, 24], torch.tensor(ALPHA**2 + BETA))
    assert (spread[0, :25].diff() > 0).all()
    assert (spread[:17, 0].diff() > 0).all()
    assert torch.equal(spread[1:], spread[1:].flip(0))
    assert torch.equal(spread[:, 1:], spread[:, 1:].flip(1))


def test_channels_and_images_are_perturbed_on_their_own() -> None:
    same = images(16, 16)[:1, :1].expand(2, 3, -1, -1)
    changed = perturb_amplitudes(same, generator=generator()).flatten(0, 1)
    assert torch.pdist(changed.flatten(1)).min() > 0.1
