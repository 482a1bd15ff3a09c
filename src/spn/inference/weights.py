"""A network in one safetensors file: its weights, and in the header the configuration that rebuilds it.

Nothing in such a file is executed when it is loaded. Loading is strict: every tensor of the network is in
the file with its shape, and every tensor of the file is in the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from spn.core.errors import CheckpointError, UserError
from spn.core.files import atomic_path
from spn.core.records import from_plain, to_plain
from spn.inference.tta import TestTimeAugmentation
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork

WEIGHTS_NAME: Final = "model.safetensors"
"""The weights' file name inside a run or checkpoint folder."""
FORMAT: Final = "spn-network"
VERSION: Final = 2
READABLE: Final = ("1", "2")
"""Versions of the header that are read; 1 described the network in other words (spn.models.config)."""


@dataclass(frozen=True)
class LoadedNetwork:
    """`network` in evaluation mode on the CPU; `info` is what training noted (method, seed, step, …).

    tta: what the weights were released for, if anything. path: the file. sha256: of its bytes, hexadecimal;
    the identity of these weights in results.
    """

    network: SegmentationNetwork
    model_config: ModelConfig
    info: dict[str, str | int | float]
    tta: TestTimeAugmentation | None
    path: Path
    sha256: str


def save_network(
    path: Path,
    network: nn.Module,
    *,
    model_config: ModelConfig,
    info: Mapping[str, str | int | float],
    tta: TestTimeAugmentation | None = None,
    half: bool = False,
) -> None:
    """Write `network` to `path`, atomically. `info` holds plain values only (method, seed, step, …).

    tta: what it is released for, if anything. half: floating tensors are written in float16, for half the
    size; they come back as float32.
    """
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "config": json.dumps(model_config.to_dict()),
        "info": json.dumps(dict(info), allow_nan=False),
        "tta": json.dumps(to_plain(tta)),
    }
    tensors = {}
    for name, tensor in network.state_dict().items():
        kind = torch.float16 if half and tensor.is_floating_point() else tensor.dtype
        # a copy: safetensors refuses tensors that share memory
        tensors[name] = tensor.detach().to("cpu", kind, copy=True).contiguous()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_network(path: Path) -> LoadedNetwork:
    """The network in the file `path`, or in the run or checkpoint folder `path`.

    Raises CheckpointError if the file is missing, damaged, of another kind, or does not fit its own
    configuration exactly.
    """
    file = find_weights(path)
    metadata, tensors = _read(file)
    try:
        model_config = ModelConfig.from_dict(json.loads(metadata["config"]))
        info = dict(json.loads(metadata.get("info", "{}")))
        if "tta" in metadata:
            plain = json.loads(metadata["tta"])
            tta = None if plain is None else from_plain(TestTimeAugmentation, plain)
        else:
            tta = TestTimeAugmentation.taken_from(info)
        if ":" in model_config.encoder.name:  # timm would fetch "hf-hub:…" and the like from the network
            raise UserError(f"the encoder {model_config.encoder.name!r} is not a plain timm name")
        network = build_network(model_config, pretrained=False)
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise CheckpointError(f"{file}: its network configuration cannot be used: {error}") from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        problems = " ".join(str(error).split())[:1000]
        raise CheckpointError(f"{file}: the weights do not fit the configured network: {problems}") from error
    return LoadedNetwork(network.eval(), model_config, info, tta, path=file, sha256=file_sha256(file))


def release(checkpoints: Sequence[Path], out: Path, *, tta: TestTimeAugmentation | None = None) -> None:
    """Write the weights of a run, or the mean of those of several, to `out` in half precision.

    The mean is a model soup (Wortsman et al., ICML 2022), for trainings that went on from the same weights:
    of all floating tensors, running statistics too; the info is that of the first, with their number.

    Args:
        checkpoints: run folders, checkpoint folders or .safetensors files.
        out: a .safetensors file.
        tta: what they are released for: `spn.load` uses it unless asked for another.

    Raises:
        UserError: an `out` or `tta` that nothing could be made of, or no checkpoint.
        CheckpointError: as `load_network`, and where the networks differ.
    """
    tta = None if tta == TestTimeAugmentation() else tta
    if not checkpoints:
        raise UserError("no run was named; wanted one or more run folders, checkpoint folders or weights")
    if tta and (tta.input_height or 0) < 32:
        raise UserError(
            f"--input-height is {tta.input_height}; test-time augmentation goes with one: wanted at least 32 "
            "pixels"
        )
    if out.suffix != ".safetensors":
        raise UserError(f"--out is {out}; wanted a file that ends in .safetensors")
    first, *others = (load_network(path) for path in checkpoints)
    for other in others:
        if other.model_config != first.model_config:
            raise CheckpointError(
                f"{other.path} is another network than {first.path}; wanted weights of one configuration"
            )
    if others:
        parts = [loaded.network.state_dict() for loaded in (first, *others)]
        for name, tensor in parts[0].items():
            if tensor.is_floating_point():
                tensor.copy_(torch.stack([part[name] for part in parts]).mean(0))
        first.info["averaged"] = len(parts)
    save_network(out, first.network, model_config=first.model_config, info=first.info, tta=tta, half=True)


def find_weights(path: Path) -> Path:
    """The weights file that `path` (a file, a run folder or a checkpoint folder) stands for."""
    if path.is_file():
        return path
    if not path.exists():
        raise CheckpointError(f"{path}: no such file or folder; wanted a run folder or a {WEIGHTS_NAME}")
    if (path / WEIGHTS_NAME).is_file():
        return path / WEIGHTS_NAME
    unfinished = sorted(path.glob(f"checkpoints/*/{WEIGHTS_NAME}"))
    if unfinished:
        raise CheckpointError(
            f"{path}: this run is not finished (no {WEIGHTS_NAME}); resume it, or name a checkpoint, "
            f"as {unfinished[-1].parent}"
        )
    raise CheckpointError(f"{path}: no {WEIGHTS_NAME} in this folder; wanted a run folder of spn train")


def read_info(path: Path) -> dict[str, Any]:
    """What training noted about the weights in the file or folder `path`, without loading them."""
    file = find_weights(path)
    return dict(json.loads(_read(file, tensors=False)[0].get("info", "{}")))


def file_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of the bytes of `path`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(file: Path, *, tensors: bool = True) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            metadata = opened.metadata() or {}
            names = opened.keys() if tensors else ()
            read = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{file}: not a whole safetensors file ({error}); wanted weights written by spn train. "
            "Pickled checkpoints (.pth, .ckpt) are refused because loading them can run code"
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{file}: holds tensors but no network configuration; wanted weights written by spn train"
        )
    if metadata.get("version") not in READABLE:
        raise CheckpointError(
            f"{file}: format version {metadata.get('version')}, this spn reads {' and '.join(READABLE)}; "
            "use the spn that wrote it"
        )
    return metadata, read
