"""SPN's training loss: which forward it makes and which terms it adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.small_network import SMALL, prompt, waken
from spn.core.errors import UserError
from spn.core.records import from_plain
from spn.losses.options import LossOptions
from spn.methods.base import Batch, build_method
from spn.methods.options import BaselineOptions, MethodOptions, SPNOptions
from spn.methods.spn import StochasticPrompts, retrospection, window_of
from spn.models.build import build_network
from spn.models.encoders.multi_resolution import Window
from spn.models.network import NetworkOutput
from spn.models.prompts.options import TokenOptions


def batch(size: int = 4, views: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 19, (size, 32, 64), generator=generator)
    return Batch(torch.rand(size, views, 3, 32, 64, generator=generator), labels)


class Recorder(nn.Module):
    """Stands for a wrapped network: counts its calls and keeps what went in and came out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.inputs: list[Tensor] = []
        self.outputs: list[NetworkOutput] = []

    def forward(
        self,
        images: Tensor,
        *,
        num_samples: int = 0,
        generator: torch.Generator | None = None,
        upsample: bool = True,
        window: Window | None = None,
    ) -> NetworkOutput:
        output: NetworkOutput = self.network(
            images, num_samples=num_samples, generator=generator, upsample=upsample, window=window
        )
        self.inputs.append(images)
        self.outputs.append(output)
        return output


def recorded(
    options: SPNOptions, loss: LossOptions = LossOptions()
) -> tuple[Recorder, dict[str, Tensor], Tensor]:
    method = build_method(options, loss)
    model = method.options.resolve(replace(SMALL, auxiliary=loss.auxiliary_weight > 0))
    network = build_network(model).train()
    method.prepare(network, teachers={})
    recorder = Recorder(network)
    waken(recorder)
    result = method.training_loss(
        recorder, batch(views=method.views), generator=torch.Generator().manual_seed(1)
    )
    return recorder, result.terms, result.total


def test_two_views_make_one_forward_with_one_draw() -> None:
    recorder, terms, _ = recorded(SPNOptions(second_view_share=0.5, ego_vehicle_share=0.0))
    assert len(recorder.inputs) == 1
    expected = batch()
    assert torch.equal(recorder.inputs[0], torch.cat([expected.images[:, 0], expected.images[:2, 1]]))
    assert recorder.outputs[0].logits.shape[0] == 1
    assert set(terms) == {"cross_entropy", "auxiliary", "consistency", "prompt_kl"}
    assert terms["consistency"] > 0


def test_only_second_views_show_an_own_car() -> None:
    recorder, _, _ = recorded(SPNOptions(second_view_share=0.5, ego_vehicle_share=1.0))
    expected = batch()
    assert torch.equal(recorder.inputs[0][:4], expected.images[:, 0])
    changed = (recorder.inputs[0][4:] != expected.images[:2, 1]).any(dim=1)
    assert changed.flatten(1).any(dim=1).all()
    assert not changed[:, :16].any(), "a bonnet in the upper half"


def test_one_view_makes_one_forward_with_two_draws() -> None:
    recorder, terms, _ = recorded(SPNOptions(views=1))
    assert len(recorder.inputs) == 1
    assert recorder.outputs[0].logits.shape[:2] == (2, 4)
    assert terms["consistency"] > 0


def test_without_consistency_one_view_is_drawn_once() -> None:
    recorder, terms, _ = recorded(SPNOptions(views=1, consistency_weight=0.0))
    assert recorder.outputs[0].logits.shape[:2] == (1, 4)
    assert "consistency" not in terms


@pytest.mark.parametrize("views", [1, 2])
def test_the_total_is_the_weighted_sum_of_the_terms(views: int) -> None:
    options = SPNOptions(views=views, consistency_weight=0.7, kl_weight=0.2)  # type: ignore[arg-type]
    _, terms, total = recorded(options, LossOptions(auxiliary_weight=0.3))
    expected = terms["cross_entropy"] + 0.3 * terms["auxiliary"] + 0.7 * terms["consistency"]
    torch.testing.assert_close(total, expected + 0.2 * terms["prompt_kl"])
    assert not any(term.requires_grad for term in terms.values())


