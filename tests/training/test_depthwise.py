"""Depthwise convolutions with other code for their gradients."""

import copy

import pytest
import timm
import torch
from torch import Tensor, nn

from spn.training.depthwise import DepthwiseConv2d, replace_depthwise


def gradients(convolution: nn.Module, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What it puts out, and the gradients by features and weight of a loss that weighs each value."""
    features = features.clone().requires_grad_()
    made = convolution(features)
    generator = torch.Generator().manual_seed(1)
    (made * torch.randn(made.shape, generator=generator).to(made.dtype)).sum().backward()
    weight = convolution.weight
    assert isinstance(weight, nn.Parameter)
    assert features.grad is not None
    assert weight.grad is not None
    return made.detach(), features.grad, weight.grad


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(9, 12), (10, 7)])
def test_gradients_are_those_of_torch(
    kind: torch.dtype, side: int, stride: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, side, stride=stride, padding=side // 2, groups=6, bias=False)
    features = torch.randn(3, 6, *size)
    ours = DepthwiseConv2d(copy.deepcopy(plain)).to(kind)
    near = 1e-5 if kind == torch.float32 else 0.02
    wanted = gradients(plain, features)
    for made, expected in zip(gradients(ours, features.to(kind)), wanted, strict=True):
        assert made.shape == expected.shape
        assert (made.float() - expected).norm() < near * expected.norm()


def test_a_whole_encoder_keeps_names_outputs_and_gradients() -> None:
    """EfficientNet-Lite0 pads as TensorFlow does at stride 2, which depends on the size."""
    torch.manual_seed(0)
    plain = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False).eval()
    ours = copy.deepcopy(plain)
    replace_depthwise(ours)
    replaced = [module for module in ours.modules() if isinstance(module, DepthwiseConv2d)]
    assert {(module.kernel_size, module.stride) for module in replaced} == {
        ((3, 3), (2, 2)),
        ((5, 5), (1, 1)),
        ((5, 5), (2, 2)),
    }
    assert list(ours.state_dict()) == list(plain.state_dict())
    images = torch.randn(2, 3, 50, 70)
    for network in (plain, ours):
        sum(level.square().mean() for level in network(images)).backward()
    for (name, wanted), made in zip(plain.named_parameters(), ours.parameters(), strict=True):
        assert wanted.grad is not None, name
        assert made.grad is not None, name
        assert (made.grad - wanted.grad).norm() < 1e-4 * wanted.grad.norm(), name


def test_what_is_frozen_passes_gradients_on() -> None:
    convolution = nn.Conv2d(4, 4, 5, stride=2, padding=2, groups=4, bias=False)
    convolution.requires_grad_(False)
    first = nn.Conv2d(3, 4, 1)
    network = nn.Sequential(first, convolution)
    replace_depthwise(network)
    assert isinstance(network[1], DepthwiseConv2d)
    with torch.autocast("cpu", torch.bfloat16):
        made = network(torch.randn(1, 3, 8, 8))
    assert made.dtype == torch.bfloat16
    made.float().sum().backward()
    assert first.weight.grad is not None
    assert first.weight.grad.any()
    assert convolution.weight.grad is None
