"""From logits to probabilities, and from these to labels.

The logits of a pass (overlapping windows averaged) are resized from the grid on which the network decodes;
softmax comes after that, and probabilities are averaged over passes and random samples of the prompt:

    entropy             H(p̄), p̄ the mean over passes and samples            what is uncertain
    mutual information  H(mean of the samples) − mean of H(each sample)      what the samples disagree about
                        (Houlsby et al., "BALD", 2011), averaged over the passes
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from spn.core.errors import UserError
from spn.models.network import NetworkOutput
from spn.models.resampling import resize


def averaged(output: NetworkOutput, seen: tuple[int, int], size: tuple[int, int]) -> list[Tensor]:
    """Mean probabilities [B, C, *size] and, of several samples, what they disagree about [B, *size].

    Of what the logits cover, `seen` pixels are the image and the rest, right and below, is padding. One
    sample at a time, so that memory does not grow with their number at full size.
    """
    each = (_softmax(_enlarged(logits, output.covers, seen, size)) for logits in output.logits)
    total = next(each)
    if len(output.logits) == 1:
        return [total]
    expected = entropy(total)
    for probabilities in each:
        total.add_(probabilities)
        expected.add_(entropy(probabilities))
    count = len(output.logits)
    return [total, entropy(total.div_(count)).sub_(expected.div_(count)).clamp_(min=0)]


def _enlarged(maps: Tensor, covers: tuple[int, int], seen: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Maps [B, C, h, w] that span `covers` pixels, `seen` of which are kept: new ones, [B, C, *size]."""
    if covers == seen:
        return maps.clone() if maps.shape[-2:] == size else resize(maps, size)
    factors = [
        wanted * covered / (kept * given) * (1 + 1e-9)  # whole numbers stay above themselves
        for wanted, covered, kept, given in zip(size, covers, seen, maps.shape[-2:], strict=True)
    ]
    maps = F.interpolate(maps, scale_factor=factors, mode="bilinear", align_corners=False)
    return maps[..., : size[0], : size[1]]


def _softmax(logits: Tensor, *, rows: int = 16) -> Tensor:
    """Softmax over the channels of [B, C, H, W], in its place.

    On a CPU a band of rows fits into the cache: twice as fast, and nothing of that size is written anew.
    """
    rows = rows if logits.device.type == "cpu" else logits.shape[2]
    for band in logits.split(rows, dim=2):
        band.copy_(torch.softmax(band, dim=1))
    return logits


def best_labels(maps: Tensor, size: tuple[int, int], *, pixels: int = 1 << 14) -> tuple[Tensor, Tensor]:
    """Of maps of probabilities [B, C, h, w] enlarged to `size`, the largest in each pixel.

    Returns which, uint8 [B, H, W], and how large, [B, H, W]. They are enlarged as F.interpolate does it,
    bilinearly without aligned corners. Between four neighbours with the same largest map that stays it,
    so that only pixels at borders, `pixels` at a time, need all maps: a third of the time on streets.
    Raises UserError where the maps are not numbers.
    """
    (height, width), classes = maps.shape[-2:], maps.shape[1]
    if (height, width) == size:
        return label_map(maps)
    check_classes(classes)
    flat = maps.permute(0, 2, 3, 1).reshape(-1, classes).contiguous()
    top, index = flat.max(dim=1)
    check_numbers(top)
    top, winner = top.view(-1, height, width), index.to(torch.uint8).view(-1, height, width)
    above, below, down = _neighbours(height, size[0], like=maps)
    left, right, across = _neighbours(width, size[1], like=maps)
    at_border = torch.zeros_like(winner, dtype=torch.bool)  # whether the four from here on differ
    at_border[:, :-1] |= winner[:, :-1] != winner[:, 1:]
    at_border[:, :, :-1] |= winner[:, :, :-1] != winner[:, :, 1:]
    at_border[:, :-1, :-1] |= winner[:, :-1, 1:] != winner[:, 1:, 1:]
    at_border[:, :-1, :-1] |= winner[:, 1:, :-1] != winner[:, 1:, 1:]
    labels, borders = (each.index_select(2, left).index_select(1, above) for each in (winner, at_border))
    largest = brought_to(top, size)
    images = torch.arange(len(maps), device=maps.device)[:, None] * height
    upper, lower = (((images + rows) * width).ravel() for rows in (above, below))
    down = down.repeat(len(maps))
    pick = torch.Tensor.index_select  # several times as fast as indexing
    for place in torch.nonzero(borders.ravel()).ravel().split(pixels):
        row = torch.div(place, size[1], rounding_mode="floor")
        column = place - row * size[1]
        before, after = pick(upper, 0, row), pick(lower, 0, row)
        start, end = pick(left, 0, column), pick(right, 0, column)
        low, far = pick(down, 0, row), pick(across, 0, column)
        four = torch.stack([before + start, after + start, before + end, after + end], dim=1)
        shares = torch.stack([(1 - low) * (1 - far), low * (1 - far), (1 - low) * far, low * far], dim=1)
        mean = F.embedding_bag(four, flat, per_sample_weights=shares, mode="sum")  # far faster than indexing
        score, index = mean.max(dim=1)
        labels.view(-1).index_copy_(0, place, index.to(torch.uint8))
        largest.view(-1).index_copy_(0, place, score)
    return labels, largest


