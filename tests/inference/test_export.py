"""An exported file says what the network says, brings all that is needed to use it, or is not there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.small_network import SMALL, waken
from spn.cli.main import dispatch
from spn.core.classes import CLASS_NAMES
from spn.core.errors import CheckpointError, UserError
from spn.core.version import LICENCE, __version__
from spn.inference import export
from spn.inference.export import Comparison, export_model, fastest
from spn.inference.model import Model
from spn.inference.onnx import OnnxNetwork
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import load, save_network
from spn.models.build import build_network
from spn.models.encoders.options import TimmOptions

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
ort = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")

RELEASED = TestTimeAugmentation(input_height=80, scales=(1.0, 1.5), alternate_flip=True)
TINY = replace(SMALL.baseline(), auxiliary=False)
"""Exports in a few seconds; the contract tests export what has more parts."""


def photo(seed: int = 0, height: int = 90, width: int = 120) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, height // 9, 0), width // 12, 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = build_network(TINY, seed=3)
    waken(network)
    folder = tmp_path_factory.mktemp("run")
    info = {"method": "spn", "trained_on": ["GTAV train", "SYNTHIA train"]}
    save_network(folder / "model.safetensors", network, model_config=TINY, info=info, tta=RELEASED)
    return folder


@pytest.fixture(scope="module")
def exported(weights: Path) -> Path:
    """The small model in ONNX, by the command."""
    out = weights / "small.onnx"
    assert dispatch(["export", str(weights), "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_an_encoder_that_pads_by_the_size_is_right_at_sizes_whose_half_is_odd(tmp_path: Path) -> None:
    """TensorFlow's SAME padding on a coarse scale of 48x80: rows and columns get odd on the way."""
    encoder = TimmOptions(name="tf_efficientnet_lite0", output_stride=32, style_removal=False)
    config = replace(SMALL, encoder=encoder, auxiliary=False)
    network = build_network(config, seed=3)
    waken(network)
    save_network(tmp_path / "model.safetensors", network, model_config=config, info={})
    assert dispatch(["export", str(tmp_path), "--out", str(tmp_path / "out.onnx")]) == 0
    session = ort.InferenceSession(str(tmp_path / "out.onnx"), providers=["CPUExecutionProvider"])
    images = torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(1))
    logits = session.run(["logits"], {"images": images.numpy()})[0]
    with torch.no_grad():
        expected = load(tmp_path, device="cpu").network(images).logits
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-3, atol=1e-4)


def test_an_exported_file_is_all_that_its_user_needs(exported: Path, weights: Path) -> None:
    session = ort.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(metadata["classes"])) == CLASS_NAMES
    assert json.loads(metadata["palette"])[0] == [128, 64, 128]
    assert (metadata["licence"], metadata["spn_version"]) == (LICENCE, __version__)
    assert metadata["training_data"] == "GTAV train, SYNTHIA train"
    assert metadata["weights_sha256"] == load(weights).sha256
    assert "input height 80" in json.loads(metadata["protocol"])["description"]
    (opset,) = onnx.load(exported).opset_import
    assert (opset.domain, opset.version) == ("", export.OPSET)
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    network = load(weights, device="cpu").network
    for shape in (
        (1, 3, 71, 50),
        (2, 3, 33, 97),
        (1, 3, 20, 20),
    ):  # none of them compared when it was written
        images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        logits = session.run(["logits"], {"images": images.numpy()})[0]
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(logits), network(images).logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("tta", [None, TestTimeAugmentation(window=(64, 64), flip=True)])
def test_a_model_says_the_same_in_onnxruntime(
    exported: Path, weights: Path, tta: TestTimeAugmentation | None
) -> None:
    ours, theirs = load(weights, device="cpu", tta=tta), load(exported, tta=tta)
    assert (theirs.tta, theirs.classes, theirs.model_config) == (ours.tta, ours.classes, ours.model_config)
    assert theirs.info == {**ours.info, "exported_from": ours.sha256}
    for image in (photo(), photo(1, 45, 300)):
        one, other = ours.predict(image), theirs.predict(image)
        assert (one.labels == other.labels).mean() > 0.999
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-4)
        np.testing.assert_allclose(one.uncertainty, other.uncertainty, atol=1e-4)


