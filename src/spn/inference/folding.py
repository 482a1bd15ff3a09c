"""BatchNorm folded into the convolution before it: the same function in fewer passes over the maps.

In evaluation BatchNorm is an affine map per channel, so with s = γ / √(σ² + ε) the convolution does both by
the weights s · W and the bias β − s · μ. A norm that follows no convolution, or takes each image's own
statistics, stays.
"""

from __future__ import annotations

import copy
import itertools

from timm.models import FeatureListNet
from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spn.models.decoders.strip import StripBlock
from spn.models.encoders.multi_resolution import MultiResolutionEncoder, ScaleStatistics
from spn.models.encoders.protocol import Encoding
from spn.models.encoders.timm_encoder import TimmEncoder


class OwnBackbone(nn.Module):
    """In place of ScaleStatistics: a backbone for one coarse scale, whose folded weights are its own."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def encode(self, shared: nn.Module, view: Tensor, noise: Tensor | None) -> Encoding:
        encoded: Encoding = self.backbone(view, noise)
        return encoded


def fold_batch_norms(network: nn.Module) -> int:
    """Fold in place what can be, of a network in evaluation mode; returns how many BatchNorms are gone.

    Each coarse scale gets a backbone of its own. `own_statistics` has nothing to act on afterwards.
    """
    for encoder in [part for part in network.modules() if isinstance(part, MultiResolutionEncoder)]:
        if not isinstance(encoder.backbone, TimmEncoder):
            continue
        for index, statistics in enumerate(encoder.statistics):
            if isinstance(statistics, ScaleStatistics):
                backbone = copy.deepcopy(encoder.backbone)
                backbone.load_state_dict(statistics.by_name(), strict=False)
                encoder.statistics[index] = OwnBackbone(backbone)
    return sum(_fold_within(module) for module in list(network.modules()))


def _fold_within(module: nn.Module) -> int:
    """Fold the BatchNorms that are children of `module` and follow a convolution in it."""
    folded = 0
    for before, after in _consecutive(module):
        norm = getattr(module, after, None)
        owner, name = module, before
        while isinstance(last := getattr(owner, name, None), nn.Sequential) and len(last):
            owner, name = last, str(len(last) - 1)
        convolution = getattr(owner, name, None)
        if type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
            setattr(owner, name, fuse_conv_bn_eval(convolution, norm))
            setattr(module, after, nn.Identity())
            folded += 1
    return folded


def _consecutive(module: nn.Module) -> list[tuple[str, str]]:
    """Names of children that are known to run one right after the other."""
    names = [name for name, _ in module.named_children()]
    if isinstance(module, nn.Sequential):
        return list(itertools.pairwise(names))
    if isinstance(module, FeatureListNet):
        return [pair for pair in itertools.pairwise(names) if pair[0] not in module.return_layers]
    if isinstance(module, BasicBlock | Bottleneck):
        return [(f"conv{number}", f"bn{number}") for number in (1, 2, 3)]
    if isinstance(module, StripBlock):
        return [("project", "project_norm")]
    return []
