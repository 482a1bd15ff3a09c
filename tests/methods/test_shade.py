"""SHADE: which styles it chooses, what it makes of them, and what it compares."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.small_network import SMALL
from spn.core.classes import CAMVID_11, own_space
from spn.core.errors import UserError
from spn.losses.options import LossOptions
from spn.methods.base import Batch, build_method
from spn.methods.feature_style import style
from spn.methods.options import STYLE_MEMORY, SHADEOptions
from spn.methods.shade import BASIS, SHADE, farthest_points, padded_labels, retrospection
from spn.models.build import build_network
from spn.models.encoders.style_parts import StyleMemory
from spn.models.network import SegmentationNetwork


def test_farthest_points_are_the_corners_before_the_crowd() -> None:
    crowd = torch.rand((30, 2), generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    chosen = farthest_points(torch.cat([crowd, corners]), count=4).tolist()
    assert chosen[0] == 33
    assert set(chosen) == {30, 31, 32, 33}


def test_each_point_is_chosen_once() -> None:
    points = torch.randn((7, 3), generator=torch.Generator().manual_seed(0))
    assert sorted(farthest_points(points, count=64).tolist()) == list(range(7))


@pytest.mark.parametrize("parts", [(2, 3), (5,), (3, 3, 3), (11,)])
def test_the_memory_holds_the_last_styles(parts: tuple[int, ...]) -> None:
    memory = StyleMemory(5, width=1)
    numbers = torch.arange(sum(parts), dtype=torch.float32)
    for part in numbers.split(parts):
        memory.remember(part.view(-1, 1, 1).expand(-1, 2, 1))
    assert sorted(memory.known()[:, 0, 0].tolist()) == numbers[-5:].tolist()


def test_a_memory_that_is_not_full_gives_what_it_has() -> None:
    memory = StyleMemory(5, width=2)
    assert memory.known().shape == (0, 2, 2)
    memory.remember(torch.ones(3, 2, 2))
    assert torch.equal(memory.known(), torch.ones(3, 2, 2))


def test_a_memory_knows_what_was_loaded_into_it() -> None:
    first, second = StyleMemory(5, width=2), StyleMemory(5, width=2)
    first.remember(torch.ones(3, 2, 2))
    second.remember(torch.zeros(1, 2, 2))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.known(), torch.ones(3, 2, 2))


def prepared(*, pretrained: bool | Path = False) -> tuple[SHADE, SegmentationNetwork]:
    method = SHADE(SHADEOptions(retrospection_weight=2.0), loss=LossOptions())
    model = method.options.resolve(SMALL)
    network = build_network(model).train()
    method.prepare(network, teachers=method.teachers(model, pretrained=pretrained, seed=0))
    return method, network


def test_new_styles_lie_between_those_remembered_and_own_features_stay() -> None:
    method, _ = prepared()
    method.generator = torch.Generator().manual_seed(0)
    own = torch.randn((4, 8, 8, 8), generator=torch.Generator().manual_seed(1))
    own = own * torch.tensor([0.5, 1, 2, 4]).view(4, 1, 1, 1) + 1
    first, second = method._hallucinate(own.repeat(2, 1, 1, 1)).chunk(2)
    assert torch.equal(first, own)
    for known, new in zip(style(own), style(second), strict=True):
        assert (new >= known.amin(dim=0) - 1e-3).all()
        assert (new <= known.amax(dim=0) + 1e-3).all()
    assert (style(second)[1] - style(own)[1]).abs().max() > 0.1


THINGS = (11, 13)


def test_it_compares_each_crop_with_its_hallucination() -> None:
    method, network = prepared()
    memory = next(module for module in network.modules() if isinstance(module, StyleMemory))
    assert memory.styles.shape == (STYLE_MEMORY, 2, 8)
    data = Batch(torch.rand((3, 1, 3, 64, 64)), torch.zeros((3, 64, 64), dtype=torch.int64))
    loss = method.training_loss(network, data, generator=torch.Generator().manual_seed(0))
    assert len(memory.known()) == 3
    assert loss.terms["style_consistency"] > 0
    expected = loss.terms["cross_entropy"] + 0.4 * loss.terms["auxiliary"]
    torch.testing.assert_close(loss.total, expected + 10 * loss.terms["style_consistency"])
    assert BASIS <= STYLE_MEMORY


def test_the_retrospection_is_the_mean_distance_where_things_fill_a_cell() -> None:
    features = torch.randn((2, 5, 2, 3), generator=torch.Generator().manual_seed(0))
    known = torch.randn((2, 5, 2, 3), generator=torch.Generator().manual_seed(1))
    labels = torch.zeros((2, 16, 24), dtype=torch.int64)
    labels[0, :8, 8:16] = 13  # a car fills a cell
    labels[1, 8:, :6] = 11  # persons fill three quarters of one
    labels[1, :8, 16:20], labels[1, :8, 20:] = 13, 11  # two things share one: neither has enough
    distance = (features - known).square().sum(dim=1).sqrt()
    expected = (distance[0, 0, 1] + distance[1, 1, 0]) / 2
    torch.testing.assert_close(retrospection(features, known, labels, things=THINGS), expected)
    assert retrospection(features, known, torch.zeros_like(labels), things=THINGS) == 0


def test_classes_without_things_cannot_be_remembered(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    save_file(build_network(SMALL.baseline(), seed=7).encoder.backbone.backbone.state_dict(), path)
    options = SHADEOptions(retrospection_weight=2.0)
    model = options.resolve(SMALL)
    for classes, refused in ((own_space("mine", ["floor", "shelf"]), True), (CAMVID_11, False)):
        method = build_method(options, LossOptions(), classes=classes)
        teachers = method.teachers(model, pretrained=path, seed=0)
        with pytest.raises(UserError, match=r'as things = \["car"\]') if refused else nullcontext():
            method.prepare(build_network(model), teachers=teachers)


def test_padding_is_no_thing() -> None:
    padded = padded_labels(torch.full((1, 30, 60), 13), (32, 64))
    assert padded.shape == (1, 32, 64)
    assert (padded[:, :30, :60] == 13).all()
    assert (padded == 13).sum() == 30 * 60
    assert padded[0, 31, 63] == 255


def test_it_remembers_the_pretrained_encoder_where_there_is_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "encoder.safetensors"
    save_file(build_network(SMALL.baseline(), seed=7).encoder.backbone.backbone.state_dict(), path)
    method, network = prepared(pretrained=path)
    data = Batch(torch.rand((3, 1, 3, 60, 60)), torch.full((3, 60, 60), 13))
    loss = method.training_loss(network, data, generator=torch.Generator().manual_seed(0))
    terms = loss.terms
    assert terms["retrospection"] > 0
    supervised = terms["cross_entropy"] + 0.4 * terms["auxiliary"]
    torch.testing.assert_close(
        loss.total, supervised + 10 * terms["style_consistency"] + 2 * terms["retrospection"]
    )
    assert not caplog.text
    prepared()
    assert "SHADE's retrospection consistency is left out" in caplog.text


def test_evaluation_neither_restyles_nor_remembers() -> None:
    _, network = prepared()
    plain = build_network(SMALL.baseline()).eval()
    images = torch.rand((3, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    network.eval()
    assert torch.equal(network(images).logits, plain(images).logits)
    assert all(len(module.known()) == 0 for module in network.modules() if isinstance(module, StyleMemory))
