"""Runs a network over one dataset: images in, one confusion matrix and its figures out.

Images are read ahead in threads and run in batches of equal size; nothing is kept of an image but its counts
(per class, if asked for), so memory hardly grows with the dataset. Labels are never resized: scores are, to
the label's own size. Which images run together follows from the dataset and `batch` alone, so neither the
number of processes nor an interruption changes a count.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from typing import Protocol as StructuralType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spn.core.label_space import LabelSpace
from spn.core.sample import Sample
from spn.core.seeding import derive_seed
from spn.evaluation.calibration import EDGES, write_calibration
from spn.evaluation.confusion import ConfusionMatrix
from spn.evaluation.journal import Journal, Tally
from spn.evaluation.prediction_files import PredictionWriter
from spn.evaluation.prefetch import Indexed, equal_sizes, read_ahead
from spn.evaluation.protocol import Protocol
from spn.evaluation.ranks import Ranks
from spn.evaluation.results import DomainResult
from spn.evaluation.samples import evenly_spaced, write_sample
from spn.inference.precision import at_precision
from spn.inference.probabilities import device_of, predict_batch, predict_logits
from spn.inference.scores import entropy, grouped, is_identity, label_map

BATCH_PIXELS = 1 << 21
"""Labelled pixels per batch: one image of 2048x1024, or eight of 640x360."""


class EvaluationDataset(StructuralType):
    """What evaluation asks of a dataset (spn.data.base.SegmentationDataset has it)."""

    key: str
    split: str
    layout: str
    label_space: LabelSpace

    @property
    def map_name(self) -> str: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class Outputs:
    """What to write besides the figures. samples, predictions: folders of this domain; None for none.

    per_image: file for the counts of each image. calibration: file for the counts of confidences.
    """

    samples: Path | None = None
    sample_count: int = 4
    predictions: Path | None = None
    per_image: Path | None = None
    calibration: Path | None = None


def evaluate(
    network: nn.Module,
    dataset: EvaluationDataset,
    *,
    protocol: Protocol,
    checkpoint_sha256: str = "",
    outputs: Outputs | None = None,
    seed: int = 0,
    batch: int = 8,
    threads: int = 2,
    on_images: Callable[[int], None] | None = None,
    journal: Journal | None = None,
    ranks: Ranks | None = None,
) -> DomainResult:
    """Evaluate `network` (where it is, in evaluation mode) on every image of `dataset`.

    seed: of the draws; each image has its own stream, so that the result does not depend on batches.
    batch: images of one size that run together. on_images: called with the number of images just done.
    journal: continue from its notes, and keep some. ranks: share the images among these processes, each of
    which makes this call and gets the same result (except for `seconds`).
    """
    started = time.monotonic()
    outputs = outputs or Outputs()
    ranks = ranks or Ranks()
    space = dataset.label_space
    chosen = set(evenly_spaced(len(dataset), outputs.sample_count)) if outputs.samples else set()
    writer = PredictionWriter(outputs.predictions, label_space=space) if outputs.predictions else None
    batch = 1 if protocol.views.draws else batch

    known = ranks.agree(lambda: _begin(journal, writer, classes=len(space)))
    left = [block for block in range(math.ceil(len(dataset) / batch)) if block not in known.blocks]
    indices = [
        index
        for block in left[ranks.rank :: ranks.count]
        for index in range(block * batch, min((block + 1) * batch, len(dataset)))
    ]
    if on_images and known.blocks:
        on_images(sum(min(batch, len(dataset) - block * batch) for block in known.blocks))
    tally = known if ranks.first else Tally(ConfusionMatrix(len(space)))

    training = network.training
    network.eval()
    working = at_precision(network, protocol.precision)
    try:
        items = read_ahead(dataset, indices, threads=threads, ahead=max(threads, batch))
        for group in equal_sizes(items, batch=batch, pixels=BATCH_PIXELS):
            predicted = _predict(
                working,
                group,
                protocol=protocol,
                space=space,
                chosen=chosen,
                seed=seed,
                confident=outputs.calibration is not None,
            )
            for place, (item, prediction) in enumerate(zip(group, predicted.labels, strict=True)):
                counts = tally.confusion.add(item.sample.label, prediction)
                if outputs.per_image:
                    tally.images.add(item.index, item.sample, counts)
                if predicted.confidences is not None:
                    tally.confidences.add(predicted.confidences[place], item.sample.label, prediction)
                if item.index in chosen and outputs.samples:
                    record = write_sample(
                        outputs.samples,
                        item.sample,
                        index=item.index,
                        prediction=prediction,
                        entropy=predicted.entropies[item.index],
                        label_space=space,
                    )
                    tally.samples.append(record)
                if writer:
                    writer.write(item.sample, prediction)
            following = group[-1].index + 1
            if following % batch == 0 or following == len(dataset):
                tally.blocks.add(group[-1].index // batch)
                if journal:
                    journal.note(ranks.rank, tally)
            if on_images:
                on_images(len(group))
    finally:
        network.train(training)
    total = Tally(ConfusionMatrix(len(space)))
    for part in ranks.gather(tally):
        total.include(part)
    if ranks.first and outputs.per_image:
        total.images.write(outputs.per_image)
    if ranks.first and outputs.calibration:
        write_calibration(outputs.calibration, total.confidences.calibration)
    return DomainResult(
        key=dataset.key,
        split=dataset.split,
        map_name=dataset.map_name,
        layout=dataset.layout,
        label_space=space.key,
        class_names=space.names,
        protocol=protocol.to_dict(),
        images=len(dataset),
        fingerprint=dataset.fingerprint(),
        checkpoint_sha256=checkpoint_sha256,
        seed=seed,
        confusion=total.confusion.counts,
        samples=tuple(sorted(total.samples, key=lambda sample: sample.index)),
        predictions=writer is not None,
        seconds=time.monotonic() - started,
    )


def _begin(journal: Journal | None, writer: PredictionWriter | None, *, classes: int) -> Tally:
    """What an interrupted evaluation had counted; where there is nothing to continue, clear the place."""
    tally = journal.read(classes=classes) if journal else Tally(ConfusionMatrix(classes))
    if journal:
        journal.restart(tally)
    if writer and not tally.blocks:
        writer.clear()
    return tally


class _Predicted(NamedTuple):
    """labels [B, H, W] in the ids of the label space. entropies [H, W]: of the chosen images, by index.

    confidences [B, H, W]: bins of `EDGES`, None if not asked for.
    """

    labels: NDArray[np.uint8]
    entropies: dict[int, NDArray[np.float32]]
    confidences: NDArray[np.int64] | None


@torch.inference_mode()
def _predict(
    network: nn.Module,
    group: list[Indexed],
    *,
    protocol: Protocol,
    space: LabelSpace,
    chosen: set[int],
    seed: int,
    confident: bool,
) -> _Predicted:
    size = (group[0].sample.label.shape[0], group[0].sample.label.shape[1])
    images = torch.from_numpy(np.stack([item.sample.image for item in group])).to(device_of(network))
    views = protocol.views
    wanted = [position for position, item in enumerate(group) if item.index in chosen]
    direct = False
    if views.single_pass:
        logits = predict_logits(network, images, views=views, size=size)
        # Where classes are evaluated as they are, the largest logit is the largest probability.
        direct = is_identity(space.groups, classes=logits.shape[1])
        scores = logits if direct else grouped(torch.softmax(logits, dim=1), space.groups)
        uncertain = torch.softmax(logits[wanted], dim=1) if direct and wanted else scores[wanted]
    else:
        key = derive_seed(seed, group[0].sample.key)
        scores = grouped(
            predict_batch(network, images, views=views, size=size, seed=key).probabilities, space.groups
        )
        uncertain = scores[wanted]
    entropies = _entropies(uncertain)
    return _Predicted(
        labels=label_map(scores).cpu().numpy(),
        entropies={group[position].index: entropies[rank] for rank, position in enumerate(wanted)},
        confidences=_confidence_bins(torch.softmax(scores, dim=1) if direct else scores)
        if confident
        else None,
    )


def _confidence_bins(probabilities: Tensor) -> NDArray[np.int64]:
    """The bin of the largest of probabilities [B, C, H, W] → [B, H, W]."""
    edges = torch.tensor(EDGES, device=probabilities.device)
    return torch.bucketize(probabilities.amax(dim=1), edges, right=True).cpu().numpy()


def _entropies(probabilities: Tensor) -> NDArray[np.float32]:
    """[n, C, H, W] → [n, H, W] in nats; n may be 0."""
    if len(probabilities) == 0:
        return np.zeros((0, *probabilities.shape[2:]), np.float32)
    return entropy(probabilities).cpu().numpy()
