"""A network as a program of its own: one file with weights, which runs without this package."""

from collections.abc import Sequence
from contextlib import ExitStack
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from spn.models.network import SegmentationNetwork
from spn.models.resampling import cropped, resize


class ImagesToLogits(nn.Module):
    """Images [B, 3, H, W] in 0..1 → logits [B, C, H, W] of the mean prompt: plain tensors, nothing random.

    grid: whether logits on the decoder's own grid [B, C, h, w] come second; it spans the multiples of 32 from
    H and W on.
    """

    def __init__(self, network: SegmentationNetwork, *, grid: bool = False) -> None:
        super().__init__()
        self.network, self.grid = network, grid

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        output = self.network(images, upsample=False)
        logits = cropped(resize(output.logits, output.covers), images.shape[-2:])
        return (logits, output.logits) if self.grid else logits


def export_program(network: SegmentationNetwork, *, for_onnx: bool = False) -> ExportedProgram:
    """The network in evaluation mode as a program for any number of images, of any size from 65 x 65.

    `torch.export.save` writes it. for_onnx: for `torch.onnx.export` instead, with logits on the decoder's
    grid as a second output, and crops that are slices: runtimes of ONNX are slow at taking rows and columns
    by their index, and have no use for the guards on sizes that make a program with slices fail.
    """
    training, device = network.training, network.mean.device
    network.eval()
    try:
        dynamic = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
        example = torch.rand(2, 3, 96, 160, device=device)
        with ExitStack() as patches:
            patches.enter_context(patch("timm.layers.padding.get_same_padding", _same_padding))
            if for_onnx:
                patches.enter_context(patch("spn.models.resampling.gathered", _sliced))
            return torch.export.export(
                ImagesToLogits(network, grid=for_onnx), (example,), dynamic_shapes=(dynamic,), strict=False
            )
    finally:
        network.train(training)


def _sliced(features: Tensor, size: Sequence[int], *, beyond: bool) -> Tensor:
    """`gathered` with a slice or a pad."""
    if not beyond:
        return features[..., : size[0], : size[1]]
    more = [wanted - length for wanted, length in zip(size, features.shape[-2:], strict=True)]
    return F.pad(features, (0, more[1], 0, more[0]), mode="replicate")


def _same_padding(size: int, kernel_size: int, stride: int, dilation: int) -> int:
    """timm's, in whole numbers: a program with its math.ceil cannot be saved.

    None is negative before a division, which ONNX rounds towards zero.
    """
    return max(((size + stride - 1) // stride - 1) * stride + (kernel_size - 1) * dilation + 1 - size, 0)
