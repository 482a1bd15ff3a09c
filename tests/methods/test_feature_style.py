"""Methods that change the style of features or images: what they change, and when they leave all alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.small_network import SMALL
from spn.losses.options import LossOptions
from spn.methods.base import Baseline, Batch
from spn.methods.dsu import DSU
from spn.methods.feature_style import attach, restyled, style
from spn.methods.mixstyle import MixStyle
from spn.methods.options import METHODS, MethodOptions
from spn.methods.randconv import SIZES, random_convolution
from spn.models.build import build_network
from spn.models.encoders.options import TimmOptions


def features() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((4, 6, 8, 8), generator=generator) * torch.tensor([0.5, 1, 2, 4]).view(4, 1, 1, 1) + 1


def test_its_own_style_changes_nothing_and_another_one_is_taken_on() -> None:
    mean, deviation = style(features())
    torch.testing.assert_close(restyled(features(), mean=mean, deviation=deviation), features())
    new_mean, new_deviation = style(restyled(features(), mean=mean + 1, deviation=2 * deviation))
    torch.testing.assert_close(new_mean, mean + 1)
    torch.testing.assert_close(new_deviation, 2 * deviation, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [MixStyle, DSU])
def test_styles_change_in_some_training_steps_and_never_in_evaluation(kind: type[MixStyle | DSU]) -> None:
    method = kind(MethodOptions(), loss=LossOptions())
    network = build_network(SMALL.baseline()).train()
    plain = build_network(SMALL.baseline()).train()
    baseline = Baseline(MethodOptions(), loss=LossOptions())
    method.prepare(network, teachers={})
    baseline.prepare(plain, teachers={})
    data = Batch(torch.rand((3, 1, 3, 64, 64)), torch.zeros((3, 64, 64), dtype=torch.int64))
    differs = []
    for seed in range(12):
        generators = [torch.Generator().manual_seed(seed) for _ in range(2)]
        changed = method.training_loss(network, data, generator=generators[0]).total
        usual = baseline.training_loss(plain, data, generator=generators[1]).total
        differs.append(not torch.equal(changed, usual))
    assert any(differs)
    network.load_state_dict(plain.state_dict())
    images = data.images[:, 0]
    assert torch.equal(network.eval()(images).logits, plain.eval()(images).logits)


def test_mixed_styles_lie_between_those_of_the_batch() -> None:
    method = MixStyle(METHODS.entry("mixstyle").options(), loss=LossOptions())
    method.generator, method._active = torch.Generator().manual_seed(0), True
    before, after = style(features()), style(method._mix(features()))
    for old, new in zip(before, after, strict=True):
        assert (new >= old.amin(dim=0) - 1e-3).all()
        assert (new <= old.amax(dim=0) + 1e-3).all()
    assert not torch.allclose(before[1], after[1])


def test_a_random_convolution_keeps_size_and_centre_and_uses_every_kernel() -> None:
    grey = torch.full((2, 3, 20, 24), 0.5)
    outputs = []
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        torch.testing.assert_close(random_convolution(grey, generator=generator), grey)
        generator.manual_seed(seed)
        outputs.append(
            random_convolution(torch.eye(24)[None, None, :20].expand(1, 3, -1, -1), generator=generator)
        )
    assert all(output.shape == (1, 3, 20, 24) for output in outputs)
    assert not torch.equal(outputs[0], outputs[1])
    assert SIZES == (1, 3, 5, 7)


@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_100", "efficientnet_lite0", "convnext_atto", "regnety_002"]
)
def test_stages_are_found_in_every_convolutional_encoder(name: str) -> None:
    config = replace(SMALL, encoder=TimmOptions(name=name, output_stride=32, style_removal=False))
    network = build_network(config).train()
    seen: list[Tensor] = []
    attach(network, lambda output: seen.append(output) or output, levels=(-4, -3))  # type: ignore[func-returns-value]
    network(torch.rand(2, 3, 64, 64))
    widths = network.encoder.backbone.widths
    assert [output.shape[1] for output in seen[:2]] == list(widths[:2])
