"""What every registered method must do to be trained and compared; a new one joins by being registered."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.small_network import SECOND, SMALL, SMALL_VIT
from spn.core.errors import UserError
from spn.core.records import to_plain
from spn.losses.options import LossOptions
from spn.methods.base import Baseline, Batch, build_method
from spn.methods.options import METHODS, BaselineOptions, MethodOptions, SPNOptions
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.network import NetworkOutput, SegmentationNetwork
from spn.training.config import OptimisationConfig, TrainConfig
from spn.training.session import Ingredients, run_training
from spn.transforms.config import AugmentationConfig
from training.fakes import StopError, fake_config, fake_ingredients

NAMES = METHODS.names()
SECOND_FORM = SPNOptions(
    random_prompt=True, consistency_weight=0.1, consistency_divergence="angle", consistency_stop_gradient=True
)


def first_model(options: MethodOptions) -> ModelConfig:
    """What the method with these options is given."""
    return SECOND if options == SECOND_FORM else SMALL


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, for methods that want some."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        image = np.random.default_rng(number).integers(0, 80 + 80 * number, (40, 50, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with weights of the small encoder, for methods with a pretrained teacher."""
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    network = build_network(BaselineOptions().resolve(SMALL), seed=7)
    save_file(network.encoder.backbone.backbone.state_dict(), path)
    return path


@pytest.fixture(params=[*NAMES, "spn, second form"])
def options(request: pytest.FixtureRequest, pictures: Path) -> MethodOptions:
    """The method's defaults, with a folder for every option that is a path; SPN's second form besides."""
    if request.param not in NAMES:
        return SECOND_FORM
    kind = METHODS.entry(request.param).options
    hints = typing.get_type_hints(kind)
    paths = {
        field.name: pictures
        for field in fields(kind)
        if Path in (hints[field.name], *typing.get_args(hints[field.name]))
    }
    made: MethodOptions = kind(**paths)
    return made


@pytest.fixture
def method(options: MethodOptions) -> Baseline:
    return build_method(options, LossOptions())


@pytest.fixture
def prepared(method: Baseline, pretrained: Path) -> SegmentationNetwork:
    return prepare(method, pretrained=pretrained)


def prepare(method: Baseline, *, pretrained: bool | Path = False, seed: int = 0) -> SegmentationNetwork:
    """The network of a method, ready for its loss, with its teachers as a training has them."""
    model = method.options.resolve(first_model(method.options))
    network = build_network(model, seed=seed).train()
    teachers = method.teachers(model, pretrained=pretrained, seed=seed)
    for teacher in teachers.values():
        teacher.requires_grad_(False).eval()
    method.prepare(network, teachers=teachers)
    return network


def batch(method: Baseline, *, size: int = 4) -> Batch:
    """Images whose label can be read off their brightness."""
    generator = torch.Generator().manual_seed(0)
    labels = (
        torch.randint(0, 2, (size, 4, 4), generator=generator)
        .repeat_interleave(16, 1)
        .repeat_interleave(16, 2)
    )
    images = labels[:, None, None].float().expand(-1, method.views, 3, -1, -1) * 0.6 + 0.2
    noisy = images + 0.05 * torch.rand(images.shape, generator=generator)
    streams = {name: torch.rand((size, 3, 64, 64), generator=generator) for name in method.streams()}
    return Batch(noisy, labels, streams, progress=0.5)


def test_its_options_and_title_are_registered(method: Baseline, options: MethodOptions) -> None:
    entry = METHODS.entry_of(options)
    assert isinstance(method, entry.load())
    assert entry.title
    assert method.options == options
    assert method.views >= 1


def test_titles_are_told_apart() -> None:
    assert len({METHODS.entry(name).title for name in NAMES}) == len(NAMES)


def test_its_model_can_be_stored_and_rebuilt(method: Baseline, prepared: SegmentationNetwork) -> None:
    config = method.options.resolve(first_model(method.options))
    assert method.options.resolve(config) == config
    assert ModelConfig.from_dict(to_plain(config)) == config
    rebuilt = build_network(config, seed=9)
    rebuilt.load_state_dict(prepared.state_dict(), strict=True)


def test_every_trainable_parameter_gets_a_gradient(method: Baseline, prepared: SegmentationNetwork) -> None:
    method.training_loss(prepared, batch(method), generator=torch.Generator().manual_seed(0)).total.backward()
    assert [name for name, p in prepared.named_parameters() if p.requires_grad and p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in prepared.parameters() if p.grad is not None)


def test_it_calls_the_network_once_and_works_on_a_wrapper(
    method: Baseline, prepared: SegmentationNetwork
) -> None:
    class Wrapped(nn.Module):
        calls = 0

        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, *inputs: Tensor, **options: object) -> NetworkOutput:
            self.calls += 1
            output: NetworkOutput = self.module(*inputs, **options)
            return output

    wrapped = Wrapped(prepared)
    method.training_loss(wrapped, batch(method), generator=None)
    assert wrapped.calls == 1


