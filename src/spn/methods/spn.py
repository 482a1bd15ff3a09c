"""SPN: cross-entropy through random prompts, consistency between two of them, and a KL to the prompt's prior.

    L = CE + 0.4 · CE_auxiliary + λ_c · D(p₁, p₂) + λ_kl · KL(Z ‖ N(0, I)) + λ_r · R

p₁ and p₂ are predictions for the same crop from two random samples of the prompt. With two views they also
come from two photometric perturbations (one forward of both, both with cross-entropy), and some second views
show a bonnet; with one view the encoder runs once and the decoder twice. R is the distance to the features of
the pretrained encoder (`retrospection`).

The bonnet is the ego vehicle at the lower edge of an image, drawn at random, and mirrors the street.
Datasets that were recorded from a car show it (Cityscapes in nearly every image) and leave it unlabelled; a
simulator or a game often shows none. A network that never saw a bonnet takes it for one more car, which then
grows over the road before it, the more so the less it looks at styles. Ours; near to random erasing (Zhong et
al., AAAI 2020), but at one place, like a car, and unlabelled.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.losses.consistency import consistency
from spn.losses.options import LossOptions
from spn.methods.base import Baseline, Batch, Loss, Retrospective, Teachers
from spn.methods.feature_style import happens
from spn.methods.mrfp import RandomPrompt
from spn.methods.options import SPNOptions
from spn.models.encoders.multi_resolution import SIZE_MULTIPLE, Window
from spn.models.network import NetworkOutput, SegmentationNetwork
from spn.models.seeds import draw

HEIGHT = (0.03, 0.25)
"""How far up the bonnet reaches at its highest point, in heights of the image."""
CENTRE = (0.3, 0.7)
"""Where that point is, in widths of the image."""
SAG = (0.0, 0.12)
"""How much lower the bonnet is half a width beside that point, in heights of the image."""
BEND = (2.0, 4.0)
"""It sags with the distance from that point to the power of this."""
REFLECTION = (0.0, 0.5)
"""Share of the mirrored street in what the bonnet shows; the rest is paint."""


class StochasticPrompts(Retrospective):
    """The method of the paper's name, with our equations (docs/method.md)."""

    remembers = ("SPN's retrospection", "retrospection_weight")
    options: SPNOptions

    def __init__(self, options: SPNOptions, *, loss: LossOptions) -> None:
        super().__init__(options, loss=loss)
        self.views = options.views

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        if self.options.retrospection_weight > 0:
            super().prepare(network, teachers=teachers)
        else:
            Baseline.prepare(self, network, teachers=teachers)
        if self.options.random_prompt:
            RandomPrompt(self, network, reaches_decoder=True)

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        """Two views: view 0 of all crops and view 1 of the first ones in one forward, one prompt per image.

        One view: two random prompts per image, or one where nothing compares them.
        """
        self.generator = generator
        options, crops = self.options, len(batch.images)
        images, labels = batch.images[:, 0], batch.labels
        compared, samples = crops, 1
        if self.views == 2:
            compared = self._second_views(crops, generator)
            others, other_labels = with_ego_vehicle(
                batch.images[:compared, 1],
                labels[:compared],
                probability=options.ego_vehicle_share,
                generator=generator,
            )
            images, labels = torch.cat([images, others]), torch.cat([labels, other_labels])
        elif options.consistency_weight > 0:
            samples = 2
        window = None
        if options.detail < 1:
            window = window_of(images, share=options.detail, generator=generator)
            labels = window.of(labels)
        output: NetworkOutput = network(
            images, num_samples=samples, generator=generator, upsample=False, window=window
        )
        loss = self.supervised_loss(output, labels, generator=generator)
        if options.consistency_weight > 0 and compared:
            disagreement = consistency(
                output.logits[0, :compared],
                output.logits[-1, -compared:],
                divergence=options.consistency_divergence,
                stop_gradient=options.consistency_stop_gradient,
                stride=options.consistency_stride,
            )
            loss = loss.plus("consistency", disagreement, weight=options.consistency_weight)
        if output.prompt_kl is not None:
            loss = loss.plus("prompt_kl", output.prompt_kl, weight=options.kl_weight)
        if options.retrospection_weight > 0:
            stages, known = self.take_stages(crops)
            if known is not None:
                distance = retrospection([own[:crops] for own in stages], known)
                loss = loss.plus("retrospection", distance, weight=options.retrospection_weight)
        return loss

    def _second_views(self, crops: int, generator: torch.Generator | None) -> int:
        """How many of `crops` are seen twice: their share on average, however a batch is cut into parts."""
        count, rest = divmod(crops * self.options.second_view_share, 1)
        return int(count) + int(rest > 0 and happens(rest, generator=generator))