def test_no_auxiliary_weight_means_no_auxiliary_head() -> None:
    recorder, terms, _ = recorded(SPNOptions(), LossOptions(auxiliary_weight=0.0))
    assert "auxiliary" not in terms
    assert recorder.outputs[0].auxiliary_logits is None


def test_the_step_follows_the_generator() -> None:
    _, _, first = recorded(SPNOptions())
    torch.manual_seed(123)
    _, _, second = recorded(SPNOptions())
    assert torch.equal(first, second)


def test_sampled_labels_estimate_the_full_loss() -> None:
    method = build_method(BaselineOptions(), LossOptions(auxiliary_weight=0.0))
    sparse = build_method(BaselineOptions(), LossOptions(auxiliary_weight=0.0, label_stride=2))
    network = build_network(method.options.resolve(SMALL)).train()
    for each in (method, sparse):
        each.prepare(network, teachers={})
    full = method.training_loss(network, batch(), generator=None).total
    generator = torch.Generator().manual_seed(0)
    estimates = [sparse.training_loss(network, batch(), generator=generator).total for _ in range(12)]
    torch.testing.assert_close(torch.stack(estimates).mean(), full, rtol=0.02, atol=0)


@pytest.mark.parametrize("kind", ["semantic", "none"])
def test_parts_that_are_off_leave_their_terms_out(kind: str) -> None:
    method = build_method(SPNOptions(), LossOptions())
    config = method.options.resolve(replace(SMALL, prompt=prompt(kind)))
    network = build_network(config).train()
    method.prepare(network, teachers={})
    terms = method.training_loss(network, batch(), generator=None).terms
    assert set(terms) == {"cross_entropy", "auxiliary", "consistency"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": 3}, "views"),
        ({"second_view_share": 0.0}, "second_view_share"),
        ({"ego_vehicle_share": 1.5}, "ego_vehicle_share"),
        ({"kl_weight": -1.0}, "kl_weight"),
        ({"kind": "sgd"}, "baseline"),
    ],
)
def test_impossible_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_plain(MethodOptions, {"kind": "spn", **changes})


def test_however_a_batch_is_cut_a_quarter_is_seen_twice_on_average() -> None:
    method = StochasticPrompts(SPNOptions(second_view_share=0.25), loss=LossOptions())
    generator = torch.Generator().manual_seed(0)
    assert {method._second_views(8, generator) for _ in range(20)} == {2}
    counts = [method._second_views(1, generator) for _ in range(800)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_windows_lie_everywhere_in_the_crop_and_nowhere_else(share: float) -> None:
    images = torch.zeros(1, 3, 192, 288)
    generator = torch.Generator().manual_seed(0)
    windows = {window_of(images, share=share, generator=generator) for _ in range(300)}
    sizes = {0.1: (32, 32), 0.5: (96, 128), 0.9: (160, 256)}[share]
    assert {window[2:] for window in windows} == {sizes}
    assert {window.top for window in windows} == set(range(0, 192 - sizes[0] + 1, 32))
    assert {window.left for window in windows} == set(range(0, 288 - sizes[1] + 1, 32))


def test_crops_without_room_for_a_window_are_refused() -> None:
    with pytest.raises(UserError, match="crops of at least 64 pixels"):
        window_of(torch.zeros(1, 3, 63, 128), share=0.5, generator=None)


def test_only_the_labels_of_the_window_are_learned() -> None:
    method = build_method(SPNOptions(views=1, consistency_weight=0, detail=0.5), LossOptions())
    network = build_network(method.options.resolve(SMALL)).train()
    method.prepare(network, teachers={})
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 3, 64, 128, generator=generator)
    labels = torch.full((2, 64, 128), 255)
    window = window_of(images[:, 0], share=0.5, generator=torch.Generator().manual_seed(3))
    window.of(labels)[:] = 1
    losses = []
    for other in (255, 2):  # outside the window
        given = torch.where(labels == 255, other, labels)
        torch.manual_seed(0)
        loss = method.training_loss(network, Batch(images, given), generator=torch.Generator().manual_seed(3))
        losses.append(loss.total)
    assert losses[0] > 0
    assert torch.equal(losses[0], losses[1])


