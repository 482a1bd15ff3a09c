"""What every encoder must do to carry prompts, a decoder and the methods; a new one joins by a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pytest
import torch
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from models.small_network import SMALL, SMALL_VIT, TOKENS, generator, images, waken
from spn.core.errors import UserError
from spn.inference.batch_norm import fold_batch_norms, own_statistics
from spn.methods.feature_style import attach
from spn.models.build import build_network, load_grown
from spn.models.config import ModelConfig
from spn.models.decoders.options import Skip
from spn.models.encoders.options import ENCODERS, EncoderOptions, TimmOptions
from spn.models.encoders.protocol import Encoder, Encoding
from spn.models.encoders.style_parts import (
    HalfInstanceNorm,
    InstanceBatchNorm,
    InstanceWhitening,
    StyleMemory,
    StyleRemoval,
    insert_style_removal,
)
from spn.models.network import SegmentationNetwork
from spn.models.prompts.options import TokenOptions


@dataclass(frozen=True)
class FlatOptions(EncoderOptions):
    kind: Literal["flat"] = "flat"
    name: str = "flat"
    output_stride: Literal[32] = 32
    style_removal: bool = True


class Flat(Encoder):
    """An encoder as somebody else would write it: without blocks."""

    widths, strides = (6, 8, 10, 12), (4, 8, 16, 32)
    stages = ("layers.2", "layers.5", "layers.8", "layers.11", "layers.14")

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU()]
        for width, before in zip(self.widths, (4, *self.widths), strict=False):
            layers += [nn.Conv2d(before, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
        features = []
        for number, layer in enumerate(self.layers):
            images = layer(images)
            if number in (5, 8, 11, 14):
                features.append(images)
        return Encoding([features], kl=None)


@ENCODERS.register("flat", options=FlatOptions)
def build_flat(options: FlatOptions, *, stem: bool, pretrained: bool, seed: int, **_: bool) -> Flat:
    torch.manual_seed(seed)
    encoder = Flat()
    if options.style_removal:
        insert_style_removal(encoder)
    return encoder


SLIM, VIT = SMALL.encoder, SMALL_VIT.encoder
FAMILIES: dict[str, EncoderOptions] = {
    "ResNet": SLIM,
    "ResNet, bottlenecks": TimmOptions(name="resnet26", channels=(4, 6, 8, 10), layers=(1, 1, 1, 1)),
    "ResNetV2": TimmOptions(name="resnetv2_50", channels=(16, 24, 32, 40), layers=(1, 1, 1, 1)),
    "EfficientNet": TimmOptions(name="test_efficientnet", output_stride=16),
    "EfficientNet-Lite": TimmOptions(name="efficientnet_lite0", output_stride=16),
    "EfficientNet, tokens": TimmOptions(name="test_efficientnet", output_stride=16, tokens=TOKENS),
    "MobileNetV3": TimmOptions(name="mobilenetv3_small_050", output_stride=16),
    "MobileNetV4": TimmOptions(name="mobilenetv4_conv_small_035", output_stride=32),
    "RegNet": TimmOptions(name="regnety_002", output_stride=32),
    "ConvNeXt": TimmOptions(name="test_convnext", output_stride=16, drop_path_rate=0.4),
    "HRNet": TimmOptions(name="hrnet_w18_small", output_stride=32),
    "DenseNet": TimmOptions(name="densenet121", output_stride=32),
    "GhostNet": TimmOptions(name="ghostnet_050", output_stride=32),
    "MNASNet": TimmOptions(name="mnasnet_small", output_stride=16),
    "DLA": TimmOptions(name="dla46_c", output_stride=32),
    "NFNet": TimmOptions(name="test_nfnet", output_stride=32),
    "BYOBNet": TimmOptions(name="test_byobnet", output_stride=32),
    "one's own": FlatOptions(),
}
FROZEN = {
    "ViT with class token, stride 8": replace(VIT, output_stride=8),
    "ViT with class token": VIT,
    "ViT with a register, stride 32": replace(VIT, name="test_vit2", output_stride=32),
    "EVA-02, patch 14": replace(VIT, name="eva02_tiny_patch14_224"),
}
STRIDES = {f"ResNet, stride {stride}": replace(SLIM, output_stride=stride) for stride in (8, 32)}
ALL = FAMILIES | STRIDES | FROZEN
CHANGEABLE = [name for name, options in FAMILIES.items() if isinstance(options, TimmOptions)]
WITHOUT_BATCH_NORM = {"ConvNeXt", "NFNet"}
NORM_FIRST = {"ResNetV2", "DenseNet"}
"""Their norms stand before convolutions, so that only those inside of a block can be folded."""


def model_with(encoder: EncoderOptions) -> ModelConfig:
    """The small network on this encoder; every encoder has a level at stride 4 to join."""
    return replace(SMALL, encoder=encoder, decoder=replace(SMALL.decoder, skips=(Skip(4, 8, 8),)))


def plain(name: str, **changes: bool | int) -> SegmentationNetwork:
    """A network on this encoder without style removal, but with these changes."""
    return build_network(model_with(replace(FAMILIES[name].plain(), **changes)).baseline()).eval()  # type: ignore[type-var]


def with_tokens(name: str, tokens: TokenOptions) -> SegmentationNetwork:
    """The same with tokens."""
    model = model_with(FAMILIES[name]).baseline()
    return build_network(replace(model, encoder=replace(model.encoder, tokens=tokens))).eval()  # type: ignore[type-var]


def changed(name: str, **changes: bool | int) -> Encoder:
    """The encoder with these options."""
    return build_network(model_with(replace(FAMILIES[name], **changes))).encoder.backbone  # type: ignore[type-var]


def outputs(
    module: nn.Module, kinds: type[nn.Module] | tuple[type[nn.Module], ...]
) -> Iterator[list[Tensor]]:
    """Fills a list with what the parts of these kinds put out."""
    found: list[Tensor] = []
    for part in module.modules():
        if isinstance(part, kinds):
            part.register_forward_hook(lambda *call: found.append(call[-1].clone()))
    return found


def normalised(features: Tensor) -> bool:
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0)
    alive = variance > 0.1  # a channel that is the same everywhere stays so
    return (
        bool(mean.abs().max() < 1e-3) and bool(alive.any()) and bool((variance[alive] - 1).abs().max() < 0.1)
    )


@pytest.mark.parametrize("name", ALL)
def test_features_are_as_declared(name: str) -> None:
    network = build_network(model_with(ALL[name])).eval()
    encoder = network.encoder.backbone
    noise = torch.randn(3, 1, encoder.noise_width) if encoder.noise_width else None
    with torch.no_grad():
        (pyramid,), _ = encoder(images(1, 64, 96))
        assert len(encoder(images(1, 64, 96), noise).pyramids) == (3 if encoder.noise_width else 1)
    assert len(pyramid) == len(encoder.widths) == len(encoder.strides) == 4
    assert encoder.strides[0] == 4
    assert encoder.strides[-1] == ALL[name].output_stride
    assert list(encoder.strides) == sorted(encoder.strides)
    for features, channels, stride in zip(pyramid, encoder.widths, encoder.strides, strict=True):
        assert features.shape == (1, channels, 64 // stride, 96 // stride)


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_the_first_weights_from_every_level(name: str) -> None:
    network = build_network(model_with(ALL[name])).train()
    waken(network)
    encoder = network.encoder.backbone
    first = next(parameter for parameter in encoder.parameters() if parameter.requires_grad)
    for level, features in enumerate(encoder(images(2, 64, 64)).pyramids[0]):
        (gradient,) = torch.autograd.grad(features.square().mean(), first, retain_graph=True)
        assert gradient.abs().max() > 0, level


@pytest.mark.parametrize("name", ALL)
def test_a_network_on_it_equals_its_baseline_and_then_learns(name: str) -> None:
    model = model_with(ALL[name])
    batch = images(1, 65, 70)
    with torch.no_grad():
        network = build_network(model).eval()
        baseline = build_network(model.baseline()).eval()
        expected = baseline(batch).logits
        assert torch.equal(network(batch).logits, expected)
        waken(network)
        assert not torch.equal(network(batch).logits, expected)
        synchronised = convert_sync_batchnorm(baseline).eval()  # as over several GPUs
        torch.testing.assert_close(synchronised(batch).logits, expected)
    network.train()
    output = network(images(2, 64, 64), num_samples=1, generator=generator(0))
    (output.logits.square().mean() + output.auxiliary_logits.square().mean()).backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_the_style_is_taken_out_after_the_stem_and_two_stages(name: str) -> None:
    encoder = changed(name).eval()
    removals = [module for module in encoder.modules() if isinstance(module, StyleRemoval)]
    assert len(removals) == (4 if name == "HRNet" else 3)  # its second stage has two branches
    before = encoder(images()).pyramids[0]
    for removal in removals:
        nn.init.ones_(removal.share)
    seen = outputs(encoder, StyleRemoval)
    after = encoder(images()).pyramids[0]
    assert all(normalised(features) for features in seen)
    assert all(not torch.allclose(old, new, atol=1e-3) for old, new in zip(before, after, strict=True))
    with torch.no_grad():  # some are in place
        for features, expected in zip(encoder(images()).pyramids[0], after, strict=True):
            torch.testing.assert_close(features, expected)
    sum(features.square().mean() for features in after).backward()
    assert all(removal.share.grad.abs().max() > 0 for removal in removals)


@pytest.mark.parametrize("name", CHANGEABLE)
def test_ibn_and_whitening_are_put_into_the_first_stages(name: str) -> None:
    network = plain(name, ibn=True)
    kind = HalfInstanceNorm if name in WITHOUT_BATCH_NORM else InstanceBatchNorm
    halves = [part for part in network.modules() if isinstance(part, kind)]
    seen = outputs(network, nn.InstanceNorm2d)
    network(images())
    assert len(seen) == len(halves) >= 3
    assert all(normalised(features[:, : len(features[0]) // 2]) for features in seen)
    network = plain(name, whitening=True, style_memory=3)
    seen = outputs(network, InstanceWhitening)
    network(images())
    assert len(seen) == (4 if name == "HRNet" else 3)
    assert all(normalised(features) for features in seen)
    (memory,) = (part for part in network.modules() if isinstance(part, StyleMemory))
    maps: list[Tensor] = []
    attach(network, lambda features: maps.append(features) or features, levels=(-4,))  # type: ignore[func-returns-value]
    network.train()(images())
    assert memory.styles.shape == (3, 2, maps[0].shape[1])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_method_restyles_what_stages_put_out_in_training_only(name: str) -> None:
    network = plain(name)
    before = [features.clone() for features in network.encoder.backbone(images()).pyramids[0]]
    attach(network, lambda features: 2 * features + 1, levels=(-4, -3))
    for old, new in zip(before, network.encoder.backbone(images()).pyramids[0], strict=True):
        assert torch.equal(old, new)
    network.encoder.backbone.training = True  # alone: norms and stochastic depth change nothing then
    for old, new in zip(before, network.encoder.backbone(images()).pyramids[0], strict=True):
        assert not torch.allclose(old, new, rtol=0.01)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_stage_begins_with_one_module_behind_the_stem_and_its_pooling(name: str) -> None:
    encoder = plain(name).encoder.backbone
    stem, first = encoder.outline[:2]
    assert first.begin not in stem.modules
    assert first.begin in first.modules
    begin = encoder.get_submodule(first.begin)
    assert not isinstance(begin, nn.MaxPool2d | nn.BatchNorm2d)
    before = [features.clone() for features in encoder(images()).pyramids[0]]
    begin.register_forward_pre_hook(lambda _, inputs: (inputs[0] * torch.rand_like(inputs[0]), *inputs[1:]))
    for old, new in zip(before, encoder(images()).pyramids[0], strict=True):
        assert not torch.allclose(old, new, rtol=0.01)


def test_a_stage_with_several_readers_has_no_one_beginning() -> None:
    class Twofold(Flat):
        def forward(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
            stem = self.layers[2](self.layers[0](images))
            first = self.layers[5](self.layers[3](stem) + stem[:, :1, ::2, ::2])
            return Encoding([[self.layers[number](first) for number in (8, 11, 14)]], kl=None)

    assert Flat().outline[1].begin == "layers.3"
    assert Twofold().outline[1].begin is None


@pytest.mark.parametrize("name", FAMILIES)
def test_an_image_is_normalised_by_statistics_of_its_own(name: str) -> None:
    network = plain(name)
    _unlike_a_new_one(network)
    with torch.no_grad():
        expected = network(images()).logits
        if name in WITHOUT_BATCH_NORM:
            with pytest.raises(UserError, match="no BatchNorm"), own_statistics(network, 0.3):
                pass
            return
        with own_statistics(network, 0.3):
            together = network(images()).logits
            alone = torch.cat([network(image[None]).logits for image in images()])
        assert (together - expected).abs().max() > 1e-3 * expected.abs().max()
        torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4 * alone.abs().max().item())
        assert torch.equal(network(images()).logits, expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folded_network_says_what_it_said_before(name: str) -> None:
    network = build_network(model_with(FAMILIES[name])).eval()
    waken(network)
    _unlike_a_new_one(network)
    count = _norms(network.encoder.backbone)
    with torch.no_grad():
        expected = network(images(), num_samples=1, generator=generator()).logits
        assert fold_batch_norms(network) > 0
        said = network(images(), num_samples=1, generator=generator()).logits
    torch.testing.assert_close(said, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())
    left = _norms(network.encoder.backbone)
    assert left <= (0.7 if name in NORM_FIRST else 0.1) * count


@pytest.mark.parametrize("name", FAMILIES)
def test_a_trained_network_grows(name: str) -> None:
    model = model_with(FAMILIES[name])
    wanted = replace(model, decoder=replace(model.decoder, strips=2, strip_length=5))
    parts = 2
    if name.startswith("ResNet,"):
        model = replace(model, encoder=model.encoder.plain())
        wanted = replace(wanted, encoder=replace(model.encoder, layers=(1, 2, 1, 3)))
        parts += 3
    trained, network = (
        build_network(config, seed=seed).eval() for seed, config in enumerate((model, wanted))
    )
    waken(trained)
    assert load_grown(network, trained.state_dict()) == parts
    assert torch.equal(network(images()).logits, trained(images()).logits)


@pytest.mark.parametrize("name", CHANGEABLE)
def test_frozen_stages_keep_their_weights_and_frozen_norms_their_statistics(name: str) -> None:
    network = plain(name, frozen_stages=2, frozen_norms=True).train()
    before = {key: value.clone() for key, value in network.encoder.backbone.state_dict().items()}
    network(images()).logits.square().mean().backward()
    assert all(
        torch.equal(value, before[key]) for key, value in network.encoder.backbone.state_dict().items()
    )
    encoder = network.encoder.backbone
    frozen = {id(p) for part in encoder.parts(stages=2) for p in part.parameters()}
    trained = [p for p in encoder.parameters() if id(p) not in frozen]
    assert frozen
    assert all(p.grad is None for p in encoder.parameters() if id(p) in frozen)
    assert any(p.grad is not None for p in trained)


@pytest.mark.parametrize("name", CHANGEABLE)
@pytest.mark.parametrize("after", ["block", "stage"])
def test_tokens_stand_behind_every_block_or_stage(name: str, after: Literal["block", "stage"]) -> None:
    network = with_tokens(name, replace(TOKENS, after=after))
    expected, prompts = plain(name)(images()).logits, network.encoder.backbone.token_prompts
    assert torch.equal(network(images(), num_samples=1, generator=generator()).logits[0], expected)
    seen = outputs(prompts, type(prompts))
    waken(network)
    draws = network(images(), num_samples=2, generator=generator()).logits
    assert len(seen) == 2 * len(prompts.blocks)
    assert after == "block" or len(prompts.blocks) == (1 if name == "HRNet" else 4)
    assert not torch.equal(draws[0], draws[1])
    assert torch.equal(network(images()).logits, network(images()).logits)
    assert prompts.noise is None


def test_tokens_begin_behind_the_block_that_is_named() -> None:
    name = "EfficientNet-Lite"
    for first, blocks in ((0, 15), (2, 13)):
        network = with_tokens(name, replace(TOKENS, first_block=first))
        assert len(network.encoder.backbone.token_prompts.blocks) == blocks
    with pytest.raises(UserError, match="first_block is 15"):
        with_tokens(name, replace(TOKENS, first_block=15))


def _unlike_a_new_one(network: nn.Module) -> None:
    """Give the norms weights and statistics as after a training."""
    stream = generator(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                tensor.add_(torch.rand(tensor.shape, generator=stream), alpha=0.5)


def _norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())
