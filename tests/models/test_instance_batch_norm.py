"""IBN-a: what it normalises, how it starts, and where it refuses."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from models.small_network import SMALL
from spn.models.build import build_network
from spn.models.encoders.style_parts import InstanceBatchNorm


def test_the_first_half_forgets_the_style_of_an_image_and_the_second_keeps_it() -> None:
    norm = InstanceBatchNorm(nn.BatchNorm2d(6)).eval()
    features = torch.randn((2, 6, 8, 8), generator=torch.Generator().manual_seed(0))
    plain, restyled = norm(features), norm(3 * features + 1)
    torch.testing.assert_close(plain[:, :3], restyled[:, :3], rtol=1e-3, atol=1e-3)
    assert (plain[:, 3:] - restyled[:, 3:]).abs().max() > 0.5


def test_it_starts_from_the_weights_that_it_replaces() -> None:
    replaced = nn.BatchNorm2d(4)
    nn.init.uniform_(replaced.weight)
    nn.init.uniform_(replaced.running_mean)
    norm = InstanceBatchNorm(replaced)
    assert torch.equal(norm.instance.weight, replaced.weight[:2])
    assert torch.equal(norm.batch.weight, replaced.weight[2:])
    assert torch.equal(norm.batch.running_mean, replaced.running_mean[2:])


def test_it_stands_in_the_first_three_stages_only() -> None:
    model = dataclasses.replace(SMALL, encoder=dataclasses.replace(SMALL.encoder, ibn=True))
    names = [
        name for name, module in build_network(model).named_modules() if isinstance(module, InstanceBatchNorm)
    ]
    assert names
    assert all(any(f"layer{stage}." in name for stage in (1, 2, 3)) for name in names)
    assert {name.split("layer")[1][0] for name in names} == {"1", "2", "3"}
