"""What every encoder with every decoder must be fit for: export, compilation, half precision, storage."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.small_network import SMALL, SMALL_VIT, TOKENS, generator, images, waken
from spn.methods.options import METHODS
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import DecoderOptions, SegFormerOptions
from spn.models.encoders.options import EncoderOptions, TimmOptions
from spn.models.export import ImagesToLogits, export_program
from spn.models.network import SegmentationNetwork
from spn.models.resampling import nearest

ENCODERS: dict[str, EncoderOptions] = {
    "ResNet": SMALL.encoder,
    "ResNet, stride 32": replace(SMALL.encoder, output_stride=32),
    "ConvNeXt": TimmOptions(name="test_convnext", output_stride=16),
    "frozen ViT": SMALL_VIT.encoder,
    "EfficientNet, tokens": TimmOptions(name="test_efficientnet", tokens=TOKENS),
}
DECODERS: dict[str, DecoderOptions] = {"deeplab": SMALL.decoder, "segformer": SegFormerOptions(width=12)}
SLOW = pytest.mark.slow
FAST = (("ResNet", "deeplab"), ("EfficientNet, tokens", "deeplab"))
SIZES = ((1, 65, 97), (3, 131, 200), (1, 160, 96))
"""Other than that of the export's example; above 64 pixels, as promised."""

every_encoder = pytest.mark.parametrize("encoder", ENCODERS)
every_decoder = pytest.mark.parametrize("decoder", DECODERS)


def model(encoder: str = "ResNet", decoder: str = "deeplab") -> ModelConfig:
    return replace(SMALL, encoder=ENCODERS[encoder], decoder=DECODERS[decoder])


def resolved(method: str) -> ModelConfig:
    return METHODS.entry(method).options().resolve(model())


OWN_NETWORK = [
    name for name in METHODS.names() if name == "baseline" or resolved(name) != resolved("baseline")
]
"""The methods that do not train just the baseline's network."""


def network_of(config: ModelConfig) -> SegmentationNetwork:
    network = build_network(config).eval()
    waken(network)
    return network


def check_export(network: SegmentationNetwork, path: Path) -> None:
    torch.export.save(export_program(network), path)
    program = torch.export.load(path).module()
    for size in SIZES:
        batch = images(*size)
        with torch.no_grad():
            torch.testing.assert_close(program(batch), network(batch).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        pytest.param(encoder, decoder, marks=() if (encoder, decoder) in FAST else SLOW)
        for encoder in ENCODERS
        for decoder in DECODERS
    ],
)
def test_an_exported_network_answers_for_any_size(encoder: str, decoder: str, tmp_path: Path) -> None:
    check_export(network_of(model(encoder, decoder)), tmp_path / "network.pt2")


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN_NETWORK)
def test_a_network_of_every_method_is_exported(method: str, tmp_path: Path) -> None:
    check_export(network_of(resolved(method)), tmp_path / "network.pt2")


@pytest.mark.slow
@every_encoder
@every_decoder
def test_onnx_answers_for_any_size(encoder: str, decoder: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    network, path = network_of(model(encoder, decoder)), str(tmp_path / "network.onnx")
    names = {"input_names": ["images"], "output_names": ["logits", "grid"]}
    torch.onnx.export(export_program(network, for_onnx=True), (), path, dynamo=True, **names)
    if importlib.util.find_spec("onnxruntime"):
        session = importlib.import_module("onnxruntime").InferenceSession(path)
    else:
        session = importlib.import_module("onnx.reference").ReferenceEvaluator(path)
    for size in SIZES:
        batch = images(*size)
        for upsample, found in zip((True, False), session.run(None, {"images": batch.numpy()}), strict=True):
            with torch.no_grad():
                expected = network(batch, upsample=upsample).logits
            torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-4)


def test_export_leaves_the_network_as_it_was() -> None:
    network = build_network(replace(model().baseline(), auxiliary=False)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_program(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("encoder", ["ResNet", "EfficientNet, tokens"])
def test_a_compiled_small_network_says_the_same(encoder: str) -> None:
    check_compiled(network_of(model(encoder)), "eager")


@pytest.mark.slow
@every_encoder
@every_decoder
def test_a_compiled_network_says_the_same(encoder: str, decoder: str) -> None:
    check_compiled(network_of(model(encoder, decoder)), "aot_eager")


@pytest.mark.slow
@every_decoder
def test_a_network_compiled_to_machine_code_says_the_same(decoder: str) -> None:
    check_compiled(network_of(model(decoder=decoder)), "inductor")


def check_compiled(network: nn.Module, backend: str) -> None:
    torch.compiler.reset()
    with torch.no_grad():
        compiled = torch.compile(ImagesToLogits(network), backend=backend)  # type: ignore[arg-type]
        torch.testing.assert_close(compiled(images()), network(images()).logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("encoder", "decoder", "method"),
    [
        pytest.param(encoder, decoder, method, marks=() if fast else SLOW)
        for encoder in ENCODERS
        for decoder in DECODERS
        for method in METHODS.names()
        for fast in [method == "spn" or (encoder, decoder) == ("ResNet", "deeplab")]
    ],
)
def test_gradients_in_half_precision_and_a_strict_round_trip(
    encoder: str, decoder: str, method: str, tmp_path: Path
) -> None:
    if encoder == "frozen ViT" and method in ("ibn", "isw", "rein", "shade"):
        pytest.skip("changes stages, which a frozen encoder has not")
    options = METHODS.entry(method).options()
    config = options.resolve(model(encoder, decoder))
    network = build_network(config).train()
    waken(network)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(images(2, 64, 64), num_samples=1, generator=generator())
        terms = [output.logits.float().square().mean(), output.auxiliary_logits.float().square().mean()]
    sum(terms).backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = build_network(config, seed=5)
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    with torch.no_grad():
        assert torch.equal(again.eval()(images()).logits, network.eval()(images()).logits)


def test_sizes_are_rounded_as_by_round() -> None:
    for denominator in (1, 2, 3, 4, 16, 64):
        for numerator in range(300):
            assert nearest(numerator, denominator) == round(numerator / denominator)
