"""The whole network: equal to its baseline before training, deterministic, stochastic when asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from models.small_network import SMALL, SMALL_VIT, generator, images, prompt, waken
from spn.core.errors import UserError
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.deeplab import StripBlock
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.encoders.multi_resolution import MultiResolutionEncoder, ScaleGate, Window
from spn.models.prompts.msffp import PromptNetwork
from spn.models.prompts.options import HybridOptions


@pytest.mark.parametrize("kind", ["hybrid", "semantic", "stochastic", "none"])
@pytest.mark.parametrize("size", [(64, 96), (97, 131)])
@pytest.mark.parametrize("training", [True, False])
def test_an_untrained_spn_equals_its_baseline(kind: str, size: tuple[int, int], training: bool) -> None:
    config = replace(SMALL, prompt=prompt(kind))
    network = build_network(config, seed=3).train(training)
    baseline = build_network(config.baseline(), seed=3).train(training)
    batch = images(2, *size)
    expected = baseline(batch)
    assert expected.logits.shape == (2, 19, *size)
    assert torch.equal(network(batch).logits, expected.logits)
    for drawn in network(batch, num_samples=2, generator=generator()).logits:
        assert torch.equal(drawn, expected.logits)


def test_common_parts_start_from_the_same_weights_and_another_seed_from_others() -> None:
    network, baseline = build_network(SMALL, seed=3), build_network(SMALL.baseline(), seed=3)
    shared = baseline.state_dict()
    assert all(torch.equal(network.state_dict()[name], value) for name, value in shared.items())
    other = build_network(SMALL.baseline(), seed=4).state_dict()
    assert not torch.equal(other["decoder.classifier.weight"], shared["decoder.classifier.weight"])


def test_building_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_network(SMALL)
    assert torch.equal(torch.rand(3), expected)


def test_the_mean_pass_is_deterministic_and_the_draws_follow_the_generator() -> None:
    network = build_network(SMALL).eval()
    waken(network)
    batch = images()
    with torch.no_grad():
        first = network(batch).logits
        torch.manual_seed(99)
        assert torch.equal(network(batch).logits, first)
        draws = network(batch, num_samples=3, generator=generator(7)).logits
        assert torch.equal(network(batch, num_samples=3, generator=generator(7)).logits, draws)
        assert not torch.equal(network(batch, num_samples=3, generator=generator(8)).logits, draws)
    assert draws.shape == (3, *first.shape)
    spread = draws.std(dim=0)
    assert (spread.amax(dim=1) > 0).all(), "every pixel has an uncertainty"


def test_many_draws_of_the_stochastic_prompt_average_to_the_mean_prompt() -> None:
    config = replace(SMALL, prompt=replace(SMALL.prompt, kind="hybrid"))
    network = build_network(config).eval()
    prompts = network.prompts
    assert isinstance(prompts, PromptNetwork)
    with torch.no_grad():
        pyramid = network.encoder(images(1)).pyramids[0]
        mean = prompts(pyramid, num_samples=0, generator=None).prompts[0]
        drawn = prompts(pyramid, num_samples=3000, generator=generator()).prompts
    stack = torch.stack(drawn)
    error = (stack.mean(dim=0) - mean).abs() / (stack.std(dim=0) / len(drawn) ** 0.5 + 1e-6)
    assert error.max() < 6


def test_the_encoder_runs_once_however_many_draws() -> None:
    network = build_network(SMALL).eval()
    calls: list[int] = []
    network.encoder.register_forward_hook(lambda *_: calls.append(1))
    network(images(1), num_samples=4, generator=generator())
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["hybrid", "semantic", "stochastic", "none"])
@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5), (1.0, 0.75, 0.5)])
def test_every_parameter_learns(kind: str, scales: tuple[float, ...]) -> None:
    config = replace(SMALL, scales=scales, prompt=prompt(kind))
    network = build_network(config).train()
    waken(network)
    output = network(images(3), num_samples=1, generator=generator())
    loss = output.logits.square().mean() + output.auxiliary_logits.square().mean()
    if output.prompt_kl is not None:
        loss = loss + output.prompt_kl
    loss.backward()
    assert (output.prompt_kl is None) == (kind in ("semantic", "none"))
    untouched = [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0
    ]
    # timm's ResNet starts the last norm of each residual branch at 0: what feeds it has no gradient yet
    assert [name for name in untouched if ".layer" not in name] == []
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_every_parameter_is_in_the_graph_of_a_fresh_network() -> None:
    network = build_network(SMALL).train()
    output = network(images(), num_samples=1, generator=generator())
    (output.logits.sum() + output.auxiliary_logits.sum()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    strengths = [p.grad.abs().max() for name, p in network.named_parameters() if name.endswith(".strength")]
    assert strengths
    assert all(gradient > 0 for gradient in strengths), "prompts and scales begin to learn at once"


def test_prompts_are_limited_to_the_given_strides() -> None:
    config = replace(SMALL, prompt=replace(SMALL.prompt, strides=(4,)))
    prompts = build_network(config).prompts
    assert isinstance(prompts, PromptNetwork)
    assert prompts.levels == (0,)
    with pytest.raises(UserError, match=r"prompt\.strides"):
        build_network(replace(SMALL, prompt=replace(SMALL.prompt, strides=(2,))))


def test_a_skip_at_the_stem_gives_logits_at_half_the_resolution() -> None:
    decoder = replace(SMALL.decoder, skips=(Skip(4, 8, 16), Skip(2, 4, 12)))
    network = build_network(replace(SMALL, decoder=decoder)).eval()
    output = network(images(1, 64, 96), upsample=False)
    assert output.logits.shape == (1, 19, 32, 48)
    assert output.covers == (64, 96)


def test_a_detail_branch_gives_logits_at_half_the_resolution_and_nothing_else_a_new_place() -> None:
    plain, detailed = (
        build_network(replace(SMALL, decoder=replace(SMALL.decoder, detail_width=width))).eval()
        for width in (0, 6)
    )
    output = detailed(images(1, 64, 96), upsample=False)
    assert output.logits.shape == (1, 19, 32, 48)
    new = detailed.state_dict().keys() - plain.state_dict().keys()
    assert new
    assert all(name.startswith("decoder.detail.") for name in new)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, detailed.state_dict()[name]), name


def test_a_strip_block_sees_its_rows_and_three_columns() -> None:
    block = StripBlock(3, length=9).eval()
    for name, weight in block.named_parameters():
        nn.init.constant_(weight, 0 if name.endswith("bias") else 1)
    features = torch.rand(1, 3, 21, 21, generator=generator()).requires_grad_()
    block(features)[0, :, 10, 10].sum().backward()
    assert features.grad is not None
    seen = features.grad[0].abs().sum(dim=0) > 0
    expected = torch.zeros(21, 21, dtype=torch.bool)
    expected[6:15, 10] = True
    expected[9:12, 9:12] = True
    assert torch.equal(seen, expected)


def test_logits_on_the_grid_are_those_at_full_size_before_the_resize() -> None:
    network = build_network(SMALL).eval()
    batch = images(1, 70, 90)
    grid = network(batch, upsample=False)
    assert grid.covers == (96, 96)
    resized = nn.functional.interpolate(grid.logits, size=grid.covers, mode="bilinear")
    assert torch.equal(network(batch).logits, resized[..., :70, :90])


def test_coarse_scales_keep_their_own_statistics() -> None:
    network = build_network(SMALL).train()
    encoder = network.encoder
    assert isinstance(encoder, MultiResolutionEncoder)
    name = "backbone.layer1.0.bn1.running_mean"
    start = dict(encoder.backbone.named_buffers())[name].clone()
    network(images())
    fine = dict(encoder.backbone.named_buffers())[name].clone()
    coarse = encoder.statistics[0].by_name()[name]  # type: ignore[operator]
    assert not torch.equal(fine, start)
    assert not torch.equal(coarse, start)
    baseline = build_network(SMALL.baseline()).train()
    baseline(images())
    alone = dict(baseline.encoder.backbone.named_buffers())[name]  # type: ignore[union-attr]
    assert torch.equal(fine, alone), "the fine statistics are those of a network without coarse scales"


def test_evaluation_changes_nothing() -> None:
    network = build_network(SMALL).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network(images(), num_samples=2, generator=generator())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_auxiliary_logits_come_in_training_only() -> None:
    network = build_network(SMALL)
    assert network(images()).auxiliary_logits.shape == (2, 19, 4, 6)
    assert network.eval()(images()).auxiliary_logits is None


def test_a_baseline_answers_draws_with_equal_copies() -> None:
    network = build_network(SMALL.baseline()).eval()
    logits = network(images(), num_samples=3).logits
    assert logits.shape == (3, 2, 19, 64, 96)
    assert torch.equal(logits[0], logits[2])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(SMALL, decoder=replace(SMALL.decoder, skips=(Skip(3, 8, 8),))), "no encoder level"),
        (replace(SMALL, decoder=replace(SMALL.decoder, detail_width=-1)), "detail_width"),
        (replace(SMALL, decoder=replace(SMALL.decoder, strips=-1)), "strips"),
        (replace(SMALL, encoder=replace(SMALL.encoder, name="resnet0")), "resnet0"),
        (
            replace(SMALL, encoder=replace(SMALL.encoder, name="convnext_atto", layers=(1, 1))),
            "convnext_atto",
        ),
        (replace(SMALL, encoder=replace(SMALL.encoder, output_stride=7)), "output_stride"),
    ],
)
def test_impossible_configurations_are_named(config: ModelConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_network(config)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (SMALL.decoder, {"strips": 1, "strip_length": 4}, "odd number of rows"),
        (SMALL.decoder, {"skips": (Skip(2, 4, 8),), "detail_width": 4}, "choose one"),
        (SMALL.decoder, {"skips": ()}, "at least one level"),
        (SMALL, {"scales": (0.5, 1.0)}, "scales"),
        (SMALL, {"scales": ()}, "scales"),
        (SMALL.prompt, {"groups": 5}, "groups"),
    ],
)
def test_options_that_contradict_each_other_are_refused_at_once(
    part: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        replace(part, **changes)


@pytest.mark.parametrize(
    "wrong", [torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8)]
)
def test_wrong_images_are_refused(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="wanted floats"):
        build_network(SMALL)(wrong)


def test_the_defaults_are_the_paper_scale() -> None:
    assert ModelConfig().encoder.name == "resnet50"
    assert ModelConfig().baseline().scales == (1.0,)
    assert ModelConfig().baseline().prompt.kind == "none"
    assert DeepLabOptions().dilations == (6, 12, 18)
    assert HybridOptions().width <= 128


def test_a_coarse_view_stays_where_it_is_in_the_fine_one() -> None:
    """144 rows at half the size make 4.5 cells of stride 32, so 5: they reach half a cell below the image."""
    gate = ScaleGate(1)
    with torch.no_grad():
        gate.strength.fill_(1.0)
        gate.from_fine.weight.zero_()
        gate.from_coarse.weight.zero_()
        gate.from_fine.bias.fill_(30.0)  # type: ignore[union-attr]
    rows = torch.arange(5.0).add(0.5).mul(64).view(1, 1, 5, 1).expand(1, 1, 5, 4)  # centres, in pixels
    joined = gate(torch.zeros(1, 1, 9, 8), rows, spans=(10, 8))[0, 0, :, 0]
    torch.testing.assert_close(joined[1:], torch.arange(1.0, 9.0).add(0.5).mul(32))


def test_a_coarse_grid_reaches_over_whole_cells_of_its_own() -> None:
    encoder = build_network(SMALL, seed=0).encoder
    for rows in (3, 4):  # of 32 pixels; at half the size 2 cells each
        assert encoder._spans((rows, 4), torch.zeros(1, 1, 2, 2), (1, 2)) == (4, 4)
    vit = build_network(SMALL_VIT, seed=0).encoder
    assert vit._spans((3, 4), torch.zeros(1, 1, 2, 2), (1, 2)) == (3, 4)


def test_a_window_is_predicted_from_its_own_pixels_and_from_the_coarse_view_of_all() -> None:
    network = build_network(SMALL, seed=0).eval()
    seen = images(1, 128, 192)
    window = Window(32, 96, 64, 96)
    part = window.of(seen)
    with torch.no_grad():
        untrained = network(seen, window=window)
        assert untrained.covers == (64, 96)
        torch.testing.assert_close(untrained.logits, network(part).logits)  # the coarse view weighs 0 yet
        waken(network)
        logits = network(seen, window=window).logits
        assert logits.shape == (1, 19, 64, 96)
        elsewhere = seen.clone()
        elsewhere[..., :32] = 0
        assert not torch.allclose(network(elsewhere, window=window).logits, logits)
        torch.testing.assert_close(network(seen, window=Window(0, 0, 128, 192)).logits, network(seen).logits)


def test_coarse_features_of_a_window_are_those_at_its_place() -> None:
    encoder = build_network(replace(SMALL, prompt=prompt("none")), seed=0).encoder.eval()
    for gate in encoder.gates.modules():
        if isinstance(gate, ScaleGate):  # coarse features alone
            with torch.no_grad():
                gate.strength.fill_(1.0)
                for layer in (gate.from_fine, gate.from_coarse):
                    layer.weight.zero_()
                gate.from_fine.bias.fill_(30.0)  # type: ignore[union-attr]
    seen = images(1, 128, 192)
    with torch.no_grad():
        whole, part = encoder(seen).pyramids[0], encoder(seen, window=Window(32, 64, 64, 96)).pyramids[0]
    for level in encoder.levels:
        stride = 128 // whole[level].shape[-2]
        expected = whole[level][..., 32 // stride : 96 // stride, 64 // stride : 160 // stride]
        torch.testing.assert_close(part[level], expected, rtol=1e-4, atol=1e-5)
