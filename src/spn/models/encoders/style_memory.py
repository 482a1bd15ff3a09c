"""The styles of the last images a training saw, from which style hallucination chooses (spn.methods.shade).

Part of the network only so that a checkpoint holds the whole training; nothing reads it at inference.
With several processes, each adds its own images to what the first one remembers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StyleMemory(nn.Module):
    """A ring of `size` styles of features with `width` channels.

    styles: [size, 2, width], mean and standard deviation of each channel. written: styles ever remembered.
    """

    styles: Tensor
    written: Tensor

    def __init__(self, size: int, *, width: int) -> None:
        super().__init__()
        self.register_buffer("styles", torch.zeros(size, 2, width))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))
        self._count: int | None = None  # `written` on the host, which then need not wait for the device
        self.register_load_state_dict_post_hook(lambda memory, _: setattr(memory, "_count", None))

    @torch.no_grad()
    def remember(self, styles: Tensor) -> None:
        """Take in styles [B, 2, width]; the oldest give way."""
        styles = styles[-len(self.styles) :]
        places = torch.arange(len(styles), device=styles.device) + self.written
        self.styles[places % len(self.styles)] = styles.to(self.styles.dtype)
        self._count = self._written() + len(styles)
        self.written += len(styles)

    def known(self) -> Tensor:
        """The styles there are, [n, 2, width]; all of them on the meta device, which has shapes only."""
        return self.styles if self.written.is_meta else self.styles[: self._written()]

    def _written(self) -> int:
        if self._count is None:
            self._count = 0 if self.written.is_meta else int(self.written)
        return self._count
