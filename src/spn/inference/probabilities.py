"""What a network says of all views of an image together: probabilities, and where the draws disagree.

Each view's logits (overlapping windows averaged) are resized from the grid on which the network decodes to
the size asked for; softmax comes after that, and probabilities are averaged over views and draws. With n
draws the stochastic prompt is drawn n times per view:

    entropy             H(p̄), p̄ the mean over views and draws            what is uncertain
    mutual information  H(mean of the draws) − mean of H(each draw)      what the draws disagree about
                        (Houlsby et al., "BALD", 2011), averaged over the views
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spn.core.seeding import derive_seed
from spn.inference.own_statistics import own_statistics
from spn.inference.scores import entropy
from spn.inference.views import Views
from spn.inference.windows import Window, windows
from spn.models.network import NetworkOutput
from spn.models.resampling import resize, resize_images


@dataclass(frozen=True)
class BatchPrediction:
    """probabilities: [B, C, H, W]. mutual_information: [B, H, W] in nats, None without draws."""

    probabilities: Tensor
    mutual_information: Tensor | None


@dataclass(frozen=True)
class Prediction:
    """One image: probabilities float32 [C, H, W]; entropy and mutual information float32 [H, W], in nats."""

    probabilities: NDArray[np.float32]
    entropy: NDArray[np.float32]
    mutual_information: NDArray[np.float32] | None


def predict_probabilities(
    network: nn.Module,
    image: NDArray[np.uint8],
    *,
    views: Views,
    seed: int = 0,
    size: tuple[int, int] | None = None,
) -> Prediction:
    """Probabilities for one image uint8 [H, W, 3] (RGB), at its own size or at `size` (height, width)."""
    device = device_of(network)
    batch = torch.from_numpy(np.ascontiguousarray(image)).to(device)[None]
    predicted = predict_batch(network, batch, views=views, seed=seed, size=size)
    information = predicted.mutual_information
    return Prediction(
        probabilities=predicted.probabilities[0].cpu().numpy(),
        entropy=entropy(predicted.probabilities)[0].cpu().numpy(),
        mutual_information=None if information is None else information[0].cpu().numpy(),
    )


@torch.inference_mode()
def predict_batch(
    network: nn.Module,
    images: Tensor,
    *,
    views: Views,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    window_batch: int = 4,
) -> BatchPrediction:
    """All views of images uint8 [B, H, W, 3] (RGB, on the network's device), at `size` or their own.

    seed: of the draws; every view uses the same stream. window_batch: windows that run together.
    """
    size = size or (images.shape[1], images.shape[2])
    predicted = predict_maps(network, images, views=views, size=size, seed=seed, window_batch=window_batch)
    information = predicted.mutual_information
    return BatchPrediction(
        resize(predicted.probabilities, size),
        None if information is None else resize(information[:, None], size)[:, 0],
    )


@torch.inference_mode()
def predict_maps(
    network: nn.Module,
    images: Tensor,
    *,
    views: Views,
    size: tuple[int, int],
    seed: int = 0,
    window_batch: int = 4,
) -> BatchPrediction:
    """As `predict_batch`, but on the grid where views are averaged; bilinear resizing brings it to `size`.

    The grid is `size` or, where all of several views are smaller, half the size of the largest (networks
    decode at a quarter of it): softmax and sums over 19 maps of a large photograph cost more than a small
    network.
    """
    count = len(views.sizes) * (1 + views.flip)
    largest = views.working_size(*images.shape[1:3], scale=max(views.sizes))
    grid = size
    if count > 1 and largest[0] < size[0] and largest[1] < size[1]:
        grid = (largest[0] + 1) // 2, (largest[1] + 1) // 2
    total: Tensor | None = None
    information: Tensor | None = None
    floats = _floats(images)
    for index, scale in enumerate(views.sizes):
        working = resize_images(floats, views.working_size(*images.shape[1:3], scale=scale))
        for mirrored in views.orientations(index):
            seen = working.flip(-1) if mirrored else working
            logits = _view_logits(network, seen, views=views, seed=seed, window_batch=window_batch)
            mean, disagreement = _averaged_draws(logits, grid)
            mean = mean.flip(-1) if mirrored else mean
            total = mean if total is None else total.add_(mean)
            if disagreement is not None:
                disagreement = disagreement.flip(-1) if mirrored else disagreement
                information = disagreement if information is None else information.add_(disagreement)
    assert total is not None
    if information is not None:
        information.div_(count)
    return BatchPrediction(total.div_(count) if count > 1 else total, information)


@torch.inference_mode()
def predict_logits(
    network: nn.Module,
    images: Tensor,
    *,
    views: Views,
    size: tuple[int, int] | None = None,
    window_batch: int = 4,
) -> Tensor:
    """Logits [B, C, *size] of a single pass: the shortcut where only the labels are wanted."""
    if not views.single_pass:
        raise ValueError("logits are those of a single pass; with scales, flip or draws use predict_batch")
    working = resize_images(_floats(images), views.working_size(*images.shape[1:3], scale=views.sizes[0]))
    logits = _view_logits(network, working, views=views, seed=0, window_batch=window_batch)
    return logits.at(0, size or (images.shape[1], images.shape[2]))


def device_of(network: nn.Module) -> torch.device:
    """The device of the network's first parameter."""
    return next(network.parameters()).device


def _floats(images: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] → float [B, 3, H, W] in 0..1."""
    return images.permute(0, 3, 1, 2).float().div_(255).contiguous()


class _Logits(NamedTuple):
    """maps: [max(1, draws), B, C, h, w], which span `covers` pixels of the view, of which `seen` are the view
    and the rest, right and below, is padding (height, width each)."""

    maps: Tensor
    covers: tuple[int, int]
    seen: tuple[int, int]

    def at(self, draw: int, size: tuple[int, int]) -> Tensor:
        """The maps [B, C, *size] of a draw over the view, without the padding."""
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


def _view_logits(
    network: nn.Module, images: Tensor, *, views: Views, seed: int, window_batch: int
) -> _Logits:
    """Logits of images [B, 3, h, w], through windows if the views have them."""
    height, width = images.shape[-2:]
    places = windows(height, width, size=views.window or (height, width), overlap=views.overlap)
    if len(places) == 1:
        output = _network_output(network, images, views=views, seed=seed, upsample=False)
        return _Logits(output.logits if views.draws else output.logits[None], output.covers, (height, width))
    # With draws one window at a time, each from the same stream: a draw is one style for the whole image.
    together = 1 if views.draws else max(1, window_batch // len(images))
    total: Tensor | None = None
    count = torch.zeros(height, width, device=images.device)
    for start in range(0, len(places), together):
        part = places[start : start + together]
        crops = torch.cat([_cut(images, place) for place in part])
        logits = _network_output(network, crops, views=views, seed=seed, upsample=True).logits
        logits = logits if views.draws else logits[None]
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
    network: nn.Module, images: Tensor, *, views: Views, seed: int, upsample: bool
) -> NetworkOutput:
    """Logits [B, C, h, w], with draws [draws, B, C, h, w]."""
    generator = None
    if views.draws:
        generator = torch.Generator(device=images.device).manual_seed(derive_seed(seed, "draws"))
    with own_statistics(network, views.own_statistics):
        output: NetworkOutput = network(images, draws=views.draws, generator=generator, upsample=upsample)
    return output


def _averaged_draws(logits: _Logits, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
    """Logits [n, B, C, h, w] → mean probabilities [B, C, *size] and, if n > 1, what the draws disagree about.

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