def test_retrospection_counts_in_sizes_of_what_is_known() -> None:
    known = [torch.ones(1, 2, 4, 4)] * 2 + [torch.full((1, 2, 4, 4), 3.0), torch.full((1, 3, 2, 2), 5.0)]
    own = [torch.zeros(1, 2, 4, 4)] * 2 + [torch.full((1, 2, 4, 4), 6.0), torch.full((1, 3, 2, 2), 5.0)]
    torch.testing.assert_close(retrospection(own, known), torch.tensor(1.0))  # 6 for 3 is one size away
    assert retrospection(known, known) == 0


def test_retrospection_ties_the_encoder_to_the_pretrained_one(tmp_path: Path) -> None:
    network = build_network(SMALL, seed=3).train()
    path = tmp_path / "encoder.safetensors"
    plain = build_network(BaselineOptions().resolve(SMALL), seed=3)
    save_file(plain.encoder.backbone.backbone.state_dict(), path)
    options = SPNOptions(views=1, consistency_weight=0, retrospection_weight=2.0, detail=0.5)
    method = build_method(options, LossOptions())
    teachers = method.teachers(SMALL, pretrained=path, seed=0)
    method.prepare(network, teachers={name: teacher.eval() for name, teacher in teachers.items()})
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(2, 1, 3, 64, 128, generator=generator), torch.zeros(2, 64, 128).long()
    network.eval()
    network.encoder.train()  # so that it is remembered; statistics stay those of the teacher
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    same = method.training_loss(network, Batch(images, labels), generator=generator)
    assert float(same.terms["retrospection"]) < 1e-3
    with torch.no_grad():
        for weight in network.encoder.backbone.parameters():
            weight.mul_(1.5)
    moved = method.training_loss(network, Batch(images, labels), generator=generator)
    assert float(moved.terms["retrospection"]) > 0.1
    terms = moved.terms
    expected = terms["cross_entropy"] + 0.001 * terms["prompt_kl"] + 2 * terms["retrospection"]
    torch.testing.assert_close(moved.total, expected)


def test_without_pretrained_weights_there_is_no_retrospection(caplog: pytest.LogCaptureFixture) -> None:
    method = build_method(SPNOptions(views=1, retrospection_weight=1.0), LossOptions())
    assert method.teachers(SMALL, pretrained=False, seed=0) == {}
    assert "SPN's retrospection is left out" in caplog.text
    plain = build_method(SPNOptions(), LossOptions())
    assert plain.teachers(SMALL, pretrained=True, seed=0) == {}


def test_a_frozen_encoder_leaves_its_prompts_and_what_follows_to_learn() -> None:
    """The baseline of the same model trains all of it."""
    tokens = TokenOptions(kind="semantic", width=4, tokens=4, rank=2)
    model = replace(SMALL, encoder=replace(SMALL.encoder, tokens=tokens), prompt=prompt("hybrid"))
    options = SPNOptions(frozen_encoder=True)
    resolved = options.resolve(model)
    assert options.resolve(resolved) == resolved
    network = build_network(resolved).train()
    learning = {name for name, value in network.named_parameters() if value.requires_grad}
    inside = {name for name in learning if name.startswith("encoder.backbone.backbone.")}
    assert {name.split(".")[-1] for name in inside} == {"share"}  # of style removal
    assert "encoder.backbone.token_prompts.mix.weight" in learning
    assert {name.split(".")[0] for name in learning} >= {"encoder", "prompts", "decoder"}
    assert not any(norm.training for norm in network.encoder.modules() if isinstance(norm, nn.BatchNorm2d))
    plain = build_network(BaselineOptions().resolve(model))
    assert all(value.requires_grad for value in plain.parameters())
