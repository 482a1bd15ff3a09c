"""BatchNorm folded into the convolution before it: the same function in fewer passes over the maps.

In evaluation BatchNorm is an affine map per channel, so with s = γ / √(σ² + ε) the convolution does both by
the weights s · W and the bias β − s · μ. Which norm follows which convolution is seen in a forward pass, so
any network can be folded. A norm that follows no convolution, or takes each image's own statistics, stays.
"""

from __future__ import annotations

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from spn.models.encoders.outline import set_module
from spn.models.network import SegmentationNetwork
from spn.models.recording import Recording, record

CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
NORMS = (nn.BatchNorm2d, BatchNormAct2d)


def fold_batch_norms(network: SegmentationNetwork) -> int:
    """Fold in place what can be, of a network in evaluation mode; returns how many BatchNorms are gone.

    Each coarse scale gets an encoder of its own. `own_statistics` has nothing to act on afterwards.
    """
    network.encoder.separate()
    example = next(network.parameters())
    images = torch.zeros(1, 3, 64, 64, device=example.device, dtype=example.dtype)
    generator = torch.Generator().manual_seed(0)
    seen = record(
        network, lambda: [network(images, num_samples=count, generator=generator) for count in (0, 1)]
    )
    pairs = _pairs(network, seen)
    for before, after in pairs:
        convolution, norm = network.get_submodule(before), network.get_submodule(after)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        set_module(network, after, getattr(norm, "act", nn.Identity()))
    return len(pairs)


def _pairs(network: nn.Module, seen: Recording) -> list[tuple[str, str]]:
    """Convolutions whose outputs all go into one norm and nowhere else, and the norms that see no other."""
    readers: dict[int, list[str]] = {}
    for operation in seen.operations:
        for identity in {id(tensor) for tensor in operation.inputs}:
            readers.setdefault(identity, []).append(operation.module)
    follows: dict[str, set[str]] = {}
    precedes: dict[str, set[str]] = {}
    for operation in seen.operations:
        for tensor in operation.outputs:
            names = readers.get(id(tensor), [])
            follows.setdefault(operation.module, set()).add(names[0] if len(names) == 1 else "")
            for name in names:
                precedes.setdefault(name, set()).add(operation.module)
    more = {  # modules in which something besides runs: hooks on what they put out
        finish.module
        for finish in seen.finishes
        for operation in seen.operations[finish.began : finish.operations]
        if not f"{operation.module}.".startswith(f"{finish.module}.")
    }
    return [
        (before, after)
        for before, (after, *others) in follows.items()
        if not others
        and precedes.get(after) == {before}
        and not {before, after} & more
        and type(network.get_submodule(before)) in CONVOLUTIONS
        and type(network.get_submodule(after)) in NORMS
    ]
