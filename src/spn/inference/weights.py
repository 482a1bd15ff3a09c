"""A network in one safetensors file: its weights, and in the header the configuration that rebuilds it.

Nothing in such a file is executed when it is loaded. Loading is strict: every tensor of the network is in
the file with its shape, and every tensor of the file is in the network.
"""

import json
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from torch import nn

from spn.core.classes import LabelSpace, numbered_space
from spn.core.errors import CheckpointError, UserError
from spn.core.files import file_sha256, write_bytes
from spn.core.process import under_torchrun
from spn.core.records import from_plain, to_plain
from spn.inference.batch_norm import fold_batch_norms
from spn.inference.class_shares import ClassShares, correct
from spn.inference.export import in_onnxruntime
from spn.inference.hub import fetch, hub_address
from spn.inference.model import Model
from spn.inference.onnx import load_onnx
from spn.inference.tta import Backend, Precision, TestTimeAugmentation, augmentation_in
from spn.models.build import build_network
from spn.models.config import ModelConfig

WEIGHTS_NAME: Final = "model.safetensors"
"""The weights' file name inside a run or checkpoint folder."""
SHIPPED: Final = "shipped"
FORMAT: Final = "spn-network"
_LARGEST_HEADER: Final = 1 << 26
VERSIONS: Final = ("1", "2")
"""Of the header; 1 described the network in other words (spn.models.config). The last one is written."""


def save_network(
    path: Path,
    network: nn.Module,
    *,
    model_config: ModelConfig,
    info: Mapping[str, Any],
    classes: LabelSpace | None = None,
    tta: TestTimeAugmentation | None = None,
    released: bool = False,
) -> None:
    """Write `network` to `path`, atomically. `info` holds plain values only (method, seed, step, …).

    classes: what it knows; None: the 19 of Cityscapes, or of another number nothing but numbers.
    tta: what `load` uses unless asked for another. released: floating tensors are written in float16, for
    half the size; they come back as float32.
    """
    metadata = {
        "format": FORMAT,
        "version": VERSIONS[-1],
        "config": json.dumps(to_plain(model_config)),
        "info": json.dumps(dict(info), allow_nan=False),
        "tta": json.dumps(to_plain(tta)),
        "released": json.dumps(released),
        "classes": json.dumps(to_plain(classes or numbered_space(model_config.num_classes))),
    }
    tensors = {}
    for name, tensor in network.state_dict().items():
        kind = torch.float16 if released and tensor.is_floating_point() else tensor.dtype
        # a copy: safetensors refuses tensors that share memory
        tensors[name] = tensor.detach().to("cpu", kind, copy=True).contiguous()
    write_bytes(path, safetensors.torch.save(tensors, metadata))


