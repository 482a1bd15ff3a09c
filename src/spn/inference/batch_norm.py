"""What may be done with trained BatchNorms: fold them into convolutions, or mix in an image's statistics.

In evaluation BatchNorm is an affine map per channel, so with s = γ / √(σ² + ε) the convolution before it does
both by the weights s · W and the bias β − s · μ: the same function in fewer passes over the maps.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from spn.core.errors import UserError
from spn.models.decoders.protocol import NormedSum
from spn.models.encoders.outline import Recording, record
from spn.models.encoders.protocol import Encoder
from spn.models.encoders.style_parts import image_statistics
from spn.models.network import SegmentationNetwork


def fold_batch_norms(network: SegmentationNetwork) -> int:
    """Fold in place what can be, of a network in evaluation mode; returns how many BatchNorms are gone.

    Which norm follows which convolution is seen in a forward pass, so any network can be folded; which norm
    follows a sum of them, a `NormedSum` says. A norm that follows no convolution, or takes each image's own
    statistics, stays. Each coarse scale gets an encoder of its own. `own_statistics` has nothing to act on
    afterwards.
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
        norm = network.get_submodule(after)
        _fold(norm, [network.get_submodule(before)])
        network.set_submodule(after, getattr(norm, "act", nn.Identity()))
    sums = [
        part
        for part in network.modules()
        if isinstance(part, NormedSum) and type(part.norm) is nn.BatchNorm2d
    ]
    for part in sums:
        _fold(part.norm, part.summands())
        part.norm = nn.Identity()
    return len(pairs) + len(sums)


def _fold(norm: nn.Module, convolutions: Sequence[nn.Module]) -> None:
    """Each of the convolutions, whose sum the norm sees, takes the scale, and the first of them the shift."""
    mean, shift = norm.running_mean, norm.bias
    for convolution in convolutions:
        statistics = mean, norm.running_var, norm.eps, norm.weight, shift
        fused = fuse_conv_bn_weights(convolution.weight, convolution.bias, *statistics)  # type: ignore[arg-type]
        convolution.weight, convolution.bias = fused
        mean, shift = (torch.zeros_like(values) for values in (mean, shift))  # type: ignore[arg-type]


def _pairs(network: nn.Module, seen: Recording) -> list[tuple[str, str]]:
    """Convolutions whose outputs all go into one norm and nowhere else, and the norms that see no other."""
    readers, follows, precedes = defaultdict(list), defaultdict(set), defaultdict(set)
    for operation in seen.operations:
        for identity in {id(tensor) for tensor in operation.inputs}:
            readers[identity].append(operation.module)
    for operation in seen.operations:
        for tensor in operation.outputs:
            names = readers[id(tensor)]
            follows[operation.module].add(names[0] if len(names) == 1 else "")
            for name in names:
                precedes[name].add(operation.module)
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
        and type(network.get_submodule(before)) in (nn.Conv2d, Conv2dSame)
        and type(network.get_submodule(after)) in (nn.BatchNorm2d, BatchNormAct2d)
    ]


@contextmanager
def own_statistics(network: nn.Module, share: float) -> Iterator[None]:
    """Within the context `network`, in evaluation mode, normalises shallow features in part by each image.

        μ = (1 - λ) μ_training + λ μ_image,   σ² = (1 - λ) σ²_training + λ σ²_image,   λ = `share`

    in every BatchNorm of an encoder's stem and first two stages, which takes out part of the image's style.
    No weight changes. From Bahmani et al., "Semantic Self-adaptation: Enhancing Generalization with a Single
    Sample" (TMLR 2023), who do so in all layers and also train on the image.

    Raises UserError for a network without such normalisations.
    """
    with ExitStack() as hooks:
        if share > 0:
            encoders = [module for module in network.modules() if isinstance(module, Encoder)]
            norms = [norm for encoder in encoders for norm in encoder.norms(stages=2)]
            if not norms:
                why = "the encoder has no BatchNorm (left) whose statistics an image's own could replace"
                raise UserError(f"own statistics {share:g}: wanted 0, {why}")
            for norm in norms:
                hooks.enter_context(norm.register_forward_pre_hook(partial(_renormalise, share)))
        yield


def _renormalise(share: float, norm: nn.BatchNorm2d, arguments: tuple[Tensor]) -> Tensor:
    """What `norm` must get to put out, by the training's statistics, what it would by the mixed ones."""
    statistics = norm.running_mean, norm.running_var
    mean, variance = (value.view(1, -1, 1, 1) for value in statistics if value is not None)
    own_mean, own_scale = image_statistics(arguments[0])
    variance = variance + norm.eps  # both variances with the epsilon that roots of them need
    gain = torch.sqrt(variance / torch.lerp(variance, own_scale.pow(-2), share))
    offset = mean - gain * torch.lerp(mean, own_mean, share)
    return torch.addcmul(offset.to(arguments[0].dtype), arguments[0], gain.to(arguments[0].dtype))
