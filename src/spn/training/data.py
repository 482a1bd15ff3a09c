"""From draws to batches: a plan of positions, items that depend on nothing but their position, a loader.

Position p counts every crop of a training, over all steps and ranks: step s uses the positions
[s * B, (s + 1) * B), of which rank r takes its r-th contiguous share. What item p is (image, window, colours,
and the images of a method's streams beside it) follows from (seed, p) alone; so neither the number of workers
or devices, nor a stop and resume, changes it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, get_worker_info

from spn.core.errors import UserError
from spn.core.files import list_files, to_bytes
from spn.core.sample import RegionSource, Sample
from spn.core.seeding import numpy_generator
from spn.data.base import SegmentationDataset
from spn.data.files import IMAGE_SUFFIXES, decode_rgb, read_bytes
from spn.data.pack import is_pack
from spn.data.registry import parse_data_argument
from spn.data.view import labelled_as, seen_by
from spn.methods.base import Batch
from spn.sampling.class_uniform import ClassUniformSampler
from spn.transforms.config import AugmentationConfig
from spn.transforms.geometric import draw_window, resized
from spn.transforms.pipeline import TrainTransform

_LONGEST_WAIT: Final = 1800
"""Seconds after which loader processes that neither answer nor die are given up."""


def open_sources(texts: Sequence[str]) -> list[SegmentationDataset]:
    """The datasets that KEY=PATH[:SPLIT] name, labelled as the first is. Raises DatasetError."""
    datasets = [open_training_data(text, split="train") for text in texts]
    first = datasets[0]
    return [labelled_as(dataset, first.label_space, first.mappings).dataset for dataset in datasets]


def open_validation(texts: Sequence[str], source: SegmentationDataset) -> list[SegmentationDataset]:
    """Datasets on which a model that learns `source` can be measured. Raises DatasetError."""
    datasets = [open_training_data(text, split=None) for text in texts]
    for dataset in datasets:
        seen_by(dataset, source.label_space, source.mappings)
    return datasets


def open_training_data(text: str, *, split: str | None) -> SegmentationDataset:
    """What KEY=PATH[:SPLIT] names; without a split, `split` of a folder, and the only one of a pack."""
    argument = parse_data_argument(text)
    if argument.split is None and split is not None and not is_pack(argument.root):
        argument = parse_data_argument(f"{text.rstrip(':')}:{split}")
    return argument.open()


class JoinedSource(ConcatDataset[Sample]):
    """Several datasets one after the other; images are counted on."""

    def open_regions(self, index: int) -> RegionSource:
        number = bisect_right(self.cumulative_sizes, index)
        dataset: Any = self.datasets[number]
        regions: RegionSource = dataset.open_regions(index - self.cumulative_sizes[number] + len(dataset))
        return regions


class StreamImages:
    """Unlabelled images beside the training's crops, for methods that ask for them (Baseline.streams).

    Item p is a random crop of one of them; which, and what of it, follows from the seed, the stream's name
    and p alone. An image smaller than the crop is enlarged to cover it, a larger one keeps its pixels. While
    the training is coarse the same view comes at half the size.
    Raises UserError for a folder without images.
    """

    def __init__(self, name: str, folder: Path, config: AugmentationConfig, *, seed: int) -> None:
        self.name, self._folder, self._config, self._seed = name, folder, config, seed
        found = list_files(folder, recursive=True)
        self._paths = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
        if not self._paths:
            raise UserError(
                f"the method's images {name!r} should lie in {folder}, where there are none; "
                f"wanted a folder with {', '.join(IMAGE_SUFFIXES)} files, at any depth"
            )

    def crop(self, position: int, *, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The crop at `position` as uint8 [H, W, 3] of this size, in the shape of the config's crop."""
        generator = numpy_generator(self._seed, "stream", self.name, position)
        path = self._paths[generator.integers(len(self._paths))]
        image = decode_rgb(read_bytes(path), path)
        shape, wanted = image.shape[:2], (self._config.crop_height, self._config.crop_width)
        scale = max(1.0, wanted[0] / shape[0], wanted[1] / shape[1])
        flip = self._config.flip
        window = draw_window(shape, wanted, scale=(scale, scale), flip=flip, generator=generator)
        crop = resized(image[window.inside(shape)], size)
        return np.ascontiguousarray(crop[:, ::-1] if window.mirrored else crop)

    def fingerprint(self) -> str:
        """Changes with the files' names and sizes."""
        files = ((path.relative_to(self._folder).as_posix(), path.stat().st_size) for path in self._paths)
        text = "".join(f"{name}\0{size}\0" for name, size in files)
        return f"{self.name}:{hashlib.sha256(to_bytes(text)).hexdigest()[:16]}"


