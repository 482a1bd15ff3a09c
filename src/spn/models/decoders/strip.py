"""Strip blocks: what is above and below a place, for things that are thin and tall.

    F' = F + P · relu(N(V * E F + L * E F))

E expands the channels, V is a depthwise convolution of `length` rows and one column, L a depthwise 3x3, N
their normalisation, and P projects back. A pole before a facade differs from the facade's own lines in what
it stands on and what it carries, which is out of a small square kernel's reach. The last normalisation starts
at zero, so a trained network that is given such blocks says what it said before. Ours; strip pooling (Hou et
al., CVPR 2020) averages strips as long as the image instead.
"""

from __future__ import annotations

from torch import Tensor, nn

from spn.models.convolution import ConvBlock


class StripBlock(nn.Module):
    """[B, C, h, w] → [B, C, h, w]."""

    def __init__(self, width: int, *, length: int, expansion: int = 2) -> None:
        super().__init__()
        inner = expansion * width
        self.expand = ConvBlock(width, inner)
        self.vertical = nn.Conv2d(
            inner, inner, (length, 1), padding=(length // 2, 0), groups=inner, bias=False
        )
        self.local = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.norm = nn.BatchNorm2d(inner)
        self.relu = nn.ReLU(inplace=True)
        self.project = nn.Conv2d(inner, width, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(width)
        for layer in (self.vertical, self.local, self.project):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.project_norm.weight)

    def forward(self, features: Tensor) -> Tensor:
        seen = self.expand(features)
        seen = self.relu(self.norm(self.vertical(seen) + self.local(seen)))
        changed: Tensor = features + self.project_norm(self.project(seen))
        return changed