def retrospection(stages: Sequence[Tensor], known: Sequence[Tensor]) -> Tensor:
    """How far features of the last two stages, [B, C, h, w], are from those known, in sizes of the latter.

    The mean over the cells of ‖F − I‖₂ / √(mean ‖I‖₂²), summed over the stages.
    """
    distances = []
    for own, other in zip(stages[-2:], known[-2:], strict=True):
        size = other.float().square().sum(dim=1).mean().sqrt().clamp(min=torch.finfo(torch.float32).eps)
        distances.append(torch.linalg.vector_norm(own.float() - other.float(), dim=1).mean() / size)
    return torch.stack(distances).sum()


def window_of(images: Tensor, *, share: float, generator: torch.Generator | None) -> Window:
    """A random part of images [B, 3, H, W], of about this share of their sides.

    Raises UserError for images without room for two of its units.
    """
    if min(images.shape[-2:]) < 2 * SIZE_MULTIPLE:
        raise UserError(
            f"method.detail cuts windows in units of {SIZE_MULTIPLE} pixels; wanted crops of at least "
            f"{2 * SIZE_MULTIPLE} pixels a side, twice as many for schedule.coarse-steps"
        )
    drawn = draw(torch.rand, (2,), like=images.new_zeros(1), generator=generator).tolist()
    places = []
    for side, number in zip(images.shape[-2:], drawn, strict=True):
        units = side // SIZE_MULTIPLE
        kept = max(1, round(units * share))
        places.append((int(number * (units - kept + 1)), kept))
    (top, height), (left, width) = places
    return Window(*(SIZE_MULTIPLE * units for units in (top, left, height, width)))


def with_ego_vehicle(
    images: Tensor, labels: Tensor, *, probability: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Images [B, 3, H, W] in 0..1 and labels [B, H, W] → the same, each with a bonnet with this probability.

    Where a bonnet hides the street the label is 255. Its paint has a slight tint, a shade that changes with
    depth and a glint along the far edge.
    """
    batch, _, height, width = images.shape
    drawn = draw(torch.rand, (13, batch, 1, 1), like=images, generator=generator)
    shown = drawn[0] < probability
    top, centre, sag, bend, reflection = (
        low + (high - low) * share
        for share, (low, high) in zip(drawn[1:6], (HEIGHT, CENTRE, SAG, BEND, REFLECTION), strict=True)
    )
    rows = torch.arange(height, device=images.device).view(1, height, 1) + 0.5
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    edge = height * (1 - top + sag * (2 * (columns - centre)).abs().pow(bend))
    hidden = (rows > edge) & shown
    mirrored = (2 * edge - rows).clamp(0, height - 1).long()
    street = images.gather(2, mirrored[:, None].expand(-1, 3, -1, -1))
    depth = ((rows - edge) / (height - edge).clamp_min(1)).clamp(0, 1)  # 0 at the far edge, 1 at the near one
    tone, tint, slope, glint, fall = drawn[6], 0.7 + 0.3 * drawn[7:10], drawn[10], drawn[11], drawn[12]
    shade = 1 + (slope - 0.5) * depth + (glint - 0.3) * torch.exp(-6 * fall * depth)
    paint = ((tone * tint).transpose(0, 1) * shade[:, None]).clamp(0, 1)
    bonnet = torch.lerp(paint.to(images.dtype), street, reflection[:, None].to(images.dtype))
    return torch.where(hidden[:, None], bonnet, images), labels.masked_fill(hidden, IGNORE)
