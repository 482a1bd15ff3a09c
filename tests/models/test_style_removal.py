"""The learned share of instance normalisation: where it stands, what it is untrained and in full."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from spn.models.config import ModelConfig
from spn.models.encoders.options import TimmOptions
from spn.models.encoders.style_parts import PartialInstanceNorm, StyleRemoval
from spn.models.encoders.timm_encoder import TimmEncoder


def _features() -> torch.Tensor:
    return torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(0))


def test_untrained_it_is_the_identity() -> None:
    assert torch.equal(StyleRemoval(4)(_features()), _features())


def test_in_full_it_gives_the_same_for_every_style() -> None:
    layer = StyleRemoval(4)
    torch.nn.init.ones_(layer.share)
    scale, shift = torch.rand(2, 4, 1, 1) + 0.5, torch.randn(2, 4, 1, 1)
    torch.testing.assert_close(layer(_features() * scale + shift), layer(_features()), rtol=0, atol=1e-3)


def test_each_channel_has_its_own_share() -> None:
    layer = StyleRemoval(4)
    with torch.no_grad():
        layer.share.copy_(torch.tensor([0.0, 0.5, 1.0, 2.0]))
    normalised = F.instance_norm(_features())
    expected = _features() + torch.tensor([0.0, 0.5, 1.0, 2.0]).view(1, 4, 1, 1) * (normalised - _features())
    torch.testing.assert_close(layer(_features()), expected)


def test_the_share_has_a_gradient_from_the_first_step() -> None:
    layer = StyleRemoval(4)
    layer(_features()).square().sum().backward()
    assert layer.share.grad is not None
    assert (layer.share.grad != 0).all()


def test_without_gradients_it_gives_the_same() -> None:
    layer = StyleRemoval(4)
    torch.nn.init.constant_(layer.share, 0.7)
    with torch.no_grad():
        alone = layer(_features())
    assert torch.equal(alone, layer(_features()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_large_map_in_half_precision_keeps_its_statistics(dtype: torch.dtype) -> None:
    """The sum of its squares is beyond float16's largest number."""
    features = 2 * torch.randn((1, 2, 192, 192), generator=torch.Generator().manual_seed(0)) + 1
    layer = StyleRemoval(2)
    torch.nn.init.ones_(layer.share)
    half = features.to(dtype).requires_grad_()
    removed = layer(half)
    assert removed.dtype == dtype
    torch.testing.assert_close(removed.float(), F.instance_norm(features), rtol=0.02, atol=0.05)
    removed.square().sum().backward()
    assert layer.share.grad is not None
    assert layer.share.grad.isfinite().all()


def test_its_gradients_are_those_of_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn((2, 3, 4, 5), generator=generator, dtype=torch.double, requires_grad=True)
    share = torch.rand((1, 3, 1, 1), generator=generator, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(PartialInstanceNorm.apply, (features, share))


@pytest.mark.parametrize(("name", "activation"), [("resnet18", "act2"), ("resnet50", "act3")])
def test_it_ends_the_stem_and_the_first_two_stages(name: str, activation: str) -> None:
    encoder = TimmOptions(name=name, channels=(8, 12, 16, 24), layers=(1, 2, 1, 1), style_removal=True)
    found = {
        layer: len(module.share)
        for layer, module in TimmEncoder(encoder).backbone.named_modules()
        if isinstance(module, StyleRemoval)
    }
    expansion = 4 if name == "resnet50" else 1
    assert found == {
        "act1.0": 64,
        f"layer1.0.{activation}.0": 8 * expansion,
        f"layer2.1.{activation}.0": 12 * expansion,
    }


def test_the_baseline_has_none() -> None:
    config = ModelConfig(encoder=TimmOptions(style_removal=True))
    assert not config.baseline().encoder.style_removal