def test_the_same_generator_gives_the_same_loss(options: MethodOptions, pretrained: Path) -> None:
    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        method = build_method(options, LossOptions())
        network = prepare(method, pretrained=pretrained)
        generator = torch.Generator().manual_seed(2)
        return method.training_loss(network, batch(method), generator=generator).total.item()

    assert loss(0) == loss(1)


def test_images_without_ground_truth_do_no_harm(method: Baseline, prepared: SegmentationNetwork) -> None:
    data = batch(method)
    data = data._replace(labels=torch.full_like(data.labels, 255))
    loss = method.training_loss(prepared, data, generator=None)
    loss.total.backward()
    assert loss.total.isfinite()
    assert loss.terms["cross_entropy"] == 0


def test_it_trains_in_bfloat16(method: Baseline, prepared: SegmentationNetwork) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.training_loss(prepared, batch(method), generator=torch.Generator().manual_seed(0))
    loss.total.backward()
    assert loss.total.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in prepared.parameters() if p.grad is not None)


def test_it_leaves_nothing_behind_in_evaluation(method: Baseline, prepared: SegmentationNetwork) -> None:
    plain = build_network(method.options.resolve(first_model(method.options)), seed=3).eval()
    prepared.load_state_dict(plain.state_dict())
    images = batch(method).images[:, 0]
    assert torch.equal(prepared.eval()(images).logits, plain(images).logits)
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in prepared.state_dict().items())


def test_it_learns_something_easy(method: Baseline, prepared: SegmentationNetwork) -> None:
    optimizer = torch.optim.AdamW(prepared.parameters(), lr=2e-2)
    generator = torch.Generator().manual_seed(0)
    data = batch(method)
    losses = []
    for _ in range(40):
        loss = method.training_loss(prepared, data, generator=generator)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.terms["cross_entropy"].item())
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        prediction = prepared(data.images[:, 0]).logits.argmax(dim=1)
    assert (prediction == data.labels).float().mean() > 0.8


def gather(stop: int | None = None) -> Callable[[TrainConfig], Ingredients]:
    """Noise, the small network and the configured method, which stops the process in its call `stop`."""

    def gathered(config: TrainConfig) -> Ingredients:
        method = build_method(config.method, config.loss)
        network = build_network(config.model, seed=config.seed)
        calls = 0

        def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal calls
            if calls == stop:
                raise StopError
            calls += 1

        network.register_forward_pre_hook(count)
        return replace(fake_ingredients(config), network=network, method=method, validate=None)

    return gathered


def whole_and_resumed(
    tmp_path: Path, *, method: MethodOptions, model: ModelConfig, pretrained: bool | Path = False
) -> list[dict[str, Tensor]]:
    """The final weights of two trainings; one was stopped in its fourth step, after a checkpoint."""
    finished = []
    for name, stop in (("whole", None), ("broken", 3)):
        config = fake_config(
            tmp_path / name,
            model=model,
            method=method,
            pretrained=pretrained,
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


def test_a_resumed_training_ends_with_the_same_weights(
    options: MethodOptions, pretrained: Path, tmp_path: Path
) -> None:
    whole, resumed = whole_and_resumed(
        tmp_path, method=options, model=first_model(options), pretrained=pretrained
    )
    assert whole.keys() == resumed.keys()
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@pytest.mark.parametrize("name", ["baseline", "spn"])
def test_a_frozen_encoder_is_trained_and_resumed_like_others(name: str, tmp_path: Path) -> None:
    options = METHODS.entry(name).options()
    whole, resumed = whole_and_resumed(tmp_path, method=options, model=SMALL_VIT)
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []
    start = build_network(options.resolve(SMALL_VIT)).state_dict()
    changed = {key for key, value in whole.items() if not torch.equal(value, start[key])}
    frozen = {key for key in whole if key.startswith("encoder.backbone.backbone.")}
    assert frozen
    assert not changed & frozen
    assert any(".prompts.blocks." in key for key in changed) == (name == "spn")


def test_tokens_of_rein_stand_between_the_blocks_of_a_frozen_transformer() -> None:
    network = build_network(METHODS.entry("rein").options().resolve(SMALL_VIT))
    learned = {name for name, weight in network.named_parameters() if weight.requires_grad}
    prompts = {name for name in network.state_dict() if ".prompts.blocks." in name}
    assert prompts & learned
    assert not any("noise" in name or "log_size" in name for name in prompts)  # nothing is drawn
    baseline = build_network(SMALL_VIT.baseline()).state_dict()
    assert not any(".prompts.blocks." in name for name in baseline)


@pytest.mark.parametrize("name", ["mixstyle", "ibn", "isw", "mrfp"])
def test_what_changes_the_stages_of_an_encoder_refuses_one_without(name: str) -> None:
    method = build_method(METHODS.entry(name).options(), LossOptions())
    with pytest.raises(UserError, match="frozen"):
        method.prepare(build_network(method.options.resolve(SMALL_VIT)), teachers={})
