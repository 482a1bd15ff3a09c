"""The frozen vision transformer and the prompts between its blocks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.small_network import SMALL_VIT, generator, images, waken
from spn.core.errors import CheckpointError, UserError
from spn.core.records import to_plain
from spn.inference.weights import load, save_network
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import Skip
from spn.models.encoders.frozen_vit import FrozenViT
from spn.models.network import SegmentationNetwork
from spn.models.prompts.options import BlockPromptOptions
from spn.models.resampling import resize_images

HYBRID = SMALL_VIT.encoder.prompt


def frozen_vit(network: SegmentationNetwork) -> FrozenViT:
    encoder = network.encoder.backbone
    assert isinstance(encoder, FrozenViT)
    return encoder


def woken(config: ModelConfig = SMALL_VIT, *, checkpointing: bool = False) -> SegmentationNetwork:
    network = build_network(config, seed=3, activation_checkpointing=checkpointing)
    waken(network)
    return network


def with_prompt(prompt: BlockPromptOptions, model: ModelConfig = SMALL_VIT) -> ModelConfig:
    """`model` with these prompts between its blocks."""
    return replace(model, encoder=replace(model.encoder, prompt=prompt))


def only(kind: str) -> ModelConfig:
    """The prompts between the blocks alone, at one resolution."""
    model = SMALL_VIT.baseline()
    return with_prompt(replace(HYBRID, kind=kind), model)


@pytest.mark.parametrize("kind", ["hybrid", "semantic", "stochastic"])
@pytest.mark.parametrize("first_block", [0, 3])
@pytest.mark.parametrize("size", [(64, 96), (97, 131)])
def test_untrained_prompts_leave_the_frozen_encoder_as_it_is(
    kind: str, first_block: int, size: tuple[int, int]
) -> None:
    config = with_prompt(replace(HYBRID, kind=kind, first_block=first_block))
    network, baseline = build_network(config, seed=3).eval(), build_network(config.baseline(), seed=3).eval()
    batch = images(2, *size)
    with torch.no_grad():
        expected = baseline(batch).logits
        assert expected.shape == (2, 19, *size)
        assert torch.equal(network(batch).logits, expected)
        for drawn in network(batch, num_samples=2, generator=generator()).logits:
            assert torch.equal(drawn, expected)
        waken(network)
        assert not torch.equal(network(batch).logits, expected)


@pytest.mark.parametrize("name", ["test_vit", "test_vit2", "eva02_tiny_patch14_224"])
def test_the_frozen_tokens_are_those_of_timm(name: str) -> None:
    """Class and register tokens, rotary embeddings; with untrained prompts too, which add nothing."""
    model = replace(SMALL_VIT, encoder=replace(SMALL_VIT.encoder, name=name))
    for config in (model, model.baseline()):
        encoder = frozen_vit(build_network(config, seed=3))
        seen: list[Tensor] = []
        encoder.pyramid.register_forward_pre_hook(lambda _, arguments, seen=seen: seen.extend(arguments[0]))
        batch = images(2, 64, 96)
        encoder(batch)
        rows, columns = encoder.backbone.patch_embed.patch_size
        with torch.no_grad():
            expected = encoder.backbone.forward_intermediates(
                resize_images(batch, (4 * rows, 6 * columns)), indices=[*encoder.read], output_fmt="NLC"
            )[1]
        quarter = len(encoder.backbone.blocks) / 4
        assert encoder.read == tuple(int(quarter * count) - 1 for count in (1, 2, 3, 4))
        prefix = encoder.backbone.num_prefix_tokens
        assert all(torch.equal(own[:, prefix:], wanted) for own, wanted in zip(seen, expected, strict=True))


@pytest.mark.parametrize("kind", ["hybrid", "semantic", "stochastic"])
def test_the_mean_pass_is_deterministic_and_draws_follow_the_generator(kind: str) -> None:
    network = woken(only(kind)).eval()
    batch = images(2, 32, 64)
    with torch.no_grad():
        first = network(batch).logits
        torch.manual_seed(99)
        assert torch.equal(network(batch).logits, first)
        drawn = network(batch, num_samples=3, generator=generator(7))
        assert torch.equal(network(batch, num_samples=3, generator=generator(7)).logits, drawn.logits)
    assert drawn.logits.shape == (3, *first.shape)
    assert (drawn.prompt_kl is None) == (kind == "semantic")
    random = kind != "semantic"
    assert random != torch.equal(drawn.logits[0], drawn.logits[1])
    assert random != torch.equal(drawn.logits[0], first)


def test_blocks_before_the_first_prompt_run_once_and_those_after_it_for_every_draw() -> None:
    config = with_prompt(replace(HYBRID, first_block=2), only("hybrid"))
    network = woken(config).eval()
    calls = [0] * 6
    for index, block in enumerate(frozen_vit(network).backbone.blocks):

        def count(*_: object, index: int = index) -> None:
            calls[index] += 1

        block.mlp.register_forward_hook(count)
    network(images(1), num_samples=4, generator=generator())
    assert calls == [1, 1, 1, 4, 4, 4]


def test_all_scales_of_an_image_see_the_same_noise() -> None:
    network = woken(with_prompt(replace(HYBRID, first_block=5)))
    seen: list[Tensor] = []
    prompts = frozen_vit(network).prompts
    assert prompts is not None
    prompts.register_forward_pre_hook(lambda _, __, named: seen.append(named["noise"]), with_kwargs=True)
    network(images(2), num_samples=3, generator=generator())
    assert len(seen) == 3 * 2
    for fine, coarse in zip(seen[3:], seen[:3], strict=True):
        assert fine.shape == (2, 16 + 4)
        assert torch.equal(coarse, fine)
    assert not torch.equal(seen[0], seen[1])


def test_nothing_of_the_transformer_is_trained_and_all_the_rest_is() -> None:
    network = woken().train()
    backbone = frozen_vit(network).backbone
    assert not any(module.training for module in backbone.modules())
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    output = network(images(2), num_samples=1, generator=generator())
    loss = output.logits.square().mean() + output.auxiliary_logits.square().mean() + output.prompt_kl
    loss.backward()
    own = {id(parameter) for parameter in backbone.parameters()}
    trainable = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert not own & {id(parameter) for parameter in trainable.values()}
    assert all(parameter.grad is None for parameter in backbone.parameters())
    assert len(trainable) == len(list(network.parameters())) - len(own)
    assert [name for name, p in trainable.items() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_the_frozen_part_leaves_nothing_to_the_backward_pass() -> None:
    encoder = frozen_vit(woken(SMALL_VIT.baseline()))
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    encoder.pyramid = torch.nn.Identity()  # type: ignore[assignment]
    encoder.pyramid.forward = lambda tokens, **_: list(tokens)  # type: ignore[method-assign, assignment]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        (pyramid,) = encoder(images(1)).pyramids
    assert kept == []
    assert not any(tokens.requires_grad for tokens in pyramid)


def test_recomputed_activations_give_equal_gradients_with_less_memory() -> None:
    gradients, kept = [], []
    for checkpointing in (False, True):
        network = woken(checkpointing=checkpointing).train()
        sizes: list[int] = []

        def keep(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = network(images(2), num_samples=2, generator=generator())
        (output.logits.square().mean() + output.prompt_kl).backward()
        gradients.append({name: p.grad for name, p in network.named_parameters() if p.grad is not None})
        kept.append(sum(sizes))
    whole, recomputed = gradients
    assert whole.keys() == recomputed.keys()
    assert [name for name, gradient in whole.items() if not torch.equal(gradient, recomputed[name])] == []
    assert kept[1] < 0.7 * kept[0]


def test_a_convolutional_encoder_does_not_recompute() -> None:
    with pytest.raises(UserError, match=r"runtime\.activation_checkpointing .* BatchNorm"):
        build_network(ModelConfig(), activation_checkpointing=True)


def test_the_network_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    network = woken().eval().to(memory_format=torch.channels_last)  # as `load` gives it
    save_network(tmp_path / "model.safetensors", network, model_config=SMALL_VIT, info={})
    loaded = load(tmp_path, fold=False)
    assert loaded.model_config == SMALL_VIT
    batch = images(1)
    with torch.no_grad():
        assert torch.equal(loaded.network(batch).logits, network(batch).logits)
    assert not any(parameter.requires_grad for parameter in frozen_vit(loaded.network).backbone.parameters())


def test_the_configuration_survives_json() -> None:
    plain = json.loads(json.dumps(to_plain(SMALL_VIT)))
    assert ModelConfig.from_dict(plain) == SMALL_VIT


@pytest.mark.parametrize("name", ["test_vit", "test_vit2", "eva02_tiny_patch14_224"])
def test_local_weights_load_strictly(tmp_path: Path, name: str) -> None:
    """Class token, register token, and rotary embeddings with a patch of 14."""
    config = replace(SMALL_VIT, encoder=replace(SMALL_VIT.encoder, name=name))
    torch.manual_seed(5)
    weights = timm.create_model(name).state_dict()
    path = tmp_path / "vit.safetensors"
    save_file(weights, path)
    loaded = frozen_vit(build_network(config, pretrained=path)).backbone.state_dict()
    assert loaded
    assert all(torch.equal(value, weights[key]) for key, value in loaded.items())
    assert {key.split(".")[0] for key in weights.keys() - loaded.keys()} <= {"norm", "fc_norm", "head"}
    short = {key: value for key, value in weights.items() if key != "blocks.1.norm1.weight"}
    save_file(short, path)
    with pytest.raises(CheckpointError, match=r"1 missing \(blocks.1.norm1.weight\)"):
        build_network(config, pretrained=path)
    save_file({**weights, "blocks.99.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"1 unexpected \(blocks.99.weight\)"):
        build_network(config, pretrained=path)


def test_weights_of_the_hub_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    published = create("test_vit").state_dict()

    def hub(name: str, pretrained: bool = False, **options: object) -> torch.nn.Module:
        model = create(name, **options)
        if pretrained:
            model.load_state_dict(published)
        return model

    monkeypatch.setattr(timm, "create_model", hub)
    loaded = frozen_vit(build_network(SMALL_VIT, pretrained=True)).backbone.state_dict()
    assert all(torch.equal(value, published[name]) for name, value in loaded.items())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (with_prompt(replace(HYBRID, first_block=6)), "blocks are 0 to 5"),
        (replace(SMALL_VIT, encoder=replace(SMALL_VIT.encoder, output_stride=4)), "output_stride"),
        (replace(SMALL_VIT, encoder=replace(SMALL_VIT.encoder, name="resnet18")), "resnet18"),
        (
            replace(SMALL_VIT, encoder=replace(SMALL_VIT.encoder, name="vit_base_patch16_siglip_224")),
            "VisionTransformer that cannot be one",
        ),
        (replace(SMALL_VIT, decoder=replace(SMALL_VIT.decoder, skips=(Skip(2, 4, 8),))), "has no stem"),
        (replace(SMALL_VIT, decoder=replace(SMALL_VIT.decoder, detail_width=4)), "stem"),
    ],
)
def test_impossible_configurations_are_named(config: ModelConfig, message: str) -> None:
    with torch.device("meta"), pytest.raises(UserError, match=message):
        build_network(config)