def test_predict_writes_the_same_files_from_onnx(exported: Path, weights: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(photo()).save(tmp_path / "a.png")
    for name, model in (("torch", weights), ("onnx", exported)):
        command = ["predict", str(tmp_path / "a.png"), "--checkpoint", str(model), "--quiet"]
        assert dispatch([*command, "--out", str(tmp_path / name)]) == 0
    files = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("torch", "onnx")]
    assert files[0] == files[1]
    assert "a_uncertainty.png" in files[0]
    labels = [np.asarray(Image.open(tmp_path / name / "a_label.png")) for name in ("torch", "onnx")]
    assert (labels[0] == labels[1]).mean() > 0.999


def test_what_an_exported_network_cannot_do_is_said(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mean prompt alone"):
        load(exported, tta=TestTimeAugmentation(num_samples=2)).predict(photo())
    with pytest.raises(UserError, match="own statistics"):
        load(exported, tta=TestTimeAugmentation(own_statistics=0.5)).predict(photo())
    with pytest.raises(UserError, match="computes in 32"):
        load(exported, precision="bf16")
    with pytest.raises(UserError, match="device cuda"):
        load(exported, device="cuda")
    with pytest.raises(UserError, match="nothing of the weights"):
        load(exported, fold=False)
    with pytest.raises(UserError, match="exported already"):
        export_model(load(exported), tmp_path / "again.onnx")


def test_files_that_are_no_exports_are_refused(tmp_path: Path, exported: Path) -> None:
    other = onnx.load(exported)
    del other.metadata_props[:]
    onnx.save(other, tmp_path / "foreign.onnx")
    for place, lost in enumerate(onnx.load(exported).metadata_props):
        lacking = onnx.load(exported)
        if lost.key in ("precision", "tta", "label_space", "config", "info"):
            del lacking.metadata_props[place]
            onnx.save(lacking, tmp_path / f"without_{lost.key}.onnx")
    assert len(list(tmp_path.iterdir())) == 6
    (tmp_path / "half.onnx").write_bytes(exported.read_bytes()[:10_000])
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "empty.onnx").touch()
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(CheckpointError, match=path.name):
            load(path)


