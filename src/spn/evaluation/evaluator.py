"""Runs a network over one dataset: images in, one confusion matrix and its figures out.

Nothing is kept of an image but its counts (per class, if asked for), so memory hardly grows with the dataset.
Labels are never resized: scores are, to the label's own size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol as StructuralType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spn.core.label_space import LabelSpace
from spn.core.sample import Sample
from spn.core.seeding import derive_seed
from spn.evaluation.batches import Indexed, read_batches
from spn.evaluation.calibration import ConfidenceCounter, calibration_path, write_calibration
from spn.evaluation.confusion import ConfusionMatrix
from spn.evaluation.options import EvaluationOptions
from spn.evaluation.per_image import ImageCounter, counts_path
from spn.evaluation.prediction_files import PredictionWriter
from spn.evaluation.protocol import Protocol
from spn.evaluation.ranks import Ranks
from spn.evaluation.results import SAMPLES_FOLDER, DomainResult, SampleRecord, folder_name
from spn.evaluation.samples import evenly_spaced, write_sample
from spn.inference.precision import at_precision
from spn.inference.probabilities import Prediction, predict

PREDICTIONS_FOLDER = "predictions"


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


@dataclass
class Tally:
    """What is counted: of all pixels and, if `options` ask for it, per image and by confidence.

    samples: the pictures written.
    """

    options: EvaluationOptions
    confusion: ConfusionMatrix
    images: ImageCounter = field(default_factory=ImageCounter)
    confidences: ConfidenceCounter = field(default_factory=ConfidenceCounter)
    samples: list[SampleRecord] = field(default_factory=list)

    def add(self, item: Indexed, labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        """Count one image with its prediction [H, W]."""
        counts = self.confusion.add(item.sample.label, labels)
        if self.options.per_image:
            self.images.add(item.index, item.sample, counts)
        if self.options.calibration:
            self.confidences.add(confidence, item.sample.label, labels)

    def include(self, other: Tally) -> None:
        """Add the counts of other images."""
        self.confusion.counts += other.confusion.counts
        self.images.rows |= other.images.rows
        self.confidences.counts += other.confidences.counts
        self.samples += other.samples


def evaluate(
    network: nn.Module,
    dataset: EvaluationDataset,
    *,
    protocol: Protocol,
    folder: Path | None = None,
    options: EvaluationOptions | None = None,
    checkpoint_sha256: str = "",
    seed: int = 0,
    on_images: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
) -> DomainResult:
    """Evaluate `network` (where it is, in evaluation mode) on every image of `dataset`.

    Args:
        network: its logits are [B, C, H, W] of float images [B, 3, H, W] in 0..1.
        dataset: images uint8 [H, W, 3] with labels uint8 [h, w] of its label space.
        protocol: how images are shown to the network, and its arithmetic.
        folder: where `options` are written; nothing is written without.
        options: what is written besides the figures, and how many images run together.
        checkpoint_sha256: identity of the weights, for the result.
        seed: of the random draws; each image has its own stream, so that batches change nothing.
        on_images: called with the number of images just done.
        ranks: share the images among these processes, each of which makes this call and gets the same result
            (except for `seconds`).

    Raises:
        UserError: the network's scores are not numbers.
    """
    started = time.monotonic()
    options, ranks = options or EvaluationOptions(), ranks or Ranks()
    space, device = dataset.label_space, next(network.parameters()).device
    place = {"key": dataset.key, "split": dataset.split, "map_name": dataset.map_name}
    writer, chosen = None, set[int]()
    if folder:
        chosen = set(evenly_spaced(len(dataset), options.pictures))
        if options.predictions:
            writer = PredictionWriter(folder / PREDICTIONS_FOLDER / folder_name(**place), label_space=space)
            ranks.agree(writer.clear)

    def predicted(batch: list[Indexed]) -> Prediction:
        images = torch.from_numpy(np.stack([item.sample.image for item in batch])).to(device)
        return predict(
            working,
            images,
            tta=protocol.tta,
            size=batch[0].sample.size,
            seed=derive_seed(seed, batch[0].sample.key),
            groups=space.groups,
            uncertainty=any(item.index in chosen for item in batch),
        )

    tally = Tally(options, ConfusionMatrix(len(space)))
    training = network.training
    working = at_precision(network.eval(), protocol.precision)
    together = 1 if protocol.tta.num_samples else options.batch
    try:
        for batch in read_batches(dataset, batch=together, rank=ranks.rank, ranks=ranks.count):
            prediction = predicted(batch)
            labels, confidence = prediction.labels.cpu().numpy(), prediction.confidence.cpu().numpy()
            for number, item in enumerate(batch):
                tally.add(item, labels[number], confidence[number])
                if folder and item.index in chosen:
                    assert prediction.entropy is not None
                    record = write_sample(
                        folder / SAMPLES_FOLDER / folder_name(**place),
                        item.sample,
                        index=item.index,
                        prediction=labels[number],
                        entropy=prediction.entropy[number].cpu().numpy(),
                        label_space=space,
                    )
                    tally.samples.append(record)
                if writer:
                    writer.write(item.sample, labels[number])
            if on_images:
                on_images(len(batch))
    finally:
        network.train(training)
    total = Tally(options, ConfusionMatrix(len(space)))
    for part in ranks.gather(tally):
        total.include(part)
    if ranks.first and folder:
        if options.per_image:
            total.images.write(counts_path(folder, **place))
        if options.calibration:
            write_calibration(calibration_path(folder, **place), total.confidences.calibration)
    return DomainResult(
        **place,
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
