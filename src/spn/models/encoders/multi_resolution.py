"""The multi-resolution encoder: one shared backbone sees the image at several scales.

Paper: "multiple resolution inputs in the encoder to effectively combine coarse-grained and fine-grained
information". The equation is ours. At level l, with the coarse features resized to the fine grid,

    F = F_fine + α_l · g_l · (F_coarse − F_fine),   g_l = sigmoid(a_l · F_fine + b_l · F_coarse)

g_l [B, 1, h, w] is the learned gate per pixel and α_l one weight that starts at 0, so that an untrained
encoder gives the fine features exactly. Each coarse scale has its own running BatchNorm statistics:
features of a half-size image are distributed differently, and in training each pass normalises by its own.

Where the backbone itself is random (prompts between its blocks), all scales of an image see the same noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from spn.models.encoders.frozen_vit import FrozenViT
from spn.models.encoders.protocol import Encoding
from spn.models.prompts.noise import standard_normal
from spn.models.prompts.stochastic import average_kl
from spn.models.resampling import resample, resize


class ScaleGate(nn.Module):
    """Joins one level of a coarse pyramid into the fine one: [B, C, H, W], [B, C, h, w] → [B, C, H, W].

    spans: the cells of the fine grid, H and W or more, that the coarse features reach over.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.from_fine = nn.Conv2d(width, 1, 1)
        self.from_coarse = nn.Conv2d(width, 1, 1, bias=False)
        self.strength = nn.Parameter(torch.zeros(1))
        for layer in (self.from_fine, self.from_coarse):
            nn.init.normal_(layer.weight, std=width**-0.5)

    def forward(self, fine: Tensor, coarse: Tensor, *, spans: tuple[int, int]) -> Tensor:
        """The joined features; the enlarged coarse ones are made again in the backward pass, not kept."""
        joined: Tensor = checkpoint(
            self._join, fine, coarse, spans, use_reentrant=False, preserve_rng_state=False
        )
        return joined

    def _join(self, fine: Tensor, coarse: Tensor, spans: tuple[int, int]) -> Tensor:
        height, width = fine.shape[-2:]

        def enlarged(features: Tensor) -> Tensor:
            return resize(features, spans)[..., :height, :width]

        gate = torch.sigmoid(self.from_fine(fine) + enlarged(self.from_coarse(coarse)))
        weight = (gate * self.strength).to(fine.dtype)
        return torch.lerp(fine, enlarged(coarse).to(fine.dtype), weight)


class ScaleStatistics(nn.Module):
    """A second set of the backbone's buffers (BatchNorm's running mean and variance) for one coarse scale."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        stored = backbone.state_dict().keys()
        buffers = {name: value for name, value in backbone.named_buffers() if name in stored}
        self._names = {name: name.replace(".", "-") for name in buffers}
        for name, value in buffers.items():
            self.register_buffer(self._names[name], value.detach().clone())

    def by_name(self) -> dict[str, Tensor]:
        """The buffers under the backbone's own names; BatchNorm updates them in place."""
        return {name: getattr(self, own) for name, own in self._names.items()}

    def encode(self, backbone: nn.Module, view: Tensor, noise: Tensor | None) -> Encoding:
        """What `backbone` makes of a view with these buffers."""
        encoded: Encoding = functional_call(backbone, self.by_name(), (view, noise))
        return encoded


class MultiResolutionEncoder(nn.Module):
    """An encoder that runs `backbone` at each of `scales` and joins the pyramids level by level.

    scales: the first is 1, the others in (0, 1). levels: the indices of the levels that something reads;
    the others come back unjoined and have no gate.
    """

    def __init__(self, backbone: nn.Module, *, scales: tuple[float, ...], levels: tuple[int, ...]) -> None:
        super().__init__()
        if scales[0] != 1 or not all(0 < scale < 1 for scale in scales[1:]):
            raise ValueError(f"scales are {scales}; wanted 1 first, then values between 0 and 1")
        self.backbone = backbone
        self.widths: tuple[int, ...] = backbone.widths  # type: ignore[assignment]
        self.strides: tuple[int, ...] = backbone.strides  # type: ignore[assignment]
        self.noise_width: int = backbone.noise_width  # type: ignore[assignment]
        self.scales = scales
        self.levels = levels
        self.gates = nn.ModuleList(
            nn.ModuleList(ScaleGate(self.widths[level]) for level in levels) for _ in scales[1:]
        )
        self.statistics = nn.ModuleList(ScaleStatistics(backbone) for _ in scales[1:])

    def forward(
        self, images: Tensor, *, num_samples: int = 0, generator: torch.Generator | None = None
    ) -> Encoding:
        """Normalised images [B, 3, H, W] → the joined pyramid, or `num_samples` of a random backbone."""
        noise = None
        if num_samples and self.noise_width:
            noise = standard_normal(
                (num_samples, len(images), self.noise_width), like=images, generator=generator
            )
        fine, *coarse = self._encode(images, noise)
        pyramids = [list(pyramid) for pyramid in fine.pyramids]
        for scale, encoded, gates in zip(self.scales[1:], coarse, self.gates, strict=True):
            for pyramid, features in zip(pyramids, encoded.pyramids, strict=True):
                for level, gate in zip(self.levels, gates, strict=True):  # type: ignore[call-overload]
                    spans = self._spans(pyramid[level], features[level], scale)
                    pyramid[level] = gate(pyramid[level], features[level], spans=spans)
        return Encoding(pyramids, average_kl([encoded.kl for encoded in (fine, *coarse)]))

    def _spans(self, fine: Tensor, coarse: Tensor, scale: float) -> tuple[int, int]:
        """The cells of `fine` that `coarse` reaches over: convolutions round the last cell of a view up."""
        height, width = fine.shape[-2:]
        if isinstance(self.backbone, FrozenViT):
            return height, width  # its pyramid spans the view exactly
        return max(height, round(coarse.shape[-2] / scale)), max(width, round(coarse.shape[-1] / scale))

    def _encode(self, images: Tensor, noise: Tensor | None) -> list[Encoding]:
        """An encoding at each scale: in one pass where the backbone can, else one after the other."""
        views = [images, *(_shrunk(images, scale) for scale in self.scales[1:])]
        if isinstance(self.backbone, FrozenViT):
            return self.backbone.encode(views, noise)
        coarse: list[Encoding] = [
            statistics.encode(self.backbone, view, noise)  # type: ignore[operator]
            for view, statistics in zip(views[1:], self.statistics, strict=True)
        ]
        return [self.backbone(images, noise), *coarse]


def _shrunk(images: Tensor, scale: float) -> Tensor:
    return resample(
        images, (max(1, round(images.shape[-2] * scale)), max(1, round(images.shape[-1] * scale)))
    )