def test_a_file_that_differs_does_not_stay(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(weights, device="cpu")
    out = tmp_path / "out" / "model.pt2"
    monkeypatch.setattr(export, "LIMITS", {"float32": (-1.0, 0.0)})
    with pytest.raises(UserError, match="does not do what PyTorch does"):
        export_model(model, out, kind="torch")
    assert list(out.parent.iterdir()) == []


def test_a_comparison_sees_one_wrong_weight(exported: Path, weights: Path, tmp_path: Path) -> None:
    model = load(weights, device="cpu")
    whole = export._compared(exported, model.network, frames=[photo()])  # type: ignore[arg-type]
    assert whole == Comparison(pytest.approx(0, abs=1e-4), pytest.approx(1, abs=1e-3), 3)
    wrong = onnx.load(exported)
    bias = next(one for one in wrong.graph.initializer if one.name.endswith("classifier.bias"))
    values = onnx.numpy_helper.to_array(bias) + np.eye(1, len(CLASS_NAMES), 5, dtype=np.float32)[0] * 3
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(wrong, tmp_path / "wrong.onnx")
    changed = export._compared(tmp_path / "wrong.onnx", model.network, frames=[])  # type: ignore[arg-type]
    assert changed.largest > 0.1


def test_arguments_that_cannot_work_are_refused(weights: Path, tmp_path: Path) -> None:
    model = load(weights, device="cpu")
    wrong: list[tuple[str, Model, dict[str, Any]]] = [
        ("ends in .onnx", model, {"out": tmp_path / "a.pt2"}),
        ("int8 is for ONNX", model, {"out": tmp_path / "a.pt2", "kind": "torch", "precision": "int8"}),
        ("needs photographs", model, {"out": tmp_path / "a.onnx", "precision": "int8"}),
        (
            "random draws",
            replace(model, tta=TestTimeAugmentation(num_samples=2)),
            {"out": tmp_path / "a.onnx"},
        ),
        ("was not written by this command", model, {"out": tmp_path / "mine.onnx"}),
    ]
    (tmp_path / "mine.onnx").write_text("my own")
    for message, one, arguments in wrong:
        with pytest.raises(UserError, match=message):
            export_model(one, **arguments)
    assert (tmp_path / "mine.onnx").read_text() == "my own"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_smaller_arithmetic(weights: Path, tmp_path: Path, precision: Any) -> None:
    model = load(weights, device="cpu")
    out = tmp_path / "small.onnx"
    frames = [photo(seed) for seed in range(4)]
    found = export_model(model, out, precision=precision, frames=frames)
    assert found.equal > export.LIMITS[precision][1]
    loaded = load(out)
    assert loaded.precision == {"float16": "16", "int8": "int8"}[precision]
    assert (loaded.predict(photo(9)).labels == model.predict(photo(9)).labels).mean() > 0.9


def test_a_torch_program_has_its_metadata(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.pt2"
    assert dispatch(["export", str(weights), "--format", "torch", "--out", str(out)]) == 0
    texts = {"metadata.json": ""}
    program = torch.export.load(out, extra_files=texts).module()
    assert json.loads(json.loads(texts["metadata.json"])["classes"]) == list(CLASS_NAMES)
    images = torch.rand(3, 3, 70, 99)
    with torch.no_grad():
        expected = load(weights, device="cpu").network(images).logits
    torch.testing.assert_close(program(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("writable", [True, False])
def test_the_backend_is_exported_once_to_a_cache_that_may_be_missing(
    weights: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    place = tmp_path / "cache"
    if not writable:
        place.write_text("a file where a folder should be")
    made = []

    def export_again(model: Model, out: Path) -> None:
        made.append(model.tta)
        out.write_bytes(exported.read_bytes())

    monkeypatch.setattr(export, "user_cache", lambda: place)
    monkeypatch.setattr(export, "export_model", export_again)
    ours = load(weights, device="cpu")
    assert fastest(ours, pictures=export.WORTH_EXPORTING - 1) is ours  # not exported yet
    for _ in range(2):
        theirs = load(weights, backend="onnx")
        assert (theirs.path, theirs.sha256, theirs.tta) == (ours.path, ours.sha256, RELEASED)
        assert (theirs.predict(photo()).labels == ours.predict(photo()).labels).mean() > 0.999
    assert len(made) == (1 if writable else 2)
    again = fastest(ours, pictures=1)
    assert isinstance(again.network, OnnxNetwork) == writable
    for drawn in (TestTimeAugmentation(num_samples=2), TestTimeAugmentation(own_statistics=0.1)):
        needs_torch = replace(ours, tta=drawn)
        assert fastest(needs_torch, pictures=5000) is needs_torch
    if writable:  # a damaged file in the cache is made again
        next(place.rglob("*.onnx")).write_text("damaged")
        load(weights, backend="onnx")
        assert len(made) == 2
    assert isinstance(fastest(ours, pictures=export.WORTH_EXPORTING).network, OnnxNetwork)


def test_without_the_extra_the_error_says_what_to_install(
    weights: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnxscript"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    model = load(weights, device="cpu")
    assert fastest(model, pictures=5000) is model
    for action in (lambda: load(exported), lambda: export_model(load(weights), tmp_path / "a.onnx")):
        with pytest.raises(UserError, match=re.escape("pip install 'spn-segmentation[onnx]'")):
            action()
    assert list(tmp_path.iterdir()) == []


def test_the_licence_is_that_of_the_package() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'license = "{LICENCE}"' in project
