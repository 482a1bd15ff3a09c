"""One safe file per network: what goes in comes out, and anything else is refused with a reason."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spn.core.errors import CheckpointError
from spn.core.files import file_sha256
from spn.core.records import to_plain
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import find_weights, load, read_info, save_network
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.encoders.options import TimmOptions
from spn.models.prompts.options import HybridOptions

CONFIG = ModelConfig(
    encoder=TimmOptions(name="resnet18", channels=(8, 8, 8, 8), layers=(1, 1, 1, 1), style_removal=False),
    prompt=HybridOptions(width=8, tokens=4, groups=2),
    decoder=DeepLabOptions(width=8, skips=(Skip(4, 4, 8, 2),)),
    auxiliary_width=4,
)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    network = build_network(CONFIG)
    save_network(
        tmp_path / "run" / "model.safetensors",
        network,
        model_config=CONFIG,
        info={"method": "spn", "seed": 3, "step": 10},
    )
    return tmp_path / "run"


def test_a_network_comes_back_as_it_was(run_folder: Path) -> None:
    loaded = load(run_folder, fold=False)
    network = build_network(CONFIG).eval().to(memory_format=torch.channels_last)
    images = torch.rand(1, 3, 40, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(images).logits, network(images).logits, rtol=0, atol=0)
    assert loaded.model_config == CONFIG
    assert loaded.info == {"method": "spn", "seed": 3, "step": 10} == read_info(run_folder)
    assert not loaded.network.training
    assert loaded.sha256 == file_sha256(run_folder / "model.safetensors")
    assert load(run_folder / "model.safetensors", fold=False).sha256 == loaded.sha256


def test_weights_of_the_first_version_are_read_as_they_were_meant(run_folder: Path) -> None:
    """Its configuration had no kinds and a list per column of the skips, its views stood among the notes."""
    file = run_folder / "model.safetensors"
    encoder = {
        "name": "resnet18", "family": "convolutional", "level_width": 256, "output_stride": 16,
        "channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1], "stem_width": None, "stem_type": None,
        "drop_path_rate": None, "ibn": False, "whitening": False, "style_removal": False, "style_memory": 0,
    }  # fmt: skip
    decoder = {
        "width": 8, "dilations": [6, 12, 18], "separable": True, "skip_strides": [4], "skip_widths": [4],
        "refine_widths": [8], "refine_convolutions": [2], "detail_width": 0, "strips": 0, "strip_length": 31,
    }  # fmt: skip
    config = {
        "encoder": encoder,
        "scales": [1.0, 0.5],
        "block_prompt": {"kind": "none", "width": 128, "tokens": 32, "groups": 8, "first_block": 0},
        "prompt": {"kind": "hybrid", "width": 8, "tokens": 4, "groups": 2, "noise": "image", "strides": None},
        "decoder": decoder,
        "auxiliary": True,
        "auxiliary_width": 4,
        "num_classes": 19,
    }
    views = {"input_height": 48, "scales": "1 2", "flip": "alternate"}
    metadata = {"version": "1", "info": json.dumps({"seed": 22, **views}), "config": json.dumps(config)}
    now = load(file, fold=False)
    save_file(load_file(file), file, metadata={"format": "spn-network", **metadata})
    old = load(file, fold=False)
    assert old.model_config == CONFIG
    assert old.tta == TestTimeAugmentation(input_height=48, scales=(1, 2), alternate_flip=True)
    assert old.info == {"seed": 22}
    for name, tensor in now.network.state_dict().items():
        assert torch.equal(old.network.state_dict()[name], tensor), name


def _rewrite(file: Path, *, metadata: dict[str, str] | None = None, **tensors: torch.Tensor | None) -> None:
    with safe_open(file, framework="pt") as opened:
        kept = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        old = opened.metadata()
    for name, tensor in tensors.items():
        if tensor is None:
            del kept[name.replace("__", ".")]
        else:
            kept[name.replace("__", ".")] = tensor
    save_file(kept, file, metadata={**old, **(metadata or {})})


def test_weights_that_do_not_fit_are_refused(run_folder: Path) -> None:
    file = run_folder / "model.safetensors"
    name = next(iter(load(file, fold=False).network.state_dict()))
    _rewrite(file, **{name: None, "surplus": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=rf"Missing key.*{name}.*Unexpected key.*surplus"):
        load(file, fold=False)
    _rewrite(file, **{name: torch.zeros(2, 2)}, surplus=None)
    with pytest.raises(CheckpointError, match=r"size mismatch.*\[2, 2\]\) from checkpoint"):
        load(file, fold=False)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"version": "99"}, "format version 99"),
        ({"format": "other"}, "no network configuration"),
        ({"config": "{"}, "cannot be used"),
        ({"config": '{"surprise": 1}'}, "surprise"),
    ],
)
def test_other_files_are_refused(run_folder: Path, metadata: dict[str, str], says: str) -> None:
    _rewrite(run_folder / "model.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=says):
        load(run_folder, fold=False)


def test_an_encoder_from_the_network_is_refused(run_folder: Path) -> None:
    """timm fetches `hf-hub:…` names; a file must not make the program do that."""
    config = dataclasses.replace(
        CONFIG, encoder=TimmOptions(name="hf-hub:someone/model", style_removal=False)
    )
    _rewrite(run_folder / "model.safetensors", metadata={"config": json.dumps(to_plain(config))})
    with pytest.raises(CheckpointError, match="not a plain timm name"):
        load(run_folder, fold=False)


def test_pickles_and_torn_files_are_refused(run_folder: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "model.pth"
    pickled.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(CheckpointError, match="Pickled checkpoints"):
        load(pickled, fold=False)
    file = run_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load(file, fold=False)


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file or folder"):
        find_weights(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="wanted a run folder"):
        find_weights(tmp_path)
    unfinished = tmp_path / "checkpoints" / "step_000500"
    unfinished.mkdir(parents=True)
    (unfinished / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match="step_000500"):
        find_weights(tmp_path)
    assert find_weights(unfinished) == unfinished / "model.safetensors"
