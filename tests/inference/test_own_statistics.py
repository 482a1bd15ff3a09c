"""A share of the image's own statistics in shallow normalisations, each image by itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from models.small_network import SMALL, SMALL_VIT
from spn.core.errors import UserError
from spn.inference.batch_norm import own_statistics
from spn.inference.model import Model
from spn.inference.tta import TestTimeAugmentation
from spn.models.build import build_network
from spn.models.network import SegmentationNetwork

IMAGES = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    network = build_network(SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    return network.eval()


def predicted(network: SegmentationNetwork, share: float, images: torch.Tensor = IMAGES) -> torch.Tensor:
    tta = TestTimeAugmentation(own_statistics=share)
    return Model(network, tta=tta).probabilities(images, (64, 64))[0]


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_the_first_normalisation_mixes_both_statistics(network: SegmentationNetwork, share: float) -> None:
    norm = network.encoder.backbone.norms(stages=2)[0]
    features = torch.rand(1, norm.num_features, 9, 7) * 3 - 1
    variance, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0)
    expected = F.batch_norm(
        features,
        torch.lerp(norm.running_mean, mean, share),  # type: ignore[arg-type]
        torch.lerp(norm.running_var, variance, share),  # type: ignore[arg-type]
        norm.weight,
        norm.bias,
        eps=norm.eps,
    )
    with torch.inference_mode(), own_statistics(network, share):
        torch.testing.assert_close(norm(features), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(norm(features), expected, atol=1e-2)


def test_stem_and_two_stages_and_nothing_after(network: SegmentationNetwork) -> None:
    norms = network.encoder.backbone.norms(stages=2)
    backbone = network.encoder.backbone.backbone  # type: ignore[union-attr]
    deep = {norm for stage in (backbone.layer3, backbone.layer4) for norm in stage.modules()}  # type: ignore[union-attr]
    assert len(norms) == 3 + 2 + 3  # a deep stem; two convolutions a stage, and the second one's shortcut
    assert not deep & set(norms)


def test_each_image_is_normalised_by_itself_and_the_network_is_left_as_it_was(
    network: SegmentationNetwork,
) -> None:
    before = predicted(network, 0.0)
    together = predicted(network, 0.3)
    assert (together - before).abs().max() > 1e-3
    alone = torch.cat([predicted(network, 0.3, image[None]) for image in IMAGES])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(predicted(network, 0.0), before, rtol=0, atol=0)


def test_a_network_without_such_normalisations_is_refused() -> None:
    network = build_network(SMALL_VIT).eval()
    with pytest.raises(UserError, match="states no stages"):
        predicted(network, 0.2)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_shares_are_between_none_and_all(share: float) -> None:
    with pytest.raises(UserError, match="wanted a share"):
        TestTimeAugmentation(own_statistics=share)
