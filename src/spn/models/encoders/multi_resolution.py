"""The multi-resolution encoder: one shared backbone sees the image at several scales.

Paper: "multiple resolution inputs in the encoder to effectively combine coarse-grained and fine-grained
information". The equation is ours. At level l, with the coarse features resized to the fine grid,

    F = F_fine + α_l · g_l · (F_coarse − F_fine),   g_l = sigmoid(a_l · F_fine + b_l · F_coarse)

g_l [B, 1, h, w] is the learned gate per pixel and α_l one weight that starts at 0, so that an untrained
encoder gives the fine features exactly. Each coarse scale has its own running BatchNorm statistics:
features of a half-size image are distributed differently. Where the backbone itself is random (prompts
between its blocks), all scales of an image see the same noise. In training the fine scale may see a window of
what the coarse ones see (context and detail: HRDA, Hoyer et al., ECCV 2022).
"""

import copy
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from spn.models.encoders.protocol import Encoder, Encoding
from spn.models.prompts.hybrid import average_kl
from spn.models.resampling import cropped, nearest, padded, resample, resize
from spn.models.seeds import draw

SIZE_MULTIPLE = 32
"""Images are padded to a multiple of this, the same for every configuration, so all see the same pixels."""


class Window(NamedTuple):
    """A part of an image in pixels, each a multiple of SIZE_MULTIPLE."""

    top: int
    left: int
    height: int
    width: int

    def of(self, images: Tensor) -> Tensor:
        """[..., H, W] → [..., height, width]."""
        rows, columns = slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)
        return images[..., rows, columns]

    def cells(self, size: tuple[int, int], images: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first cell and the whole grid of the images, if the window's grid has this size."""
        rows, columns = self.height // size[0], self.width // size[1]  # pixels of a cell
        height, width = images.shape[-2:]
        return (self.top // rows, self.left // columns), (height // rows, width // columns)


class ScaleGate(nn.Module):
    """Joins one level of a coarse pyramid into the fine one: [B, C, H, W], [B, C, h, w] → [B, C, H, W].

    spans: the cells of the fine grid that the coarse features reach over. start: the first row and column of
    those that the fine ones have.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.from_fine = nn.Conv2d(width, 1, 1)
        self.from_coarse = nn.Conv2d(width, 1, 1, bias=False)
        self.strength = nn.Parameter(torch.zeros(1))
        for layer in (self.from_fine, self.from_coarse):
            nn.init.normal_(layer.weight, std=width**-0.5)

    def forward(
        self, fine: Tensor, coarse: Tensor, *, spans: tuple[int, int], start: tuple[int, int] = (0, 0)
    ) -> Tensor:
        """The joined features; the enlarged coarse ones are made again in the backward pass, not kept."""
        inputs = (fine, coarse, spans, start)
        return checkpoint(self._join, *inputs, use_reentrant=False, preserve_rng_state=False)

    def _join(self, fine: Tensor, coarse: Tensor, spans: tuple[int, int], start: tuple[int, int]) -> Tensor:
        both = (self.from_coarse(coarse), coarse)
        row, column = start
        large = (resize(x, spans) for x in both)
        if any(start):
            large = (x[..., row:, column:] for x in large)
        logits, enlarged = (cropped(x, fine.shape[-2:]) for x in large)
        weight = torch.sigmoid(self.from_fine(fine) + logits) * self.strength
        return torch.lerp(fine, enlarged.to(fine.dtype), weight.to(fine.dtype))


class ScaleStatistics(nn.Module):
    """A second set of the backbone's buffers (BatchNorm's running mean and variance) for one coarse scale.

    encoder: None, or one for this scale alone, in place of the buffers (`MultiResolutionEncoder.separate`).
    """

    def __init__(self, backbone: Encoder) -> None:
        super().__init__()
        self.encoder: Encoder | None = None
        stored = backbone.state_dict().keys()
        for name, value in backbone.named_buffers():
            if name in stored:
                self.register_buffer(name.replace(".", "-"), value.detach().clone())

    def by_name(self) -> dict[str, Tensor]:
        """The buffers under the backbone's own names; BatchNorm updates them in place."""
        return {own.replace("-", "."): value for own, value in self.named_buffers(recurse=False)}

    def forward(self, shared: Encoder, images: Tensor, noise: Tensor | None) -> Encoding:
        if self.encoder is None:
            return functional_call(shared, self.by_name(), (images, noise))
        return self.encoder(images, noise)


class MultiResolutionEncoder(nn.Module):
    """An encoder that runs `backbone` at each of `scales` and joins the pyramids level by level.

    levels: the indices of those that something reads; the others come back unjoined and have no gate.
    """

    def __init__(self, backbone: Encoder, *, scales: tuple[float, ...], levels: tuple[int, ...]) -> None:
        super().__init__()
        self.backbone = backbone
        self.ratios = [Fraction(scale).limit_denominator(1000).as_integer_ratio() for scale in scales[1:]]
        self.pads = not all(backbone.fits(nearest(3 * SIZE_MULTIPLE * n, d)) for n, d in self.ratios)
        self.levels = levels
        self.gates = nn.ModuleList(
            nn.ModuleList(ScaleGate(backbone.widths[level]) for level in levels) for _ in scales[1:]
        )
        self.statistics = nn.ModuleList(ScaleStatistics(backbone) for _ in scales[1:])

    def forward(
        self,
        images: Tensor,
        *,
        num_samples: int = 0,
        generator: torch.Generator | None = None,
        window: Window | None = None,
    ) -> Encoding:
        """Normalised images [B, 3, H, W] → the joined pyramid, or `num_samples` of a random backbone.

        With a window the pyramid is that of this part, for which the coarse scales have seen all.
        """
        noise = None
        if num_samples and self.backbone.noise_width:
            shape = (num_samples, len(images), self.backbone.noise_width)
            noise = draw(torch.randn, shape, like=images, generator=generator)
        each = zip(self.statistics, self.ratios, strict=True)
        coarse = [encode(self.backbone, self._shrunk(images, scale), noise) for encode, scale in each]
        fine = self.backbone(images if window is None else window.of(images), noise)
        pyramids = [list(pyramid) for pyramid in fine.pyramids]
        for scale, encoded, gates in zip(self.ratios, coarse, self.gates, strict=True):
            for pyramid, features in zip(pyramids, encoded.pyramids, strict=True):
                for level, gate in zip(self.levels, gates, strict=True):  # type: ignore[call-overload]
                    fine_size = (pyramid[level].shape[-2], pyramid[level].shape[-1])
                    start = (0, 0)
                    if window is not None:
                        start, fine_size = window.cells(fine_size, images)
                    spans = self._spans(fine_size, features[level], scale)
                    pyramid[level] = gate(pyramid[level], features[level], spans=spans, start=start)
        return Encoding(pyramids, average_kl([encoded.kl for encoded in (fine, *coarse)]))

    def _spans(self, fine: tuple[int, int], coarse: Tensor, scale: tuple[int, int]) -> tuple[int, int]:
        height, width = fine
        if self.backbone.spans_exactly:
            return height, width
        rows, columns = (nearest(length * scale[1], scale[0]) for length in coarse.shape[-2:])
        return torch.sym_max(height, rows), torch.sym_max(width, columns)  # type: ignore[return-value]

    def _shrunk(self, images: Tensor, scale: tuple[int, int]) -> Tensor:
        """The images at this scale; for an encoder that needs it, filled up to cells of the deepest level."""
        rows, columns = (nearest(length * scale[0], scale[1]) for length in images.shape[-2:])
        images = resample(images, (max(1, rows), max(1, columns)))
        return padded(images, multiple=SIZE_MULTIPLE) if self.pads else images

    def stands_for(self) -> dict[str, str]:
        """Names of the coarse scales' statistics, each with the name of what it takes the place of."""
        return {
            f"statistics.{own}": f"backbone.{own.partition('.')[2].replace('-', '.')}"
            for own, _ in self.statistics.named_buffers()
        }

    def _scales(self) -> list[ScaleStatistics]:
        return [scale for scale in self.statistics if isinstance(scale, ScaleStatistics)]

    @property
    def separated(self) -> bool:
        """Whether no scale's statistics are put into another's encoder while it runs."""
        return not any(scale.encoder is None and scale.by_name() for scale in self._scales())

    def separate(self) -> None:
        """Give each coarse scale with statistics of its own an encoder of its own, which can be folded."""
        for scale in self._scales():
            if buffers := scale.by_name():
                scale.encoder = copy.deepcopy(self.backbone)
                scale.encoder.load_state_dict(buffers, strict=False)
                for name in buffers:
                    delattr(scale, name.replace(".", "-"))
