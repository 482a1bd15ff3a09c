"""Where a network runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from spn.core.errors import UserError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]


def choose_device(name: DeviceName) -> torch.device:
    """The device for a name; auto takes a GPU if there is one. Raises UserError if it is not there."""
    import torch  # seconds: not for a command that only explains its options

    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device cuda was asked for, but there is no usable GPU; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and torch.distributed.is_torchelastic_launched():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))  # set by torchrun: one process per GPU
    return torch.device(name)
