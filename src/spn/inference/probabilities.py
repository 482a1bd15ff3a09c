"""What a network says of an image under test-time augmentation: the one way from images to probabilities.

The logits of each pass (overlapping windows averaged) are resized from the grid on which the network decodes;
softmax comes after that, and probabilities are averaged over passes and random draws of the prompt:

    entropy             H(p̄), p̄ the mean over passes and draws           what is uncertain
    mutual information  H(mean of the draws) − mean of H(each draw)      what the draws disagree about
                        (Houlsby et al., "BALD", 2011), averaged over the passes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.seeding import derive_seed
from spn.inference.bands import resized_bands
from spn.inference.own_statistics import own_statistics
from spn.inference.scores import entropy, grouped
from spn.inference.tta import TestTimeAugmentation
from spn.inference.windows import Window, windows
from spn.models.network import NetworkOutput
from spn.models.resampling import resize, resize_images


@dataclass(frozen=True)
class Maps:
    """probabilities: [B, C, h, w]. mutual_information: [B, h, w] in nats, None without random draws."""

    probabilities: Tensor
    mutual_information: Tensor | None


@dataclass(frozen=True)
class Prediction:
    """Images at the size asked for, every map [B, H, W].

    labels: uint8. confidence: the probability of the label. entropy, mutual_information: in nats; None where
    uncertainty was not asked for, or without random draws.
    """

    labels: Tensor
    confidence: Tensor
    entropy: Tensor | None
    mutual_information: Tensor | None


@torch.inference_mode()
def predict(
    network: nn.Module,
    images: Tensor,
    *,
    tta: TestTimeAugmentation,
    size: tuple[int, int],
    grid: tuple[int, int] | None = None,
    seed: int = 0,
    groups: Sequence[Sequence[int]] | None = None,
    uncertainty: bool = True,
) -> Prediction:
    """Label images uint8 [B, H, W, 3] (RGB, on the network's device) at `size` (height, width).

    grid, seed: as in `predict_maps`. groups: classes whose probabilities are added up before the argmax;
    labels are then their indices. Raises UserError where the network's scores are not numbers.
    """
    maps = predict_maps(network, images, tta=tta, size=grid or size, seed=seed)
    probabilities = maps.probabilities if groups is None else grouped(maps.probabilities, groups)
    bands = [band.labels(size[1]) for band in resized_bands(probabilities, size[0])]
    information = maps.mutual_information
    return Prediction(
        labels=torch.cat([labels for labels, _ in bands], dim=1),
        confidence=torch.cat([confidence for _, confidence in bands], dim=1),
        entropy=resize(entropy(probabilities)[:, None], size)[:, 0] if uncertainty else None,
        mutual_information=None if information is None else resize(information[:, None], size)[:, 0],
    )


@torch.inference_mode()
def predict_maps(
    network: nn.Module,
    images: Tensor,
    *,
    tta: TestTimeAugmentation,
    size: tuple[int, int],
    seed: int = 0,
    window_batch: int = 4,
) -> Maps:
    """The maps of images uint8 [B, H, W, 3] (RGB, on the network's device) on the grid of their average.

    The grid is `size` or, where all of several passes are smaller, half the size of the largest (networks
    decode at a quarter of it): softmax and sums over 19 maps of a large photograph cost more than a small
    network. Bilinear resizing brings them to `size`. seed: of the random draws, the same for every pass.
    window_batch: windows that run together.
    """
    count = len(tta.sizes) * (1 + tta.flip)
    largest = tta.working_size(*images.shape[1:3], scale=max(tta.sizes))
    grid = size
    if count > 1 and largest[0] < size[0] and largest[1] < size[1]:
        grid = (largest[0] + 1) // 2, (largest[1] + 1) // 2
    total: Tensor | None = None
    information: Tensor | None = None
    floats = images.permute(0, 3, 1, 2).float().div_(255).contiguous()
    for index, scale in enumerate(tta.sizes):
        working = resize_images(floats, tta.working_size(*images.shape[1:3], scale=scale))
        for mirrored in tta.orientations(index):
            seen = working.flip(-1) if mirrored else working
            logits = _pass_logits(network, seen, tta=tta, seed=seed, window_batch=window_batch)
            mean, disagreement = _averaged_draws(logits, grid)
            mean = mean.flip(-1) if mirrored else mean
            total = mean if total is None else total.add_(mean)
            if disagreement is not None:
                disagreement = disagreement.flip(-1) if mirrored else disagreement
                information = disagreement if information is None else information.add_(disagreement)
    assert total is not None
    if information is not None:
        information.div_(count)
    return Maps(total.div_(count) if count > 1 else total, information)


class _Logits(NamedTuple):
    """maps: [max(1, draws), B, C, h, w], which span `covers` pixels of the image seen, of which `seen` are
    the image and the rest, right and below, is padding (height, width each)."""

    maps: Tensor
    covers: tuple[int, int]
    seen: tuple[int, int]

    def at(self, draw: int, size: tuple[int, int]) -> Tensor:
        """The maps [B, C, *size] of a draw over the image, without the padding."""
        maps = self.maps[draw]
        if self.covers == self.seen:
            return resize(maps, size)
        factors = [
            wanted * covered / (seen * given) * (1 + 1e-9)  # whole numbers stay above themselves
            for wanted, covered, seen, given in zip(
                size, self.covers, self.seen, maps.shape[-2:], strict=True
            )
        ]
        maps = F.interpolate(maps, scale_factor=factors, mode="bilinear", align_corners=False)
        return maps[..., : size[0], : size[1]]


def _pass_logits(
    network: nn.Module, images: Tensor, *, tta: TestTimeAugmentation, seed: int, window_batch: int
) -> _Logits:
    """Logits of images [B, 3, h, w], through windows if there are any."""
    height, width = images.shape[-2:]
    places = windows(height, width, size=tta.window or (height, width), overlap=tta.overlap)
    if len(places) == 1:
        output = _network_output(network, images, tta=tta, seed=seed, upsample=False)
        maps = output.logits if tta.num_samples else output.logits[None]
        return _Logits(maps, output.covers, (height, width))
    # With draws one window at a time, each from the same stream: a draw is one style for the whole image.
    together = 1 if tta.num_samples else max(1, window_batch // len(images))
    total: Tensor | None = None
    count = torch.zeros(height, width, device=images.device)
    for start in range(0, len(places), together):
        part = places[start : start + together]
        crops = torch.cat([_cut(images, place) for place in part])
        logits = _network_output(network, crops, tta=tta, seed=seed, upsample=True).logits
        logits = logits if tta.num_samples else logits[None]
        if total is None:
            total = logits.new_zeros(logits.shape[0], len(images), logits.shape[2], height, width)
        for place, piece in zip(part, logits.split(len(images), dim=1), strict=True):
            _cut(total, place).add_(piece)
            _cut(count, place).add_(1)
    assert total is not None
    return _Logits(total.div_(count), (height, width), (height, width))


def _cut(maps: Tensor, place: Window) -> Tensor:
    return maps[..., place.top : place.bottom, place.left : place.right]


def _network_output(
    network: nn.Module, images: Tensor, *, tta: TestTimeAugmentation, seed: int, upsample: bool
) -> NetworkOutput:
    """Logits [B, C, h, w], with random draws [draws, B, C, h, w]."""
    generator = None
    if tta.num_samples:
        generator = torch.Generator(device=images.device).manual_seed(derive_seed(seed, "draws"))
    with own_statistics(network, tta.own_statistics):
        output: NetworkOutput = network(
            images, num_samples=tta.num_samples, generator=generator, upsample=upsample
        )
    return output


def _averaged_draws(logits: _Logits, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
    """Logits of n draws → mean probabilities [B, C, *size] and, if n > 1, what the draws disagree about.

    One draw at a time, so that memory does not grow with their number at full size.
    """
    total = torch.softmax(logits.at(0, size), dim=1)
    if len(logits.maps) == 1:
        return total, None
    expected = entropy(total)
    for draw in range(1, len(logits.maps)):
        probabilities = torch.softmax(logits.at(draw, size), dim=1)
        total.add_(probabilities)
        expected.add_(entropy(probabilities))
    total.div_(len(logits.maps))
    return total, entropy(total).sub_(expected.div_(len(logits.maps))).clamp_(min=0)
