"""What a network says of images under test-time augmentation: the one way from images to probabilities.

The logits of each pass (overlapping windows averaged) are resized from the grid on which the network decodes;
softmax comes after that, and probabilities are averaged over passes and random draws of the prompt:

    entropy             H(p̄), p̄ the mean over passes and draws           what is uncertain
    mutual information  H(mean of the draws) − mean of H(each draw)      what the draws disagree about
                        (Houlsby et al., "BALD", 2011), averaged over the passes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spn.core.seeding import derive_seed
from spn.inference.devices import Precision, autocast
from spn.inference.own_statistics import own_statistics
from spn.inference.scores import best_labels, entropy, grouped
from spn.inference.tta import TestTimeAugmentation
from spn.models.network import NetworkOutput
from spn.models.resampling import resize, resize_images

WINDOWS_TOGETHER = 4


class Maps(NamedTuple):
    """probabilities: [B, C, h, w]. information: mutual information [B, h, w] in nats; None without draws."""

    probabilities: Tensor
    information: Tensor | None


class Prediction(NamedTuple):
    """Images at the size asked for, every map [B, H, W].

    labels: uint8. confidence: the probability of the label. entropy, information: in nats; None where they
    were not asked for, or without random draws.
    """

    labels: Tensor
    confidence: Tensor
    entropy: Tensor | None
    information: Tensor | None


@dataclass(frozen=True)
class Predictor:
    """A network, on its device and in evaluation mode, and how it sees images.

    seed: of the random draws, the same for every pass.
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
                logits = self._logits(working.flip(-1) if mirrored else working)
                found = [map.flip(-1) if mirrored else map for map in _averaged_draws(logits, size)]
                sums = [a.add_(b) for a, b in zip(sums, found, strict=True)] if sums else found
        if count > 1:
            sums = [total.div_(count) for total in sums]
        return Maps(sums[0], sums[1] if len(sums) > 1 else None)

    def _logits(self, images: Tensor) -> _Logits:
        """Logits of images [B, 3, h, w], through windows if there are any."""
        height, width = images.shape[-2:]
        places = self.tta.windows(height, width)
        if len(places) == 1:
            output = self._output(images, upsample=False)
            return _Logits(output.logits, output.covers, (height, width))
        # With draws one window at a time, each from the same stream: a draw is one style for the whole image.
        together = 1 if self.tta.num_samples else max(1, WINDOWS_TOGETHER // len(images))
        total: Tensor | None = None
        count = torch.zeros(height, width, device=images.device)
        for start in range(0, len(places), together):
            part = places[start : start + together]
            crops = torch.cat([images[..., place.rows, place.columns] for place in part])
            logits = self._output(crops, upsample=True).logits
            if total is None:
                total = logits.new_zeros(logits.shape[0], len(images), logits.shape[2], height, width)
            for place, piece in zip(part, logits.split(len(images), dim=1), strict=True):
                total[..., place.rows, place.columns].add_(piece)
                count[place.rows, place.columns].add_(1)
        assert total is not None
        return _Logits(total.div_(count), (height, width), (height, width))

    def _output(self, images: Tensor, *, upsample: bool) -> NetworkOutput:
        """Logits float32 [max(1, draws), B, C, h, w]."""
        draws, generator = self.tta.num_samples, None
        if draws:
            generator = torch.Generator(device=images.device).manual_seed(derive_seed(self.seed, "draws"))
        with own_statistics(self.network, self.tta.own_statistics), autocast(images.device, self.precision):
            output: NetworkOutput = self.network(
                images, num_samples=draws, generator=generator, upsample=upsample
            )
        logits = output.logits.float()
        return output._replace(logits=logits if draws else logits[None])


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


def _averaged_draws(logits: _Logits, size: tuple[int, int]) -> list[Tensor]:
    """Mean probabilities [B, C, *size] and, of several draws, what they disagree about [B, *size].

    One draw at a time, so that memory does not grow with their number at full size.
    """
    total = torch.softmax(logits.at(0, size), dim=1)
    draws = len(logits.maps)
    if draws == 1:
        return [total]
    expected = entropy(total)
    for draw in range(1, draws):
        probabilities = torch.softmax(logits.at(draw, size), dim=1)
        total.add_(probabilities)
        expected.add_(entropy(probabilities))
    total.div_(draws)
    return [total, entropy(total).sub_(expected.div_(draws)).clamp_(min=0)]