def brought_to(map: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of one map per image [B, h, w] → [B, *size].

    On a CPU by OpenCV, in a fifth of the time of F.interpolate: of a map in 0..1 that becomes 1000 wide the
    same to 1e-5, 6000 wide to 1e-4.
    """
    if map.device.type != "cpu":
        return resize(map[:, None], size)[:, 0]
    result = torch.empty(len(map), *size)
    for one, target in zip(map.numpy(), result.numpy(), strict=True):
        cv2.resize(one, size[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
    return result


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps of probabilities [B, C, h, w] as float16 [B, C, *size], enlarged as `best_labels` does it.

    One class at a time: all maps of a photograph at its full size never stand in memory as floats.
    """
    return torch.cat([resize(map, size).half() for map in maps.split(1, dim=1)], dim=1)


@dataclass
class Smoothing:
    """Exponential moving average over the frames of a video: of a steady scene, edges and doubtful pixels
    flicker less; what moves trails a little.

    Attributes:
        weight: what the frames before count, 0..1.
        maps: the average so far.
    """

    weight: float
    maps: list[Tensor] | None = None

    def __call__(self, maps: list[Tensor]) -> list[Tensor]:
        """The average with `maps`, probabilities and what else is averaged; begun anew at another size."""
        before = self.maps
        if before is not None and before[0].shape == maps[0].shape:
            maps = [torch.lerp(new, old, self.weight) for new, old in zip(maps, before, strict=True)]
        self.maps = maps
        return maps


def _neighbours(given: int, wanted: int, *, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of `given` pixels enlarged to `wanted`, the two that each lies between, and the share of the second."""
    place = (torch.arange(wanted, device=like.device) + 0.5) * (given / wanted) - 0.5
    place.clamp_(0, given - 1)
    first = place.long()
    return first, (first + 1).clamp_(max=given - 1), (place - first).to(like.dtype)


def label_map(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of scores [B, C, H, W]: its index, uint8 [B, H, W] (the first of equal ones), and itself.

    A running maximum over the channels is about three times faster than `argmax` on a CPU, because it reads
    memory in order. Raises UserError if a score is not a number.
    """
    check_classes(scores.shape[1])
    best = scores[:, 0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8, device=scores.device)
    for channel in range(1, scores.shape[1]):
        labels.masked_fill_(scores[:, channel] > best, channel)
        torch.maximum(best, scores[:, channel], out=best)
    check_numbers(best)
    return labels, best


def check_classes(number: int) -> None:
    """Raises ValueError for more than labels can say."""
    if number > 255:
        raise ValueError(f"scores of {number} classes do not fit uint8 labels")


def check_numbers(scores: Tensor) -> None:
    """Raises UserError if one is not a number."""
    if not torch.isfinite(scores.sum(dtype=torch.float64)):
        raise UserError("the network's scores are not numbers (NaN or infinite); its weights are broken")


def grouped(probabilities: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    """Sum probabilities within groups of classes: [B, C, H, W] → [B, len(groups), H, W]."""
    if [list(group) for group in groups] == [[index] for index in range(probabilities.shape[1])]:
        return probabilities
    return torch.stack([probabilities[:, list(group)].sum(dim=1) for group in groups], dim=1)


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy over the channels, in nats: [B, C, H, W] → [B, H, W].

    Channel by channel, which reads memory in order and keeps no second tensor of all of them: three times
    faster on a CPU than `torch.special.entr(probabilities).sum(dim=1)`.
    """
    total = torch.zeros_like(probabilities[:, 0])
    least = torch.finfo(probabilities.dtype).tiny
    for channel in probabilities.unbind(dim=1):
        total.addcmul_(channel, channel.clamp_min(least).log_(), value=-1)
    return total
