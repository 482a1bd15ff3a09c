"""A network as a program of its own: one file with weights, which runs without this package."""

from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from spn.models.network import SegmentationNetwork


class ImagesToLogits(nn.Module):
    """Images [B, 3, H, W] in 0..1 → logits [B, C, H, W] of the mean prompt: plain tensors, nothing random."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).logits


def export_program(network: SegmentationNetwork) -> ExportedProgram:
    """The network in evaluation mode as a program for any number of images, of any size from 65 x 65.

    `torch.export.save` writes it, `torch.onnx.export` turns it into ONNX.
    """
    training, device = network.training, network.mean.device
    network.eval()
    try:
        dynamic = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
        example = torch.rand(2, 3, 96, 160, device=device)
        with patch("timm.layers.padding.get_same_padding", _same_padding):
            return torch.export.export(
                ImagesToLogits(network), (example,), dynamic_shapes=(dynamic,), strict=False
            )
    finally:
        network.train(training)


def _same_padding(size: int, kernel_size: int, stride: int, dilation: int) -> int:
    """timm's, in whole numbers: a program with its math.ceil cannot be saved."""
    return max((-(-size // stride) - 1) * stride + (kernel_size - 1) * dilation + 1 - size, 0)
