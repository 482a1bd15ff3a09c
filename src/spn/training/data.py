"""From draws to batches: a plan of positions, items that depend on nothing but their position, a loader.

Position p counts every crop of a training, over all steps and ranks: step s uses the positions
[s * B, (s + 1) * B), of which rank r takes its r-th contiguous share. What item p is (image, window, colours,
and the images of a method's streams beside it) follows from (seed, p) alone; so neither the number of workers
or devices, nor a stop and resume, changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from spn.core.errors import UserError
from spn.core.sample import RegionSource, Sample
from spn.core.seeding import numpy_generator
from spn.methods.base import Batch
from spn.sampling.class_uniform import ClassUniformSampler
from spn.training.streams import StreamImages
from spn.transforms.pipeline import TrainTransform


class SampleSource(Protocol):
    """What training needs of a dataset; `spn.data` has it."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Sample: ...
    def open_regions(self, index: int, /) -> RegionSource: ...


class JoinedSource:
    """Several datasets one after the other; images are counted on."""

    def __init__(self, sources: Sequence[SampleSource]) -> None:
        self._sources = tuple(sources)
        self._ends = np.cumsum([len(source) for source in sources])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Sample:
        source, place = self._find(index)
        return source[place]

    def open_regions(self, index: int) -> RegionSource:
        source, place = self._find(index)
        return source.open_regions(place)

    def _find(self, index: int) -> tuple[SampleSource, int]:
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self._sources[number], index - (int(self._ends[number - 1]) if number else 0)


@dataclass(frozen=True)
class BatchPlan:
    """Which positions this process takes, and in how many parts per step."""

    batch_size: int
    rank: int
    world_size: int
    accumulation: int

    @property
    def part_size(self) -> int:
        """Crops per forward pass."""
        return self.batch_size // (self.world_size * self.accumulation)

    def positions(self, step: int) -> range:
        """This rank's positions in `step`."""
        share = self.batch_size // self.world_size
        start = step * self.batch_size + self.rank * share
        return range(start, start + share)

    def parts(self, step: int) -> Iterator[list[int]]:
        """The positions of each forward pass of `step`."""
        positions = self.positions(step)
        for start in range(0, len(positions), self.part_size):
            yield list(positions[start : start + self.part_size])


def plan_batches(batch_size: int, *, rank: int, world_size: int, device_batch: int) -> BatchPlan:
    """Split the effective batch over ranks, and a rank's share over parts of at most `device_batch` crops."""
    if batch_size % world_size:
        raise UserError(
            f"the batch of {batch_size} crops cannot be split evenly over {world_size} devices; "
            "choose optimisation.batch-size as a multiple of the number of devices"
        )
    share = batch_size // world_size
    limit = min(device_batch, share) if device_batch > 0 else share
    accumulation = next(
        parts for parts in range(1, share + 1) if share % parts == 0 and share // parts <= limit
    )
    return BatchPlan(batch_size, rank, world_size, accumulation)


class LoadedPart(NamedTuple):
    """images: uint8 [B, V, H, W, 3]. labels: uint8 [B, H, W]. streams: by name, uint8 [B, H, W, 3].

    failure: why it could not be loaded, or "".
    """

    images: Tensor
    labels: Tensor
    streams: Mapping[str, Tensor]
    failure: str = ""


class PlannedItems(Dataset[LoadedPart]):
    """Item p is the crop at position p, as numpy arrays; reading errors travel as text.

    coarse: the transform of the positions before `coarse_until`. streams: what comes beside each crop.
    """

    def __init__(
        self,
        source: SampleSource,
        *,
        sampler: ClassUniformSampler,
        transform: TrainTransform,
        seed: int,
        coarse: TrainTransform | None = None,
        coarse_until: int = 0,
        streams: Sequence[StreamImages] = (),
    ) -> None:
        self._source = source
        self._sampler = sampler
        self._transform = transform
        self._seed = seed
        self._coarse = coarse
        self._coarse_until = coarse_until
        self._streams = streams

    def __getitem__(self, position: int) -> LoadedPart:
        draw = self._sampler.draw(position)
        coarse = self._coarse if position < self._coarse_until else None
        try:
            item = (coarse or self._transform)(
                self._source.open_regions(draw.image_index),
                generator=numpy_generator(self._seed, "augment", position),
                centre=draw.centre,
            )
            size = (item.label.shape[0], item.label.shape[1])
            streams = {
                stream.name: torch.from_numpy(stream.crop(position, size=size)) for stream in self._streams
            }
        except (UserError, OSError) as error:
            empty = torch.zeros(0, dtype=torch.uint8)
            return LoadedPart(empty, empty, {}, str(error) or repr(error))
        return LoadedPart(torch.from_numpy(item.image), torch.from_numpy(item.label), streams)

    def name(self, position: int) -> str:
        """The image file at `position`, for messages."""
        try:
            return str(self._source[self._sampler.draw(position).image_index].image_path)
        except (UserError, OSError) as error:
            return str(error)


class _PlannedParts(Sampler[list[int]]):
    """The positions of every forward pass from step `start` to `stop`."""

    def __init__(self, plan: BatchPlan, *, start: int, stop: int) -> None:
        self._plan, self._start, self._stop = plan, start, stop

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self._start, self._stop):
            yield from self._plan.parts(step)

    def __len__(self) -> int:
        return (self._stop - self._start) * self._plan.accumulation


def build_loader(
    items: PlannedItems, plan: BatchPlan, *, start: int, stop: int, workers: int, pin_memory: bool
) -> DataLoader[LoadedPart]:
    """A loader over the forward passes of the steps start..stop-1, in order."""
    return DataLoader(
        items,
        batch_sampler=_PlannedParts(plan, start=start, stop=stop),
        num_workers=workers,
        collate_fn=stack_parts,
        pin_memory=pin_memory,
        worker_init_fn=use_one_thread,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers > 0 else None,
        generator=torch.Generator(),  # its own, so that the loader leaves torch's global stream alone
    )


def stack_parts(parts: Sequence[LoadedPart]) -> LoadedPart:
    """One batch of items; if any failed, the first failure and no images."""
    for part in parts:
        if part.failure:
            return part
    return LoadedPart(
        torch.stack([part.images for part in parts]),
        torch.stack([part.labels for part in parts]),
        {name: torch.stack([part.streams[name] for part in parts]) for name in parts[0].streams},
    )


def use_one_thread(_: int) -> None:
    """Workers are the parallelism; threads inside them would only fight over the cores."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def move_batch(
    part: LoadedPart, *, device: torch.device, channels_last: bool, progress: float = 0.0
) -> Batch:
    """To `device`, and there to floats in 0..1 (uint8 is a quarter of the transfer); does not wait."""

    def moved(images: Tensor) -> Tensor:
        """uint8 [..., H, W, 3] → float [..., 3, H, W], channels-last: the order of strides stays."""
        floats = images.to(device, non_blocking=True).movedim(-1, -3).to(torch.float32).div_(255)
        return floats if channels_last else floats.contiguous()

    streams = {name: moved(images) for name, images in part.streams.items()}
    labels = part.labels.to(device, non_blocking=True).long()
    return Batch(moved(part.images), labels, streams, progress)
