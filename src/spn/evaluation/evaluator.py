"""Runs a network over one dataset: images in, one confusion matrix and its figures out.

Nothing is kept of an image but its counts (per class, if asked for) and, of some or all, predictions as PNGs.
Labels are never resized: scores are, to the label's own size.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CITYSCAPES_19, LabelSpace
from spn.core.files import atomic_path, write_bytes
from spn.core.sample import Sample
from spn.core.seeding import derive_seed
from spn.data.base import SegmentationDataset
from spn.data.mapping import ClassMapping
from spn.data.view import seen_by
from spn.evaluation.counts import Calibration, EvaluationOptions, ImageCounts, confusion_counts, write_counts
from spn.evaluation.results import SAMPLES_FOLDER, DomainResult, SampleRecord, margins
from spn.inference.model import Maps, Model
from spn.inference.tta import protocol

BATCH_PIXELS = 1 << 21
"""Labelled pixels per batch: one image of 2048x1024, or eight of 640x360."""
CPU_PIXELS = 1 << 18
"""The same on a CPU, which gains nothing from batches and pays for their memory: one image of 640x360."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """This process (`rank`, from 0; the first writes) among `count`, which make the same calls in order."""

    rank: int = 0
    count: int = 1

    def gather(self, value: Value) -> list[Value]:
        """The values of all ranks, in order, on every rank."""
        values: list[Any] = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values

    def agree(self, decide: Callable[[], Value]) -> Value:
        """What `decide` gives on the first rank, on every rank; it is called nowhere else."""
        decided: Any = decide() if self.rank == 0 else None
        return self.gather(decided)[0]


@dataclass
class Tally:
    """Counts of all images of a process and, if asked for, of each by its index; the pictures saved."""

    confusion: NDArray[np.int64]
    images: list[tuple[int, str, str, NDArray[np.int64]]] = field(default_factory=list)
    calibration: Calibration = field(default_factory=Calibration)
    samples: list[SampleRecord] = field(default_factory=list)


def evaluate(
    model: Model,
    dataset: SegmentationDataset,
    *,
    folder: Path | None = None,
    options: EvaluationOptions | None = None,
    mappings: Sequence[ClassMapping] = (),
    limit: int = 0,
    on_images: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
) -> DomainResult:
    """Evaluate `model` on the images of `dataset`.

    Each image has its own stream of the model's seed, so that batches change no random prompt.

    Args:
        folder: where `options` are written; nothing is written without.
        mappings: between the model's classes and those of the dataset (spn.data.view).
        limit: at most this many images, evenly spaced; 0: all.
        on_images: called with the number of images just done.
        ranks: share the images among these processes, each of which makes this call and gets the same result
            (except for `seconds`).

    Raises UserError if the network's scores are not numbers, DatasetError where no mapping joins the classes.
    """
    started = time.monotonic()
    options, ranks = options or EvaluationOptions(), ranks or Ranks()
    dataset, groups, mapping = seen_by(dataset, model.label_space, mappings)
    space, official = dataset.label_space, dataset.label_space.key == CITYSCAPES_19.key
    name = f"{dataset.key}_{dataset.split}_{dataset.map_name}"
    indices = evenly_spaced(len(dataset), limit or len(dataset))
    chosen = {indices[place] for place in evenly_spaced(len(indices), options.pictures)} if folder else set()
    predictions = folder / "predictions" / name if folder and options.predictions else None
    if predictions:  # a scorer would stumble over those of earlier evaluations
        ranks.agree(lambda: list(map(Path.unlink, predictions.rglob("*_pred_*.png"))))
    tally = Tally(np.zeros((len(space), len(space)), np.int64))
    together = 1 if model.tta.num_samples else options.batch
    pixels = CPU_PIXELS if model.device.type == "cpu" else BATCH_PIXELS

    def labelled(batch: list[tuple[int, Sample]]) -> tuple[list[tuple[int, Sample]], Maps]:
        images = torch.from_numpy(np.stack([sample.image for _, sample in batch]))
        first = batch[0][1]
        shown = any(index in chosen for index, _ in batch)
        return batch, replace(model, seed=derive_seed(model.seed, first.key)).label(
            images.to(model.device), first.size, groups=groups, uncertainty=shown
        )

    batches = read_batches(
        dataset, indices, batch=together, rank=ranks.rank, ranks=ranks.count, pixels=pixels
    )
    with contextlib.closing(model.each(labelled, batches)) as results:
        for batch, maps in results:
            predicted = zip(maps.labels.cpu().numpy(), maps.confidence.cpu().numpy(), strict=True)
            for number, ((index, sample), (labels, confidence)) in enumerate(
                zip(batch, predicted, strict=True)
            ):
                counts = confusion_counts(sample.label, labels, classes=len(space))
                tally.confusion += counts
                if options.per_image:
                    frame = "/".join(sample.label_path.parts[-2:])
                    tally.images.append((index, sample.key, frame, margins(counts)))
                if options.calibration:
                    tally.calibration.add(confidence, sample.label, labels)
                if predictions:  # the official scorer wants labelIds in <city>_<sequence>_<frame>_….png
                    ids = cv2.LUT(labels, space.to_label_ids()) if official else labels
                    path = predictions / f"{sample.key}_pred_{'labelIds' if official else space.key}.png"
                    write_bytes(path, cv2.imencode(".png", ids)[1].tobytes())
                if folder and index in chosen and maps.uncertainty is not None:
                    record = write_sample(
                        folder / SAMPLES_FOLDER / name,
                        sample,
                        index=index,
                        prediction=labels,
                        uncertainty=maps.uncertainty[number].cpu().numpy(),
                        label_space=space,
                    )
                    tally.samples.append(record)
            if on_images:
                on_images(len(batch))
    tallies = ranks.gather(tally)
    samples = (sample for tally in tallies for sample in tally.samples)
    result = DomainResult(
        key=dataset.key,
        split=dataset.split,
        map_name=dataset.map_name,
        layout=dataset.layout,
        label_space=space.key,
        class_names=space.names,
        mapping=mapping,
        protocol=protocol(model.tta, model.precision),
        images=len(indices),
        fingerprint=dataset.fingerprint(),
        checkpoint_sha256=model.sha256,
        seed=model.seed,
        confusion=np.sum([tally.confusion for tally in tallies], axis=0),
        samples=tuple(sorted(samples, key=lambda sample: sample.index)),
        predictions=predictions is not None,
        seconds=time.monotonic() - started,
    )
    if folder and ranks.rank == 0 and options.per_image:
        every = sorted(image for tally in tallies for image in tally.images)  # by their indices
        _, keys, frames, each = (np.array(values) for values in zip(*every, strict=True))
        write_counts(folder, result, ImageCounts(keys, frames, *each.swapaxes(0, 1)))
    if folder and ranks.rank == 0 and options.calibration:
        both = [(tally.calibration.right, tally.calibration.wrong) for tally in tallies]
        write_counts(folder, result, Calibration(*np.sum(both, axis=0)))
    return result


def read_batches(
    dataset: SegmentationDataset,
    indices: Sequence[int],
    *,
    batch: int,
    rank: int = 0,
    ranks: int = 1,
    pixels: int = BATCH_PIXELS,
) -> Iterator[list[tuple[int, Sample]]]:
    """Consecutive samples of one image and label size with their indices, at most `pixels` of labels at once.

    Every `ranks`-th block of `batch` images is read, from that of `rank` on, while the one before is used. No
    run crosses a block: which images run together, and with it every rounding, depends on the dataset and the
    device alone.
    An image with more than `pixels` comes alone. In threads, not in processes as torch's DataLoader does:
    decoding releases Python's lock, and no image has to be sent from one process to another.
    """
    blocks = [indices[start : start + batch] for start in range(rank * batch, len(indices), ranks * batch)]
    with ThreadPoolExecutor(2, thread_name_prefix="read") as pool:
        waiting = pool.map(dataset.__getitem__, blocks[0] if blocks else ())
        for block, following in itertools.zip_longest(blocks, blocks[1:], fillvalue=()):
            reading, waiting = waiting, pool.map(dataset.__getitem__, following)
            samples = zip(block, reading, strict=True)
            for (_, (height, width)), run in itertools.groupby(
                samples, key=lambda item: (item[1].image.shape, item[1].size)
            ):
                while together := list(itertools.islice(run, max(1, pixels // (height * width)))):
                    yield together


def evenly_spaced(length: int, count: int) -> list[int]:
    """At most `count` indices of 0..length-1, in the middles of equal parts."""
    count = min(length, count)
    return [int((part + 0.5) * length / count) for part in range(count)]


def write_sample(
    folder: Path,
    sample: Sample,
    *,
    index: int,
    prediction: NDArray[np.uint8],
    uncertainty: NDArray[np.float32],
    label_space: LabelSpace,
) -> SampleRecord:
    """Write one image's four files into `folder`; uncertainty [H, W]: 0..1.

    Label and prediction are palette PNGs: the index is the class of the domain's label space (255 void), the
    palette its colours.
    """
    name = f"{index:06d}"
    palette = label_space.palette()  # void is black
    pictures = {"label": Image.fromarray(sample.label), "prediction": Image.fromarray(prediction)}
    for picture in pictures.values():
        picture.putpalette(palette.tobytes())
    pictures["image"] = Image.fromarray(sample.image)
    pictures["uncertainty"] = Image.fromarray(np.round(uncertainty * 255).astype(np.uint8))
    for kind, picture in pictures.items():
        with atomic_path(folder / f"{name}_{kind}.png") as temporary:
            picture.save(temporary)
    return SampleRecord(name, sample.key, index)
