"""What a network says of images under test-time augmentation: the one way from images to probabilities.

The logits of each pass (overlapping windows averaged) are resized from the grid on which the network decodes;
softmax comes after that, and probabilities are averaged over passes and random samples of the prompt:

    entropy             H(p̄), p̄ the mean over passes and samples            what is uncertain
    mutual information  H(mean of the samples) − mean of H(each sample)      what the samples disagree about
                        (Houlsby et al., "BALD", 2011), averaged over the passes
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.core.seeding import derive_seed
from spn.inference.batch_norm import own_statistics
from spn.inference.devices import Precision
from spn.inference.tta import TestTimeAugmentation
from spn.models.network import NetworkOutput
from spn.models.resampling import resize, resize_images

WINDOWS_TOGETHER = 4


class Maps(NamedTuple):
    """probabilities: [B, C, h, w]. information: mutual information [B, h, w] in nats; or None."""

    probabilities: Tensor
    information: Tensor | None = None


class Prediction(NamedTuple):
    """Images at the size asked for, every map [B, H, W].

    labels: uint8. confidence: the probability of the label. entropy, information: in nats; None where they
    were not asked for, or without random samples.
    """

    labels: Tensor
    confidence: Tensor
    entropy: Tensor | None
    information: Tensor | None


@dataclass(frozen=True)
class Predictor:
    """A network, on its device and in evaluation mode, and how it sees images.

    seed: of the random samples, the same for every pass.
    """

    network: nn.Module
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    precision: Precision = "32"
    seed: int = 0

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @torch.inference_mode()
    def predict(
        self,
        images: Tensor,
        size: tuple[int, int],
        *,
        grid: tuple[int, int] | None = None,
        groups: Sequence[Sequence[int]] | None = None,
        uncertainty: bool = True,
    ) -> Prediction:
        """Label images.

        Args:
            images: uint8 [B, H, W, 3], RGB, on the network's device.
            size: height and width of the result.
            grid: where passes are averaged, if that is to be smaller than `size`.
            groups: classes whose probabilities are added up before the largest is taken; labels are then
                their indices.
            uncertainty: whether the entropy is asked for.

        Raises:
            UserError: the network's scores are not numbers.
        """
        maps = self.maps(images, grid or size)
        probabilities = maps.probabilities if groups is None else grouped(maps.probabilities, groups)
        labels, confidence = best_labels(probabilities, size)
        uncertain = resize(entropy(probabilities)[:, None], size)[:, 0] if uncertainty else None
        disputed = None if maps.information is None else resize(maps.information[:, None], size)[:, 0]
        return Prediction(labels, confidence, uncertain, disputed)

    @torch.inference_mode()
    def maps(self, images: Tensor, size: tuple[int, int]) -> Maps:
        """The maps of images uint8 [B, H, W, 3] on the grid on which passes are averaged.

        That is `size` or, where all of several passes are smaller, half the size of the largest (networks
        decode at a quarter of it): softmax and sums over 19 maps of a large photograph cost more than a small
        network. Bilinear resizing brings them to `size`.
        """
        tta = self.tta
        count = len(tta.sizes) * (1 + tta.flip)
        largest = tta.working_size(*images.shape[1:3], scale=max(tta.sizes))
        if count > 1 and largest[0] < size[0] and largest[1] < size[1]:
            size = (largest[0] + 1) // 2, (largest[1] + 1) // 2
        sums: list[Tensor] = []
        floats = images.permute(0, 3, 1, 2).float().div_(255).contiguous()
        for index, scale in enumerate(tta.sizes):
            working = resize_images(floats, tta.working_size(*images.shape[1:3], scale=scale))
            for mirrored in tta.orientations(index):
                output = self._windowed(working.flip(-1) if mirrored else working)
                found = _averaged(output, (working.shape[-2], working.shape[-1]), size)
                found = [map.flip(-1) if mirrored else map for map in found]
                sums = [a.add_(b) for a, b in zip(sums, found, strict=True)] if sums else found
        return Maps(*(total.div_(count) if count > 1 else total for total in sums))

    def _windowed(self, images: Tensor) -> NetworkOutput:
        """Logits of images [B, 3, h, w], through windows if there are any."""
        height, width = images.shape[-2:]
        places = self.tta.windows(height, width)
        if len(places) == 1:
            return self._output(images, upsample=False)
        # With samples one window at a time, each from the same stream: one style for the whole image.
        together = 1 if self.tta.num_samples else max(1, WINDOWS_TOGETHER // len(images))
        total = count = torch.zeros(height, width, device=images.device)
        for start in range(0, len(places), together):
            part = places[start : start + together]
            output = self._output(torch.cat([images[..., *place] for place in part]), upsample=True)
            if start == 0:
                samples, _, classes = output.logits.shape[:3]
                total = output.logits.new_zeros(samples, len(images), classes, height, width)
            for place, piece in zip(part, output.logits.split(len(images), dim=1), strict=True):
                total[..., *place].add_(piece)
                count[place].add_(1)
        return output._replace(logits=total.div_(count), covers=(height, width))

    def _output(self, images: Tensor, *, upsample: bool) -> NetworkOutput:
        """Logits float32 [max(1, num_samples), B, C, h, w]."""
        num_samples, generator = self.tta.num_samples, None
        dtype = {"bf16": torch.bfloat16, "16": torch.float16}.get(self.precision)
        autocast = torch.autocast(images.device.type, dtype) if dtype else contextlib.nullcontext()
        if num_samples:
            generator = torch.Generator(device=images.device).manual_seed(derive_seed(self.seed, "draws"))
        with own_statistics(self.network, self.tta.own_statistics), autocast:
            output: NetworkOutput = self.network(
                images, num_samples=num_samples, generator=generator, upsample=upsample
            )
        logits = output.logits.float()
        return output._replace(logits=logits if num_samples else logits[None])


def _averaged(output: NetworkOutput, seen: tuple[int, int], size: tuple[int, int]) -> list[Tensor]:
    """Mean probabilities [B, C, *size] and, of several samples, what they disagree about [B, *size].

    Of what the logits cover, `seen` pixels are the image and the rest, right and below, is padding. One
    sample at a time, so that memory does not grow with their number at full size.
    """
    each = (torch.softmax(_enlarged(logits, output.covers, seen, size), dim=1) for logits in output.logits)
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
    """Maps [B, C, h, w] that span `covers` pixels, `seen` of which are kept: [B, C, *size]."""
    if covers == seen:
        return resize(maps, size)
    factors = [
        wanted * covered / (kept * given) * (1 + 1e-9)  # whole numbers stay above themselves
        for wanted, covered, kept, given in zip(size, covers, seen, maps.shape[-2:], strict=True)
    ]
    maps = F.interpolate(maps, scale_factor=factors, mode="bilinear", align_corners=False)
    return maps[..., : size[0], : size[1]]


def best_labels(maps: Tensor, size: tuple[int, int], *, rows: int = 64) -> tuple[Tensor, Tensor]:
    """Of maps of probabilities [B, C, h, w] enlarged to `size`, the largest in each pixel.

    Returns which, uint8 [B, H, W], and how large, [B, H, W]. They are enlarged (as F.interpolate does it,
    bilinearly without aligned corners) in bands of rows: all maps of a photograph at its full size never
    stand in memory at once, and a band that fits into a processor's cache is faster.

    Between two pixels one map always keeps half of the smaller of their maxima, so maps that stay below that
    in a whole band win nowhere in it and are not widened: a third of the work on streets.
    Raises UserError where the maps are not numbers.
    """
    labels, largest = [], []
    for band in _bands(maps, size[0], rows):
        beaten = band.amax(dim=(0, 2, 3)) < 0.5 * band.amax(dim=1).min()  # false for what is not a number
        contenders = torch.nonzero(~beaten)[:, 0]
        index, score = label_map(resize(band[:, contenders], (band.shape[-2], size[1])))
        labels.append(contenders.to(torch.uint8)[index.long()])
        largest.append(score)
    return torch.cat(labels, dim=1), torch.cat(largest, dim=1)


def _bands(maps: Tensor, height: int, rows: int) -> Iterator[Tensor]:
    """`rows` rows at a time of maps [B, C, h, w] resized to `height`, in their first width."""
    step = maps.shape[-2] / height
    place = ((torch.arange(height, device=maps.device) + 0.5) * step - 0.5).clamp_(0, maps.shape[-2] - 1)
    above = place.long()
    below = (above + 1).clamp_(max=maps.shape[-2] - 1)
    share = (place - above).to(maps.dtype)[:, None]
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        if maps.shape[-2] == height:
            yield maps[:, :, part]
        else:
            yield torch.lerp(maps[:, :, above[part]], maps[:, :, below[part]], share[part])


def label_map(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of scores [B, C, H, W]: its index, uint8 [B, H, W] (the first of equal ones), and itself.

    A running maximum over the channels is about three times faster than `argmax` on a CPU, because it reads
    memory in order. Raises UserError if a score is not a number.
    """
    if scores.shape[1] > 255:
        raise ValueError(f"scores of {scores.shape[1]} classes do not fit uint8 labels")
    best = scores[:, 0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8, device=scores.device)
    for channel in range(1, scores.shape[1]):
        labels.masked_fill_(scores[:, channel] > best, channel)
        torch.maximum(best, scores[:, channel], out=best)
    if not torch.isfinite(best.sum(dtype=torch.float64)):
        raise UserError("the network's scores are not numbers (NaN or infinite); its weights are broken")
    return labels, best


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
