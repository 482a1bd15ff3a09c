"""A trained network and how it sees images: photographs in; labels, confidence and uncertainty out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spn.core.classes import CITYSCAPES_19, LabelSpace
from spn.core.errors import UserError
from spn.core.seeding import derive_seed
from spn.core.threads import mapped
from spn.inference.batch_norm import own_statistics
from spn.inference.class_shares import expected
from spn.inference.maps import Smoothing, averaged, best_labels, brought_to, enlarged, entropy, grouped
from spn.inference.photographs import Picture, as_photo
from spn.inference.scene import Scene
from spn.inference.tta import Arithmetic, TestTimeAugmentation
from spn.inference.video import Frame, Video, open_video
from spn.models.config import ModelConfig
from spn.models.network import NetworkOutput
from spn.models.resampling import resize_images

WINDOWS_TOGETHER = 4
Item = TypeVar("Item")
Result = TypeVar("Result")


class Maps(NamedTuple):
    """Of images what `Scene` has of one, each [B, H, W]; None where it was not asked for."""

    labels: Tensor
    confidence: Tensor
    uncertainty: Tensor | None
    disagreement: Tensor | None
    probabilities: Tensor | None = None  # float16 [B, C, H, W]


@dataclass(frozen=True, eq=False)
class Model:
    """A network that labels photographs, on the device on which it is to run.

    Attributes:
        network: a plain nn.Module in evaluation mode: `network(images).logits` takes float images
            [B, 3, H, W] in 0..1 (RGB, of any size) and gives logits [B, C, H, W]. If it has a number
            `at_once`, so many threads may call it at the same time.
        tta: test-time augmentation: how photographs are shown to it.
        precision: arithmetic of the network.
        seed: of the random prompts, the same for every pass.
        max_pixels: larger photographs are shown to the network at this size.
        label_space: its classes, in the order of the logits.
        info: what training noted (method, seed, steps, …).
        path, sha256, model_config: of a network that was loaded: the weights' file, the digest of its bytes
            (hexadecimal; in results the identity of these weights), and what it was built from.
    """

    network: nn.Module = field(repr=False)
    _: KW_ONLY
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    precision: Arithmetic = "32"
    seed: int = 0
    max_pixels: int = 1 << 21  # 2048x1024
    label_space: LabelSpace = CITYSCAPES_19
    info: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()
    sha256: str = ""
    model_config: ModelConfig | None = None

    def __post_init__(self) -> None:
        self.network.eval()
        if self.tta.image_prior and len(self.tta.usual_shares) != len(self.classes):
            raise UserError(
                f"image prior {self.tta.image_prior:g} needs the usual share of each of {len(self.classes)} "
                f"classes, and the weights come with {len(self.tta.usual_shares)}; wanted weights of spn "
                "release --class-shares FILE with [usual], or 0"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes."""
        return self.label_space.names

    @property
    def device(self) -> torch.device:
        """Where the network is; one without parameters of PyTorch is on the CPU."""
        return next((parameter.device for parameter in self.network.parameters()), torch.device("cpu"))

    @overload
    def predict(self, picture: Picture, *, probabilities: bool = False) -> Scene: ...

    @overload
    def predict(
        self, picture: list[Picture] | tuple[Picture, ...], *, probabilities: bool = False
    ) -> list[Scene]: ...

    def predict(
        self, picture: Picture | list[Picture] | tuple[Picture, ...], *, probabilities: bool = False
    ) -> Scene | list[Scene]:
        """Label one picture, or each of a list, on a CPU side by side (`each`).

        Args:
            picture: a file (str or Path), a PIL image, an array uint8 [H, W, 3] or a tensor float [3, H, W]
                in 0..1, RGB, of any size.
            probabilities: whether those of every class are kept: 38 bytes a pixel for 19 classes.

        Raises:
            PhotoError: a file that cannot be read as an image.
            ValueError: an array or tensor of another shape or type.
        """
        if isinstance(picture, list | tuple):
            return list(self.each(partial(self.predict, probabilities=probabilities), picture))
        return self._scene(as_photo(picture), probabilities=probabilities)

    def video(
        self,
        source: str | Path | int | Video | Iterable[Frame],
        *,
        smooth: float = 0.0,
        probabilities: bool = False,
    ) -> Generator[Scene]:
        """Label the frames of a video in their order; memory does not grow with their number.

        Args:
            source: a video file, a folder of frames, the number of a camera, an opened video, or frames from
                elsewhere, each an array of its own: some are read ahead, but of a camera, or if smoothed.
            smooth: how much the frames before count in a frame's probabilities, 0 to below 1: labels then
                flicker less.
            probabilities: as in `predict`.

        Raises:
            PhotoError: a video or camera that cannot be read; after the last frame, that some were missing.
            UserError: PyAV is not installed.
        """
        if not 0 <= smooth < 1:
            raise UserError(f"smooth is {smooth}; wanted a number from 0 to below 1")
        video = open_video(source) if isinstance(source, str | Path | int) else source
        frames, live = (video.frames, video.live) if isinstance(video, Video) else (video, False)
        smoothing = Smoothing(smooth) if smooth else None

        def labelled(frame: Frame) -> Scene:
            scene = self._scene(frame.image, probabilities=probabilities, smoothing=smoothing)
            return replace(scene, seconds=frame.seconds)

        return self.each(labelled, frames, alone=live or smooth > 0)

    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, alone: bool = False
    ) -> Generator[Result]:
        """`function`, which runs this model, of each of `items`, in their order; close what is not read up.

        On a CPU as many run side by side as the network bears, in threads that share those of PyTorch: two
        cores label a third more photographs when each has its own. Not with random draws or an image's own
        statistics, which the network's parts share, nor if they are to run `alone`.
        """
        cores, bears = torch.get_num_threads(), int(getattr(self.network, "at_once", 1))
        threads = min(cores, bears) if self.device.type == "cpu" else 1
        if alone or threads == 1 or self.tta.num_samples or self.tta.own_statistics:
            yield from map(function, items)
            return
        shares = iter([cores // threads + (index < cores % threads) for index in range(threads)])
        results = mapped(
            function, items, threads=threads, name="label", begin=lambda: torch.set_num_threads(next(shares))
        )
        try:
            with contextlib.closing(results):
                yield from results
        finally:
            torch.set_num_threads(cores)  # new threads take the number that was set last in any

    def _scene(
        self, image: NDArray[np.uint8], *, probabilities: bool, smoothing: Smoothing | None = None
    ) -> Scene:
        tta, height, width = self.tta, *image.shape[:2]
        grid = height, width
        if height * width > self.max_pixels:  # predicted at that size, brought back to the photograph's own
            factor = math.sqrt(self.max_pixels / (height * width))
            grid = max(1, int(height * factor)), max(1, int(width * factor))
            tta = replace(tta, input_height=tta.input_height or grid[0])
        batch = torch.from_numpy(np.ascontiguousarray(image))[None].to(self.device)
        found = replace(self, tta=tta).label(
            batch, (height, width), grid=grid, probabilities=probabilities, smoothing=smoothing
        )
        of_one: dict[str, Any] = {
            name: maps if maps is None else maps[0].cpu().numpy() for name, maps in found._asdict().items()
        }
        return Scene(image, **of_one, label_space=self.label_space)

    @torch.inference_mode()
    def label(
        self,
        images: Tensor,
        size: tuple[int, int],
        *,
        grid: tuple[int, int] | None = None,
        groups: Sequence[Sequence[int]] | None = None,
        uncertainty: bool = True,
        probabilities: bool = False,
        smoothing: Smoothing | None = None,
    ) -> Maps:
        """Label images together.

        Args:
            images: uint8 [B, H, W, 3], RGB, on the network's device.
            size: height and width of the result.
            grid: where passes are averaged, if that is to be smaller than `size`.
            groups: classes whose probabilities are added up before the largest is taken; labels are then
                their indices.
            uncertainty: whether it is asked for.
            probabilities: whether they are.
            smoothing: the average that these frames of a video join.

        Raises UserError if the network's scores are not numbers.
        """
        seen = self.probabilities(images, grid or size)
        mean, *disputed = smoothing(seen) if smoothing else seen
        if self.tta.image_prior:
            mean = expected(mean, self.tta.usual_shares, self.tta.image_prior)
        if groups is not None:
            mean = grouped(mean, groups)
        labels, confidence = best_labels(mean, size)
        nats = [entropy(mean)] if uncertainty else [], disputed
        most = math.log(max(2, mean.shape[1]))
        shares = (brought_to(maps[0], size).div(most).clamp_(0, 1) if maps else None for maps in nats)
        found = Maps(labels, confidence, *shares)
        return found._replace(probabilities=enlarged(mean, size)) if probabilities else found

    @torch.inference_mode()
    def probabilities(self, images: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Mean probabilities [B, C, h, w] and, of random samples, the mutual information [B, h, w] in nats.

        They are on the grid on which passes are averaged: `size` or, where all passes are smaller, half the
        size of the largest (networks decode at a quarter of it): softmax and sums over 19 maps of a large
        photograph cost more than a small network. Bilinear resizing brings them to `size`.
        """
        tta = self.tta
        count = len(tta.sizes) * (1 + tta.flip)
        largest = tta.working_size(*images.shape[1:3], scale=max(tta.sizes))
        if largest[0] < size[0] and largest[1] < size[1]:
            size = (largest[0] + 1) // 2, (largest[1] + 1) // 2
        sums: list[Tensor] = []
        for index, scale in enumerate(tta.sizes):
            working = seen_at(images, tta.working_size(*images.shape[1:3], scale=scale))
            for mirrored in (False, True) if tta.flip else (tta.alternate_flip and index % 2 == 1,):
                output = self._windowed(working.flip(-1) if mirrored else working)
                found = averaged(output, (working.shape[-2], working.shape[-1]), size)
                found = [map.flip(-1) if mirrored else map for map in found]
                sums = [a.add_(b) for a, b in zip(sums, found, strict=True)] if sums else found
        return [total.div_(count) if count > 1 else total for total in sums]

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


def seen_at(images: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 [B, H, W, 3] → floats in 0..1 [B, 3, *size].

    On a CPU bytes are shrunk, not floats: to one level of 255 the same in an eighth of the time.
    """
    pictures = images.permute(0, 3, 1, 2)
    smaller = size[0] <= images.shape[1] and size[1] <= images.shape[2]
    if smaller and images.device.type == "cpu":
        return resize_images(pictures, size).float().div_(255)
    return resize_images(pictures.float().div_(255), size)
