"""ISW: what it measures, from when on it whitens, and what its state is."""

from __future__ import annotations

import pytest
import torch

from models.small_network import SMALL
from spn.core.errors import UserError
from spn.core.records import from_plain
from spn.losses.options import LossOptions
from spn.methods.base import Batch
from spn.methods.isw import ISW, covariance, pair_variance
from spn.methods.options import ISWOptions
from spn.models.build import build_network
from spn.models.encoders.style_parts import InstanceWhitening
from spn.models.network import SegmentationNetwork


def batch(*, progress: float = 0.0) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((4, 1, 3, 64, 64), generator=generator)
    views = torch.cat([images, images**2 * torch.tensor([1.0, 0.4, 0.7]).view(3, 1, 1)], dim=1)
    return Batch(views, torch.randint(0, 19, (4, 64, 64), generator=generator), progress=progress)


def prepared(options: ISWOptions) -> tuple[ISW, SegmentationNetwork, list[InstanceWhitening]]:
    method = ISW(options, loss=LossOptions())
    network = build_network(method.options.resolve(SMALL)).train()
    method.prepare(network, teachers={})
    return method, network, [layer for layer in network.modules() if isinstance(layer, InstanceWhitening)]


def test_it_measures_then_whitens() -> None:
    method, network, layers = prepared(ISWOptions(start=0.5, weight=0.5))
    for steps, progress in ((1, 0.0), (2, 0.25)):
        assert not any(layer.sensitive.any() for layer in layers)
        terms = method.training_loss(network, batch(progress=progress), generator=None).terms
        assert "whitening" not in terms
        assert [int(layer.steps) for layer in layers] == [steps] * 3
    loss = method.training_loss(network, batch(progress=0.5), generator=None)
    assert all(layer.sensitive.any() for layer in layers)
    assert not any(layer.sensitive.all() for layer in layers)
    assert loss.terms["whitening"] > 0
    expected = loss.terms["cross_entropy"] + 0.4 * loss.terms["auxiliary"] + 0.5 * loss.terms["whitening"]
    torch.testing.assert_close(loss.total, expected)
    assert [int(layer.steps) for layer in layers] == [2] * 3


def test_the_stem_s_statistics_are_those_of_its_two_views() -> None:
    method, network, layers = prepared(ISWOptions(second_view_share=0.5))
    data = batch()
    method.training_loss(network, data, generator=None)
    features: list[torch.Tensor] = []
    layers[0].register_forward_hook(lambda module, inputs, output: features.append(output.detach()))
    with torch.no_grad():
        # the stem's deep convolutions hold BatchNorm, so both views pass as they did: in one batch
        network(torch.cat([data.images[:, 0], data.images[:2, 1]]))
    expected = pair_variance(covariance(features[0][:2]), covariance(features[0][4:]))
    torch.testing.assert_close(layers[0].variance, expected)


def test_the_whitening_loss_shrinks_what_it_names() -> None:
    method, network, _ = prepared(ISWOptions(start=0.0, weight=20.0))
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    sizes = []
    for _ in range(16):
        loss = method.training_loss(network, batch(), generator=None)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        sizes.append(loss.terms.get("whitening", torch.tensor(torch.nan)).item())
    assert sizes[-1] < 0.7 * sizes[1]


def test_what_it_chose_is_chosen_again_after_a_resume() -> None:
    method, network, layers = prepared(ISWOptions(start=0.0))
    for _ in range(3):
        method.training_loss(network, batch(), generator=None)
    resumed, other, others = prepared(ISWOptions(start=0.0))
    other.load_state_dict(network.state_dict())
    losses = [
        both.training_loss(net, batch(), generator=None).total
        for both, net in ((method, network), (resumed, other))
    ]
    assert torch.equal(*losses)
    assert all(torch.equal(one.sensitive, two.sensitive) for one, two in zip(layers, others, strict=True))


@pytest.mark.parametrize("start", [-0.1, 1.0])
def test_a_start_outside_the_training_is_refused(start: float) -> None:
    with pytest.raises(UserError, match="start"):
        from_plain(ISWOptions, {"kind": "isw", "start": start})
