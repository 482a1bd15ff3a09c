"""What a network says of all views of an image together: probabilities, and where the draws disagree.

Each view's logits (overlapping windows averaged) are resized to the size asked for; softmax comes after that,
and probabilities are averaged over views and draws. With n draws the stochastic prompt is drawn n times per
view:

    entropy             H(p̄), p̄ the mean over views and draws            what is uncertain
    mutual information  H(mean of the draws) − mean of H(each draw)      what the draws disagree about
                        (Houlsby et al., "BALD", 2011), averaged over the views
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spn.core.seeding import derive_seed
from spn.inference.scores import entropy
from spn.inference.views import Views
from spn.inference.windows import Window, windows


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

    Several views are averaged at `size` or, where all of them are smaller, at half the size of the largest
    (networks decode at a quarter of it), and then enlarged once: softmax and sums over 19 maps of a large
    photograph cost more than a small network.
    seed: of the draws; every view uses the same stream. window_batch: windows that run together.
    """
    size = size or (images.shape[1], images.shape[2])
    count = len(views.sizes) * (1 + views.flip)
    largest = views.working_size(*images.shape[1:3], scale=max(views.sizes))
    grid = size
    if count > 1 and largest[0] < size[0] and largest[1] < size[1]:
        grid = (largest[0] + 1) // 2, (largest[1] + 1) // 2
    total: Tensor | None = None
    information: Tensor | None = None
    for scale in views.sizes:
        working = _prepared(images, views.working_size(*images.shape[1:3], scale=scale))
        for mirrored in (False, True) if views.flip else (False,):
            seen = working.flip(-1) if mirrored else working
            logits = _view_logits(network, seen, views=views, seed=seed, window_batch=window_batch)
            logits = logits.flip(-1) if mirrored else logits
            mean, disagreement = _averaged_draws(logits, grid)
            total = mean if total is None else total.add_(mean)
            if disagreement is not None:
                information = disagreement if information is None else information.add_(disagreement)
    assert total is not None
    if information is not None:
        information = resized(information.div_(count)[:, None], size)[:, 0]
    return BatchPrediction(resized(total.div_(count) if count > 1 else total, size), information)


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
    working = _prepared(images, views.working_size(*images.shape[1:3], scale=views.sizes[0]))
    logits = _view_logits(network, working, views=views, seed=0, window_batch=window_batch)
    return resized(logits[0], size or (images.shape[1], images.shape[2]))


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize [B, C, h, w] → [B, C, *size], pixel centres aligned."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def device_of(network: nn.Module) -> torch.device:
    """The device of the network's first parameter."""
    return next(network.parameters()).device


def _prepared(images: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 [B, H, W, 3] → float [B, 3, *size] in 0..1; smoothed before shrinking."""
    floats = images.permute(0, 3, 1, 2).float().div_(255)
    if tuple(floats.shape[-2:]) == size:
        return floats.contiguous()
    shrinks = size[0] < floats.shape[-2] or size[1] < floats.shape[-1]
    floats = F.interpolate(floats, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
    return floats.contiguous()


def _view_logits(network: nn.Module, images: Tensor, *, views: Views, seed: int, window_batch: int) -> Tensor:
    """Logits [max(1, draws), B, C, h, w] of images [B, 3, h, w], through windows if the views have them."""
    if views.window is None:
        return _network_logits(network, images, draws=views.draws, seed=seed)
    height, width = images.shape[-2:]
    places = windows(height, width, size=views.window, overlap=views.overlap)
    if len(places) == 1:
        return _network_logits(network, images, draws=views.draws, seed=seed)
    # With draws one window at a time, each from the same stream: a draw is one style for the whole image.
    together = 1 if views.draws else max(1, window_batch // len(images))
    total: Tensor | None = None
    count = torch.zeros(height, width, device=images.device)
    for start in range(0, len(places), together):
        part = places[start : start + together]
        crops = torch.cat([_cut(images, place) for place in part])
        logits = _network_logits(network, crops, draws=views.draws, seed=seed)
        if total is None:
            total = logits.new_zeros(logits.shape[0], len(images), logits.shape[2], height, width)
        for place, piece in zip(part, logits.split(len(images), dim=1), strict=True):
            _cut(total, place).add_(piece)
            _cut(count, place).add_(1)
    assert total is not None
    return total.div_(count)


def _cut(maps: Tensor, place: Window) -> Tensor:
    return maps[..., place.top : place.bottom, place.left : place.right]


def _network_logits(network: nn.Module, images: Tensor, *, draws: int, seed: int) -> Tensor:
    """[max(1, draws), B, C, h, w]."""
    if draws == 0:
        return network(images).logits[None]
    generator = torch.Generator(device=images.device).manual_seed(derive_seed(seed, "draws"))
    return network(images, draws=draws, generator=generator).logits


def _averaged_draws(logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
    """Logits [n, B, C, h, w] → mean probabilities [B, C, *size] and, if n > 1, what the draws disagree about.

    One draw at a time, so that memory does not grow with their number at full size.
    """
    total = torch.softmax(resized(logits[0], size), dim=1)
    if len(logits) == 1:
        return total, None
    expected = entropy(total)
    for drawn in logits[1:]:
        probabilities = torch.softmax(resized(drawn, size), dim=1)
        total.add_(probabilities)
        expected.add_(entropy(probabilities))
    total.div_(len(logits))
    return total, entropy(total).sub_(expected.div_(len(logits))).clamp_(min=0)