def load(
    source: str | Path | None = None,
    *,
    device: str | torch.device = "auto",
    tta: TestTimeAugmentation | None = None,
    precision: Precision = "32",
    seed: int = 0,
    fold: bool = True,
    backend: Backend = "torch",
) -> Model:
    """Load a trained model.

    Args:
        source: a run folder, a checkpoint folder, a .safetensors file, an .onnx file of `spn export`, or
            hf://owner/name on the Hugging Face hub; by default the model that comes with the package.
        device: "auto" takes a GPU if there is one; "cpu", "cuda", or any device of torch.
        tta: test-time augmentation. What is left at its default in it is taken from the weights, if they were
            trained or released with one.
        precision: arithmetic of `predict`: "32", "bf16", or "16" (GPU only).
        seed: of the random prompts, if `tta.num_samples` asks for any.
        fold: whether BatchNorms are folded into the convolutions before them: the same function, faster. Turn
            it off to train `model.network` further, or to compare its state dict.
        backend: "onnx" runs the network in onnxruntime, on the CPU and without random draws; it is exported
            to the user's cache when that is first asked for. An .onnx file always runs there.

    Raises:
        CheckpointError: there are no weights, or they are damaged, of another kind, or do not fit their own
            configuration exactly.
        UserError: the device is not there, or cannot compute in that precision.

    >>> model = load()
    >>> len(model.classes)
    19
    >>> model.predict(torch.zeros(3, 48, 64)).labels.shape
    (48, 64)
    """
    file = find_weights(source)
    exported = file.suffix == ".onnx"
    if exported or backend == "onnx":
        if str(device) not in ("auto", "cpu") or (precision != "32" and not exported) or not fold:
            raise UserError(
                f"onnxruntime was asked for device {device}, precision {precision} and fold={fold}; wanted "
                "auto or cpu, 32, and nothing of the weights: use PyTorch, with a run or a .safetensors file"
            )
        device = "cpu"
    if exported:
        return load_onnx(file, tta=tta, precision=precision, seed=seed)
    where = choose_device(device, precision)
    metadata, tensors = _read(file)
    try:
        model_config = ModelConfig.from_dict(json.loads(metadata["config"]))
        info = dict(json.loads(metadata.get("info", "{}")))
        plain = json.loads(metadata["tta"]) if "tta" in metadata else augmentation_in(info)
        released = from_plain(TestTimeAugmentation, plain or {})
        classes = numbered_space(model_config.num_classes)
        if "classes" in metadata:  # older ones do not say
            classes = from_plain(LabelSpace, json.loads(metadata["classes"]))
        if len(classes) != model_config.num_classes:
            raise UserError(f"{len(classes)} classes are named, of {model_config.num_classes}")
        if ":" in model_config.encoder.name:  # timm would fetch "hf-hub:…" and the like from the network
            raise UserError(f"the encoder {model_config.encoder.name!r} is not a plain timm name")
        network = build_network(model_config, pretrained=False).eval()
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise CheckpointError(f"{file}: its network configuration cannot be used: {error}") from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        problems = " ".join(str(error).split())[:1000]
        raise CheckpointError(f"{file}: the weights do not fit the configured network: {problems}") from error
    tta = (tta or TestTimeAugmentation()).completed(released)
    if fold and not tta.own_statistics:
        fold_batch_norms(network)
    model = Model(
        network.to(where).to(memory_format=torch.channels_last),  # a tenth faster on a CPU
        tta=tta,
        precision=precision,
        seed=seed,
        label_space=classes,
        info=info,
        path=file,
        sha256=file_sha256(file),
        model_config=model_config,
    )
    return in_onnxruntime(model) if backend == "onnx" else model


def choose_device(name: str | torch.device, precision: Precision = "32") -> torch.device:
    """The device for a name; auto takes a GPU if there is one.

    Raises UserError if it is not there, or cannot compute in `precision`.
    """
    available = torch.cuda.is_available()
    try:
        device = torch.device(("cuda" if available else "cpu") if name == "auto" else name)
    except RuntimeError as error:
        raise UserError(f"device is {name!r}; wanted auto, cpu, cuda or another of torch's") from error
    if device.type == "cuda" and not available:
        raise UserError(f"device {device} was asked for, but there is no usable GPU; use cpu or auto")
    if precision == "16" and device.type == "cpu":
        raise UserError("precision 16 needs a GPU; on a CPU use 32 or bf16")
    if device == torch.device("cuda") and under_torchrun():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))  # set by torchrun: one process per GPU
    return device


