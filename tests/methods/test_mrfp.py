"""MRFP and MRFP+: what the perturbations do to features, and that nothing of them stays."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.small_network import SMALL
from spn.losses.options import LossOptions
from spn.methods.base import Baseline, Batch, build_method
from spn.methods.mrfp import MRFP, MRFPPlus, perturb_style, random_texture
from spn.methods.options import METHODS, BaselineOptions, SPNOptions
from spn.models.build import build_network
from spn.models.network import SegmentationNetwork


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features(batch: int = 4, channels: int = 6) -> Tensor:
    """Channel 0 has the same mean in all images, the last channel the most different ones."""
    drawn = torch.rand((batch, channels, 8, 8), generator=generator(1)) + 1
    drawn = drawn - drawn.mean(dim=(2, 3), keepdim=True) + 1
    offsets = torch.linspace(-0.5, 0.5, batch)[:, None] * torch.linspace(0, 1, channels)
    return drawn + offsets[:, :, None, None]


def test_a_perturbed_style_is_a_scale_and_a_shift_per_image_and_channel() -> None:
    before = features()
    after = perturb_style(before, generator=generator())
    assert torch.equal(after, perturb_style(before, generator=generator()))
    centred, moved = (values - values.mean(dim=(2, 3), keepdim=True) for values in (before, after))
    scale = (centred * moved).sum(dim=(2, 3), keepdim=True) / centred.square().sum(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(moved, scale * centred)
    assert scale.unique().numel() == scale.numel()


def test_means_move_with_their_spread_over_the_batch() -> None:
    before = features()
    mean = before.mean(dim=(2, 3))
    shifts = torch.stack(
        [perturb_style(before, generator=generator(seed)).mean(dim=(2, 3)) / mean for seed in range(400)]
    )
    torch.testing.assert_close(shifts[:, :, 0], torch.ones(400, 4), rtol=1e-4, atol=1e-4)
    deviation = (shifts - 1).std(dim=(0, 1))
    torch.testing.assert_close(deviation, 0.75 * 1.5 * torch.linspace(0, 1, 6), rtol=0.1, atol=1e-3)


def test_one_image_alone_keeps_its_means() -> None:
    before = features(batch=1)
    after = perturb_style(before, generator=generator())
    torch.testing.assert_close(after.mean(dim=(2, 3)), before.mean(dim=(2, 3)))


def test_a_random_texture_has_the_size_of_its_input_and_goes_up_to_the_grid() -> None:
    before = features(channels=16).requires_grad_()
    sizes = []
    for seed in range(20):
        residual, widest = random_texture(before, grid=(16, 20), width=24, generator=generator(seed))
        assert residual.shape == before.shape
        assert widest.shape == (4, 24, 16, 20)
        sizes.append(residual.square().mean().sqrt() / before.square().mean().sqrt())
    assert 0.5 < torch.stack(sizes).mean() < 2
    assert min(sizes) < max(sizes)
    residual.sum().backward()
    assert before.grad is not None
    assert before.grad.abs().max() > 0


def prepared(kind: type[MRFP]) -> tuple[MRFP, SegmentationNetwork]:
    options = METHODS.entry("mrfp_plus" if kind is MRFPPlus else "mrfp").options()
    method = kind(options, loss=LossOptions())
    network = build_network(method.options.resolve(SMALL)).train()
    method.prepare(network, teachers={})
    return method, network


def batch() -> Batch:
    images = torch.rand((3, 1, 3, 64, 64), generator=generator(5))
    return Batch(images, torch.randint(0, 19, (3, 64, 64), generator=generator(6)))


@pytest.mark.parametrize("kind", [MRFP, MRFPPlus])
def test_it_acts_in_some_steps_and_adds_nothing_to_the_network(kind: type[MRFP]) -> None:
    plain = build_network(BaselineOptions().resolve(SMALL)).train()
    losses = []
    for seed in range(16):
        method, network = prepared(kind)
        assert network.state_dict().keys() == plain.state_dict().keys()
        losses.append(method.training_loss(network, batch(), generator=generator(seed)).total.item())
    baseline = Baseline(BaselineOptions(), loss=LossOptions())
    baseline.prepare(plain, teachers={})
    usual = baseline.training_loss(plain, batch(), generator=None)
    changed = [loss for loss in losses if loss != usual.total.item()]
    assert len(set(changed)) == len(changed)
    assert 10 <= len(changed) < 16
    network.load_state_dict(plain.state_dict())
    images = batch().images[:, 0]
    assert torch.equal(network.eval()(images).logits, plain.eval()(images).logits)


@pytest.mark.parametrize(("kind", "reaches"), [(MRFP, False), (MRFPPlus, True)])
def test_only_the_plus_reaches_the_decoder(
    kind: type[MRFP], reaches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, network = prepared(kind)
    prompt = method.random_prompt
    monkeypatch.setattr(prompt, "_happens", lambda: True)
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(inputs[0])

    network.decoder.classifier.register_forward_hook(keep)
    method.training_loss(network, batch(), generator=generator())
    monkeypatch.setattr(prompt, "reaches_decoder", False)
    method.training_loss(network, batch(), generator=generator())
    assert torch.equal(*seen) == (not reaches)


@pytest.mark.parametrize("frozen", [0, 4])
def test_spn_has_it_as_an_option_in_training_only(frozen: int) -> None:
    """Frozen stages, which stay in evaluation, are perturbed as well; a copy for prediction never."""
    encoder = replace(SMALL.encoder, frozen_stages=frozen, style_removal=False)
    model = replace(SMALL, encoder=encoder)
    losses = []
    for switched_on in (True, False):
        options = SPNOptions(views=1, random_prompt=switched_on)
        method, network = build_method(options, LossOptions()), build_network(model).train()
        method.prepare(network, teachers={})
        average = copy.deepcopy(network).eval()
        seeds = range(6)
        losses += [
            method.training_loss(network, batch(), generator=generator(seed)).terms["cross_entropy"].item()
            for seed in seeds
        ]
        images = batch().images[:, 0]
        plain = build_network(model).eval()
        assert torch.equal(average(images).logits, plain(images).logits)
    assert len(set(losses[:6])) > 3
    assert max(losses[6:]) - min(losses[6:]) < 1e-5, "an untrained prompt changes nothing"