class BatchPlan:
    """A batch split over ranks, and this rank's share over `accumulation` parts of at most `device_batch`."""

    def __init__(self, batch_size: int, *, rank: int, world_size: int, device_batch: int) -> None:
        if batch_size % world_size:
            raise UserError(
                f"the batch of {batch_size} crops cannot be split evenly over {world_size} devices; "
                "choose optimisation.batch-size as a multiple of the number of devices"
            )
        self.batch_size, self.rank, self.share = batch_size, rank, batch_size // world_size
        largest = min(device_batch or self.share, self.share)
        self.part_size = next(size for size in range(largest, 0, -1) if self.share % size == 0)
        self.accumulation = self.share // self.part_size

    def positions(self, step: int) -> range:
        """This rank's positions in `step`."""
        start = step * self.batch_size + self.rank * self.share
        return range(start, start + self.share)

    def parts(self, step: int) -> list[range]:
        """The positions of each forward pass of `step`."""
        positions, size = self.positions(step), self.part_size
        return [positions[start : start + size] for start in range(0, self.share, size)]


@dataclass(frozen=True)
class PlannedItems(Dataset[Any]):
    """Item p is the crop at position p: arrays of a `Batch` in uint8, colours last. Why it cannot be read is
    an item, too.

    coarse: the transform of the positions before `coarse_until`. streams: what comes beside each crop.
    """

    source: JoinedSource
    sampler: ClassUniformSampler
    transform: TrainTransform
    seed: int
    coarse: TrainTransform | None = None
    coarse_until: int = 0
    streams: Sequence[StreamImages] = ()

    def __getitem__(self, position: int) -> tuple[Any, ...] | Exception:
        draw = self.sampler.draw(position)
        transform = self.coarse if self.coarse and position < self.coarse_until else self.transform
        try:
            regions = self.source.open_regions(draw.image_index)
            generator = numpy_generator(self.seed, "augment", position)
            item = transform(regions, generator=generator, centre=draw.centre)
            size = (item.label.shape[0], item.label.shape[1])
            streams = {stream.name: stream.crop(position, size=size) for stream in self.streams}
        except (UserError, OSError) as error:
            return error
        return item.image, item.label, streams

    def name(self, position: int) -> str:
        """The image file at `position`, for messages."""
        try:
            return str(self.source[self.sampler.draw(position).image_index].image_path)
        except (UserError, OSError) as error:
            return str(error)


def build_loader(
    items: PlannedItems, plan: BatchPlan, *, start: int, stop: int, workers: int, pin_memory: bool
) -> DataLoader[Any]:
    """A loader over the forward passes of the steps start..stop-1, in order: parts, or why one is missing.

    Raises UserError where no further processes can be had.
    """
    try:
        multiprocessing.Lock() if workers else None
    except OSError as error:
        raise UserError(
            f"no processes that load data can be started ({error.strerror}; is /dev/shm full?); load "
            "without (--runtime.workers 0)"
        ) from error
    return DataLoader(
        items,
        batch_sampler=[list(part) for step in range(start, stop) for part in plan.parts(step)],
        num_workers=workers,
        collate_fn=_stacked,
        pin_memory=pin_memory,
        worker_init_fn=_use_one_thread,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers > 0 else None,
        timeout=_LONGEST_WAIT if workers > 0 else 0,
        generator=torch.Generator(),  # its own, so that the loader leaves torch's global stream alone
    )


def _stacked(items: list[Any]) -> Batch | _Parcel | Exception:
    if failure := next((item for item in items if isinstance(item, Exception)), None):
        return failure
    images, labels, streams = zip(*items, strict=True)
    parcel = _Parcel(
        np.stack(images),
        np.stack(labels),
        {name: np.stack([s[name] for s in streams]) for name in streams[0]},
    )
    return parcel.opened() if get_worker_info() is None else parcel


class _Parcel(NamedTuple):
    """A batch that leaves its process as arrays, through a pipe, and is a batch of tensors where it arrives.

    Tensors would go through shared memory, of which containers have little, and over sockets beside the
    temporary files, whose folder may have too long a name; where that fails, nobody hears of it.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    streams: dict[str, NDArray[np.uint8]]

    def opened(self) -> Batch:
        streams = {name: torch.from_numpy(images) for name, images in self.streams.items()}
        return Batch(torch.from_numpy(self.images), torch.from_numpy(self.labels), streams)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, tuple(self)


def _unpacked(*arrays: Any) -> Batch:
    return _Parcel(*arrays).opened()


def _use_one_thread(_: int) -> None:
    """Workers are the parallelism; threads inside them would only fight over the cores."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def move_batch(part: Batch, *, device: torch.device, channels_last: bool, progress: float = 0.0) -> Batch:
    """A loaded part, uint8 [B, V, H, W, 3], to `device`, and there to floats in 0..1; does not wait."""

    def moved(images: Tensor) -> Tensor:
        """uint8 [..., H, W, 3] → float [..., 3, H, W], channels-last: the order of strides stays."""
        floats = images.to(device, non_blocking=True).movedim(-1, -3).to(torch.float32).div_(255)
        return floats if channels_last else floats.contiguous()

    streams = {name: moved(images) for name, images in part.streams.items()}
    return Batch(moved(part.images), part.labels.to(device, non_blocking=True).long(), streams, progress)
