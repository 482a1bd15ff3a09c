"""Networks with their BatchNorms folded say what they said before, at every resolution."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from models.small_network import SMALL, SMALL_VIT, generator, images, waken
from spn.inference.batch_norm import fold_batch_norms
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import SegFormerOptions
from spn.models.encoders.options import TimmOptions
from spn.models.network import SegmentationNetwork

ENCODER = replace(SMALL.encoder, style_removal=False)
BOTTLENECKS = TimmOptions(name="resnet26", layers=(1, 1, 1, 1), channels=(8, 8, 8, 8), style_removal=False)
NORMS_THAT_ACTIVATE = TimmOptions(name="mobilenetv3_small_050", style_removal=False)
PLAIN = replace(SMALL, encoder=ENCODER)
STRIPED = replace(PLAIN, decoder=replace(PLAIN.decoder, detail_width=6, strips=2, strip_length=5))


def trained(config: ModelConfig) -> SegmentationNetwork:
    """A network whose BatchNorms, weights and statistics, are unlike those of a new one."""
    network = build_network(config, seed=4)
    waken(network)
    stream = generator(5)
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            if tensor.ndim == 1 and tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape, generator=stream), alpha=0.5)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("config", "left"),
    [
        (PLAIN, 0),
        (STRIPED, 0),  # some after the sum of two convolutions
        (replace(PLAIN, decoder=SegFormerOptions(width=12)), 0),
        (SMALL, 0),
        (replace(PLAIN, scales=(1.0, 0.5, 0.25)), 0),
        (PLAIN.baseline(), 0),
        (replace(PLAIN, encoder=replace(ENCODER, ibn=True)), 6),  # halves of a norm
        (replace(PLAIN, encoder=replace(ENCODER, whitening=True)), 0),
        (replace(PLAIN, encoder=BOTTLENECKS), 0),
        (replace(PLAIN, encoder=NORMS_THAT_ACTIVATE), None),
        (SMALL_VIT, None),
    ],
)
def test_a_folded_network_says_what_it_said_before(config: ModelConfig, left: int | None) -> None:
    network, folded = trained(config), trained(config)
    count = fold_batch_norms(folded)
    assert count > 0
    if left is not None:
        idle = norms(folded.auxiliary)  # in training only
        own = norms(folded) - idle - norms(folded.prompts.fusion if folded.prompts else nn.Identity())
        assert own == left
    batch = images(2, 64, 96)
    for samples in (0, 2):
        expected, said = (
            net(batch, num_samples=samples, generator=generator(6)).logits for net in (network, folded)
        )
        torch.testing.assert_close(said, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_folding_twice_changes_nothing_more() -> None:
    network = trained(PLAIN)
    assert fold_batch_norms(network) > 0
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert fold_batch_norms(network) == 0
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
