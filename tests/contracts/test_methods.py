"""What every method must do to be trained and compared; a new one joins by being registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.small_network import SMALL, SMALL_VIT
from spn.core.errors import UserError
from spn.core.plugins import load_plugins
from spn.core.records import from_plain, to_plain
from spn.methods.base import Batch, Method, build_method
from spn.methods.options import METHODS, MethodOptions
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.network import NetworkOutput, SegmentationNetwork
from spn.training.config import OptimisationConfig, TrainConfig
from spn.training.cost import measure_cost
from spn.training.session import Ingredients, run_training
from spn.transforms.config import AugmentationConfig
from training.fakes import fake_config, fake_ingredients

load_plugins()


def options(name: str) -> MethodOptions:
    """The method's options, small enough for five steps."""
    plain = METHODS.entry(name).options()
    return replace(plain, start=1) if name == "isw" else plain


@pytest.fixture(params=METHODS.load_all())
def method(request: pytest.FixtureRequest) -> Method:
    return build_method(options(request.param))


def prepared(method: Method, *, seed: int = 0) -> SegmentationNetwork:
    network = build_network(method.resolve(SMALL), seed=seed).train()
    method.prepare(network)
    return network


def batch(method: Method, *, size: int = 4) -> Batch:
    """Images whose label can be read off their brightness."""
    generator = torch.Generator().manual_seed(0)
    labels = (
        torch.randint(0, 2, (size, 4, 4), generator=generator)
        .repeat_interleave(16, 1)
        .repeat_interleave(16, 2)
    )
    images = labels[:, None, None].float().expand(-1, method.views, 3, -1, -1) * 0.6 + 0.2
    return Batch(images + 0.05 * torch.rand(images.shape, generator=generator), labels)


def test_it_has_a_title_and_views(method: Method) -> None:
    assert METHODS.entry_of(method.options).title
    assert method.views >= 1


def test_its_options_survive_being_written_down(method: Method) -> None:
    plain = to_plain(method.options)
    assert from_plain(MethodOptions, plain) == method.options


def test_its_model_can_be_stored_and_rebuilt(method: Method) -> None:
    config = method.resolve(SMALL)
    assert method.resolve(config) == config
    assert ModelConfig.from_dict(config.to_dict()) == config
    rebuilt = build_network(config, seed=9)
    rebuilt.load_state_dict(prepared(method).state_dict(), strict=True)


def test_every_trainable_parameter_gets_a_gradient(method: Method) -> None:
    network = prepared(method)
    method.training_loss(network, batch(method), generator=torch.Generator().manual_seed(0)).total.backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_it_calls_the_network_once_and_works_on_a_wrapper(method: Method) -> None:
    class Wrapped(nn.Module):
        calls = 0

        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, *inputs: Tensor, **options: object) -> NetworkOutput:
            self.calls += 1
            output: NetworkOutput = self.module(*inputs, **options)
            return output

    wrapped = Wrapped(prepared(method))
    method.training_loss(wrapped, batch(method), generator=None)
    assert wrapped.calls == 1


def test_the_same_generator_gives_the_same_loss(method: Method) -> None:
    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(2)
        return method.training_loss(prepared(method), batch(method), generator=generator).total.item()

    assert loss(0) == loss(1)


def test_images_without_ground_truth_do_no_harm(method: Method) -> None:
    network = prepared(method)
    images, labels = batch(method)
    loss = method.training_loss(network, Batch(images, torch.full_like(labels, 255)), generator=None)
    loss.total.backward()
    assert loss.total.isfinite()
    assert loss.terms["cross_entropy"] == 0


def test_it_learns_something_easy(method: Method) -> None:
    network = prepared(method)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-2)
    generator = torch.Generator().manual_seed(0)
    data = batch(method)
    losses = []
    for _ in range(40):
        loss = method.training_loss(network, data, generator=generator)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.terms["cross_entropy"].item())
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        prediction = network(data.images[:, 0]).logits.argmax(dim=1)
    assert (prediction == data.labels).float().mean() > 0.8


class StopError(Exception):
    """What a kill does to the process, for one process."""


def gather(stop: int | None = None) -> Callable[[TrainConfig], Ingredients]:
    """Noise, the small network and the configured method, which stops the process in its call `stop`."""

    def gathered(config: TrainConfig) -> Ingredients:
        method = build_method(config.method, config.loss)
        model = method.resolve(config.model)
        network = build_network(model, seed=config.seed)
        method.prepare(network)
        calls = 0

        def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal calls
            if calls == stop:
                raise StopError
            calls += 1

        network.register_forward_pre_hook(count)
        return replace(
            fake_ingredients(config), network=network, model_config=model, method=method, validate=None
        )

    return gathered


def whole_and_resumed(
    tmp_path: Path, *, method: MethodOptions, model: ModelConfig
) -> list[dict[str, Tensor]]:
    """The final weights of two trainings; one was stopped in its fourth step, after a checkpoint."""
    finished = []
    for name, stop in (("whole", None), ("broken", 3)):
        config = fake_config(
            tmp_path / name,
            model=model,
            method=method,
            augmentation=AugmentationConfig(crop_height=32, crop_width=32),
            optimisation=OptimisationConfig(batch_size=2, learning_rate=0.01),
            steps=5,
        )
        if stop is not None:
            with pytest.raises(StopError):
                run_training(config, gather=gather(stop))
        result = run_training(config, gather=gather())
        assert result.resumed_at == (2 if stop else 0)
        finished.append(load_file(result.weights))
    return finished


def test_a_resumed_training_ends_with_the_same_weights(method: Method, tmp_path: Path) -> None:
    whole, resumed = whole_and_resumed(tmp_path, method=method.options, model=SMALL)
    assert whole.keys() == resumed.keys()
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@pytest.mark.parametrize("name", ["baseline", "spn"])
def test_a_frozen_encoder_is_trained_and_resumed_like_others(name: str, tmp_path: Path) -> None:
    whole, resumed = whole_and_resumed(tmp_path, method=options(name), model=SMALL_VIT)
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []
    start = build_network(build_method(options(name)).resolve(SMALL_VIT)).state_dict()
    changed = {key for key, value in whole.items() if not torch.equal(value, start[key])}
    frozen = {key for key in whole if key.startswith("encoder.backbone.backbone.")}
    assert frozen
    assert not changed & frozen
    assert any(".prompts.blocks." in key for key in changed) == (name == "spn")


@pytest.mark.parametrize("name", ["mixstyle", "ibn", "isw"])
def test_what_changes_the_stages_of_an_encoder_refuses_one_without(name: str) -> None:
    method = build_method(options(name))
    with pytest.raises(UserError, match="frozen"):
        method.prepare(build_network(method.resolve(SMALL_VIT)))


def test_its_cost_is_known_without_running_it(method: Method) -> None:
    config = TrainConfig(
        out=Path(),
        model=SMALL,
        method=method.options,
        augmentation=AugmentationConfig(crop_height=32, crop_width=32),
        optimisation=OptimisationConfig(batch_size=2),
    )
    cost = measure_cost(config)
    assert cost.parameters == sum(parameter.numel() for parameter in prepared(method).parameters())
    assert cost.flops > 0
