"""Half precision at inference: the network computes in it, everything behind its logits in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from spn.core.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn

Precision = Literal["32", "bf16", "16"]


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise UserError where `device` cannot compute in `precision`."""
    if precision == "16" and device.type == "cpu":
        raise UserError("precision 16 needs a GPU; on a CPU use --precision 32 or bf16")


def at_precision(network: nn.Module, precision: Precision) -> nn.Module:
    """`network` itself, or a module around it (same parameters) that runs it under autocast."""
    if precision == "32":
        return network
    import torch
    from torch import nn

    class Autocast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor, **options: object) -> object:
            dtype = torch.bfloat16 if precision == "bf16" else torch.float16
            with torch.autocast(images.device.type, dtype=dtype):
                output = self.network(images, **options)
            return output._replace(logits=output.logits.float())

    return Autocast()
