"""Learning rate, parameter groups, averaged weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.small_network import SECOND
from spn.core.errors import UserError
from spn.models.build import build_network
from spn.training.config import OptimisationConfig, ScheduleConfig
from spn.training.optimisation import average_weights, build_optimizer, rate_factor
from training.fakes import FakeNetwork


def test_poly_schedule_with_warm_up() -> None:
    schedule = ScheduleConfig(steps=100, warmup_steps=10, power=0.9)
    assert rate_factor(0, schedule) == pytest.approx(0.1)
    assert rate_factor(9, schedule) == 1.0
    assert rate_factor(10, schedule) == 1.0
    assert rate_factor(55, schedule) == pytest.approx(0.5**0.9)
    assert rate_factor(100, schedule) == 0.0
    assert rate_factor(0, ScheduleConfig(steps=10)) == 1.0


def test_every_trainable_parameter_is_in_one_group() -> None:
    network = FakeNetwork()
    network.encoder.bias.requires_grad_(False)
    config = OptimisationConfig(
        learning_rate=0.1, backbone_lr_factor=0.1, weight_decay=0.01, decay="matrices"
    )
    groups = build_optimizer(network, config, fused=False).param_groups
    found = sorted(
        (float(str(g["peak_rate"])), float(str(g["weight_decay"])), len(list(g["params"]))) for g in groups
    )
    assert found == [(pytest.approx(0.01), 0.01, 1), (0.1, 0.0, 3), (0.1, 0.01, 1)]
    assert len(build_optimizer(network, OptimisationConfig(), fused=False).param_groups) == 1


def test_tokens_in_an_encoder_learn_at_the_full_rate() -> None:
    network = build_network(SECOND)
    config = OptimisationConfig(learning_rate=1.0, backbone_lr_factor=0.1)
    groups = build_optimizer(network, config, fused=False).param_groups
    rates = {id(p): group["peak_rate"] for group in groups for p in group["params"]}
    slow = {name for name, p in network.named_parameters() if rates[id(p)] == 0.1}
    tokens = {name for name, _ in network.named_parameters() if ".token_prompts." in name}
    assert tokens
    assert slow == {name for name, _ in network.named_parameters() if name.startswith("encoder.")} - tokens


def test_the_strength_of_prompts_learns_at_a_rate_of_its_own() -> None:
    network = build_network(SECOND)
    config = OptimisationConfig(learning_rate=1.0, backbone_lr_factor=0.5, prompt_lr_factor=30.0)
    groups = build_optimizer(network, config, fused=False).param_groups
    fast = {id(p) for group in groups if group["peak_rate"] == 30.0 for p in group["params"]}
    named = {name for name, p in network.named_parameters() if id(p) in fast}
    assert {name.split(".")[0] for name in named} == {"encoder", "prompts"}
    assert all(name.endswith(".strength") for name in named)
    assert not any(".gates." in name for name in named)  # α of the scales is no prompt's


def test_a_frozen_network_is_refused() -> None:
    with pytest.raises(UserError, match="no trainable parameter"):
        build_optimizer(nn.Linear(2, 2).requires_grad_(False), OptimisationConfig(), fused=False)


def test_average_follows_its_formula_and_continues_from_its_state() -> None:
    network = nn.BatchNorm1d(1)
    average = average_weights(network, decay=0.5)
    expected = 1.0
    for update in range(1, 6):
        network.weight.data.fill_(float(update))
        network.num_batches_tracked.fill_(update)
        average.update_parameters(network)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update
    assert average.module.weight.item() == pytest.approx(expected)
    assert average.module.num_batches_tracked.item() == 5
    assert network.weight.item() == 5.0
    copy = average_weights(network, decay=0.5)
    copy.load_state_dict(average.state_dict())
    for either in (average, copy):
        either.update_parameters(network)
    assert torch.equal(average.module.weight, copy.module.weight)
    assert not average.module.training
    with pytest.raises(RuntimeError, match="Missing key"):
        copy.load_state_dict({"updates": torch.ones(())})
