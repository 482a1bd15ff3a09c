"""The cost of a configuration, measured without memory, against networks that are really built and run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from models.small_network import SMALL, SMALL_VIT
from spn.methods.config import MethodConfig
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.training.config import OptimisationConfig, RuntimeConfig, TrainConfig
from spn.training.cost import measure_cost, with_method
from spn.transforms.config import AugmentationConfig

CONFIG = TrainConfig(
    out=Path(),
    model=SMALL,
    augmentation=AugmentationConfig(crop_height=64, crop_width=96),
    optimisation=OptimisationConfig(batch_size=4),
)
BASELINE = with_method(CONFIG, "baseline")


@pytest.mark.parametrize("config", [BASELINE, CONFIG], ids=["baseline", "spn"])
def test_parameters_are_those_of_the_built_network(config: TrainConfig) -> None:
    model = SMALL.baseline() if config.method.name == "baseline" else SMALL
    expected = sum(parameter.numel() for parameter in build_network(model).parameters())
    cost = measure_cost(config)
    assert cost.parameters == cost.trainable == expected
    assert cost.memory.gradients == cost.memory.optimiser == 4 * expected


def test_a_pass_of_one_convolution_costs_what_the_formula_says() -> None:
    """The classifier at stride 4: 12 → 19 channels; without it the count falls by exactly its share."""
    wide = replace(BASELINE, model=replace(SMALL, num_classes=29))
    difference = measure_cost(wide).flops - measure_cost(BASELINE).flops
    assert difference == 2 * 10 * 12 * (64 // 4) * (96 // 4)


@pytest.mark.parametrize("model", [SMALL.baseline(), replace(SMALL_VIT, scales=(1.0,))], ids=["cnn", "vit"])
def test_activations_are_close_to_those_of_a_real_forward_in_bf16(model: ModelConfig) -> None:
    network = build_network(model).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autocast("cpu", dtype=torch.bfloat16), saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(torch.rand(4, 3, 64, 96), upsample=False)
    copies = sum(2 * parameter.numel() for parameter in network.parameters() if parameter.ndim > 1)
    del output
    config = replace(CONFIG, model=model, method=MethodConfig(name="spn", views=1, consistency_weight=0.0))
    assert measure_cost(config).memory.activations == pytest.approx(sum(kept.values()) - copies, rel=0.15)


def test_frozen_parameters_need_no_gradient_and_recomputing_saves_activations() -> None:
    config = replace(CONFIG, model=SMALL_VIT)
    network = build_network(SMALL_VIT)
    cost = measure_cost(config)
    trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert cost.trainable == trainable < cost.parameters
    assert cost.memory.gradients == cost.memory.optimiser == 4 * trainable
    recomputed = measure_cost(replace(config, runtime=RuntimeConfig(recompute=True)))
    assert recomputed.memory.activations < 0.8 * cost.memory.activations
    assert recomputed.flops == cost.flops


def test_activations_and_loss_grow_with_the_crops_on_the_device() -> None:
    once = measure_cost(BASELINE)
    twice = measure_cost(replace(BASELINE, optimisation=replace(BASELINE.optimisation, batch_size=8)))
    assert twice.memory.activations == pytest.approx(2 * once.memory.activations, rel=0.01)
    assert twice.memory.loss == 2 * once.memory.loss
    assert twice.memory.weights == once.memory.weights
    accumulated = replace(BASELINE, runtime=RuntimeConfig(device_batch=2))
    assert measure_cost(accumulated).crops == 2
    assert measure_cost(accumulated).memory.loss == once.memory.loss // 2


def test_the_second_view_and_the_optimiser_count() -> None:
    one = measure_cost(replace(CONFIG, method=MethodConfig(second_view_share=0.5))).memory
    all_crops = measure_cost(replace(CONFIG, method=MethodConfig(second_view_share=1.0))).memory
    assert all_crops.loss * 6 == one.loss * 8
    adam = replace(CONFIG, optimisation=replace(CONFIG.optimisation, optimiser="adamw", ema_decay=0.9))
    assert measure_cost(adam).memory.optimiser == 2 * one.optimiser
    assert measure_cost(adam).memory.weights > one.weights
    assert one.total == one.weights + one.gradients + one.optimiser + one.activations + one.loss


def test_a_paper_scale_network_takes_no_memory() -> None:
    large = TrainConfig(out=Path())
    large = replace(large, optimisation=replace(large.optimisation, batch_size=512))
    assert measure_cost(with_method(large, "baseline")).memory.total > 300e9