def release(
    checkpoints: Sequence[Path],
    out: Path,
    *,
    tta: TestTimeAugmentation | None = None,
    shares: ClassShares | None = None,
) -> None:
    """Write the weights of a run, or the mean of those of several, to `out` in half precision.

    The mean is a model soup (Wortsman et al., ICML 2022), for trainings that went on from the same weights:
    of all floating tensors, running statistics too; the info is that of the first, with their number.

    Args:
        checkpoints: run folders, checkpoint folders or .safetensors files.
        out: a .safetensors file.
        tta: what they are released for: `spn.load` uses it unless asked for another. By default that of the
            (first) run, if it was trained with one.
        shares: how common the classes are where it was trained and where it will be used, if logits are to be
            corrected for that.

    Raises:
        UserError: an `out`, `tta` or `shares` that nothing could be made of, or no checkpoint.
        CheckpointError: as `load`, and where the networks differ.
    """
    tta = tta or TestTimeAugmentation()
    if not checkpoints:
        raise UserError("no run was named; wanted one or more run folders, checkpoint folders or weights")
    if tta != TestTimeAugmentation() and (tta.input_height or 0) < 32:
        raise UserError(
            f"--input-height is {tta.input_height}; test-time augmentation goes with one: wanted at least 32 "
            "pixels"
        )
    if out.suffix != ".safetensors":
        raise UserError(f"--out is {out}; wanted a file that ends in .safetensors")
    if out.exists() and not _is_release(out):
        raise UserError(f"{out} is there and no earlier release; choose another --out, or move it away")
    first, *others = (load(path, device="cpu", fold=False) for path in checkpoints)
    for other in others:
        if (other.model_config, other.classes) != (first.model_config, first.classes):
            raise CheckpointError(
                f"{other.path} is another network than {first.path}; wanted weights of one "
                "configuration and the same classes"
            )
    info = dict(first.info)
    if others:
        parts = [loaded.network.state_dict() for loaded in (first, *others)]
        for name, tensor in parts[0].items():
            if tensor.is_floating_point():
                tensor.copy_(torch.stack([part[name] for part in parts]).mean(0))
        info["averaged"] = len(parts)
    assert first.model_config
    network, config = first.network, first.model_config
    tta = first.tta if tta == TestTimeAugmentation() else tta.with_prior_of(first.tta)
    if shares:
        tta = shares.seen_with(tta, first.label_space)
        correct(network, shares.shift(first.label_space))
        info["class_shares"] = to_plain(shares)
    tta.check_own()
    save_network(
        out, network, model_config=config, info=info, classes=first.label_space, tta=tta, released=True
    )


def _is_release(file: Path) -> bool:
    """Whether `release` wrote it; older ones say so by having test-time augmentation alone."""
    metadata, _ = _read(file, tensors=False)
    if "released" in metadata:
        return bool(json.loads(metadata["released"]))
    return metadata.get("tta", "null") != "null"


def find_weights(source: str | Path | None = None) -> Path:
    """The weights file that a file, a run folder, a checkpoint folder or an address of the Hugging Face hub
    means; by default the package's, which is also called "shipped"."""
    if source is not None and (address := hub_address(source)):
        return fetch(*address, name=WEIGHTS_NAME)
    shipped = resources.files("spn") / "weights" / "streets.safetensors"
    path = Path(str(shipped) if source is None or str(source) == SHIPPED else source)
    for file in (path, path / WEIGHTS_NAME):
        if file.is_file():
            return file
    if unfinished := sorted(path.glob(f"checkpoints/*/{WEIGHTS_NAME}")):
        remedy = f"resume it, or name a checkpoint, as {unfinished[-1].parent}"
        raise CheckpointError(f"{path}: this run is not finished (no {WEIGHTS_NAME}); {remedy}")
    problem = f"no {WEIGHTS_NAME} in this folder" if path.exists() else "no such file or folder"
    raise CheckpointError(f"{path}: {problem}; wanted a run folder of spn train, or a {WEIGHTS_NAME}")


def read_info(path: Path) -> dict[str, Any]:
    """What training noted about the weights in the file or folder `path`."""
    return dict(json.loads(_read(find_weights(path), tensors=False)[0].get("info", "{}")))


def _read(file: Path, *, tensors: bool = True) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with open(file, "rb") as opened:  # not by name: safetensors takes no name that is not UTF-8
            length = int.from_bytes(opened.read(8), "little")
            metadata = dict(json.loads(opened.read(min(length, _LARGEST_HEADER))).get("__metadata__", {}))
            opened.seek(0)
            read = safetensors.torch.load(opened.read()) if tensors else {}
    except (safetensors.SafetensorError, OSError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{file}: not a whole safetensors file ({error}); wanted weights written by spn train. "
            "Pickled checkpoints (.pth, .ckpt) are refused because loading them can run code"
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{file}: holds tensors but no network configuration; wanted weights written by spn train"
        )
    if metadata.get("version") not in VERSIONS:
        raise CheckpointError(
            f"{file}: format version {metadata.get('version')}, this spn reads {' and '.join(VERSIONS)}; "
            "use the spn that wrote it"
        )
    return metadata, read
