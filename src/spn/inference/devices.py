"""Where a network runs, and in which arithmetic: behind its logits everything is float32."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from spn.core.errors import UserError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["32", "bf16", "16"]


def choose_device(name: str | torch.device, precision: Precision = "32") -> torch.device:
    """The device for a name; auto takes a GPU if there is one.

    Raises:
        UserError: it is not there, or cannot compute in `precision`.
    """
    import torch  # seconds: not for a command that only explains its options

    available = torch.cuda.is_available()
    try:
        device = torch.device(("cuda" if available else "cpu") if name == "auto" else name)
    except RuntimeError as error:
        raise UserError(f"device is {name!r}; wanted auto, cpu, cuda or another of torch's") from error
    if device.type == "cuda" and not available:
        raise UserError(f"device {device} was asked for, but there is no usable GPU; use cpu or auto")
    if precision == "16" and device.type == "cpu":
        raise UserError("precision 16 needs a GPU; on a CPU use 32 or bf16")
    if device == torch.device("cuda") and torch.distributed.is_torchelastic_launched():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))  # set by torchrun: one process per GPU
    return device
