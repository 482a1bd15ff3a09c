"""Runs a network over one dataset: images in, one confusion matrix and its figures out.

Nothing is kept of an image but its counts (per class, if asked for), so memory hardly grows with the dataset.
Labels are never resized: scores are, to the label's own size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol as StructuralType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spn.core.label_space import LabelSpace
from spn.core.sample import Sample
from spn.core.seeding import derive_seed
from spn.evaluation.batches import Samples, read_batches
from spn.evaluation.calibration import Calibration, write_calibration
from spn.evaluation.confusion import confusion_counts
from spn.evaluation.per_image import ImageRow, count_image, write_counts
from spn.evaluation.pictures import clear_predictions, evenly_spaced, write_prediction, write_sample
from spn.evaluation.protocol import EvaluationOptions, Protocol
from spn.evaluation.ranks import Ranks
from spn.evaluation.results import SAMPLES_FOLDER, DomainResult, SampleRecord, folder_name
from spn.inference.predictor import Predictor

PREDICTIONS_FOLDER = "predictions"


class EvaluationDataset(Samples, StructuralType):
    """What evaluation asks of a dataset (spn.data.base.SegmentationDataset has it)."""

    key: str
    split: str
    layout: str
    label_space: LabelSpace

    @property
    def map_name(self) -> str: ...

    def fingerprint(self) -> str: ...


@dataclass
class Tally:
    """What is counted, of all images and, if `options` ask for it, by image and by confidence.

    confusion: int64 [C, C]. images: by index. samples: the pictures written.
    """

    options: EvaluationOptions
    confusion: NDArray[np.int64]
    images: dict[int, ImageRow] = field(default_factory=dict)
    confidences: Calibration = field(default_factory=Calibration)
    samples: list[SampleRecord] = field(default_factory=list)

    def add(
        self, index: int, sample: Sample, labels: NDArray[np.uint8], confidence: NDArray[np.float32]
    ) -> None:
        """Count one image with its prediction [H, W]."""
        counts = confusion_counts(sample.label, labels, classes=len(self.confusion))
        self.confusion += counts
        if self.options.per_image:
            self.images[index] = count_image(sample, counts)
        if self.options.calibration:
            self.confidences.add(confidence, sample.label, labels)

    def include(self, other: Tally) -> None:
        """Add the counts of other images."""
        self.confusion += other.confusion
        self.images |= other.images
        self.confidences.right += other.confidences.right
        self.confidences.wrong += other.confidences.wrong
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
    space, chosen = dataset.label_space, set[int]()
    name = folder_name(dataset.key, dataset.split, dataset.map_name)
    predictions = folder / PREDICTIONS_FOLDER / name if folder and options.predictions else None
    if folder:
        chosen = set(evenly_spaced(len(dataset), options.pictures))
    if predictions:
        ranks.agree(lambda: clear_predictions(predictions))
    tally = Tally(options, np.zeros((len(space), len(space)), np.int64))
    training = network.training
    predictor = Predictor(network.eval(), protocol.tta, protocol.precision)
    together = 1 if protocol.tta.num_samples else options.batch
    try:
        for batch in read_batches(dataset, batch=together, rank=ranks.rank, ranks=ranks.count):
            images = torch.from_numpy(np.stack([sample.image for _, sample in batch]))
            first = batch[0][1]
            shown = any(index in chosen for index, _ in batch)
            prediction = replace(predictor, seed=derive_seed(seed, first.key)).predict(
                images.to(predictor.device), first.size, groups=space.groups, uncertainty=shown
            )
            labels, confidence = prediction.labels.cpu().numpy(), prediction.confidence.cpu().numpy()
            for number, (index, sample) in enumerate(batch):
                tally.add(index, sample, labels[number], confidence[number])
                if predictions:
                    write_prediction(predictions, sample, labels[number], label_space=space)
                if folder and index in chosen and prediction.entropy is not None:
                    record = write_sample(
                        folder / SAMPLES_FOLDER / name,
                        sample,
                        index=index,
                        prediction=labels[number],
                        entropy=prediction.entropy[number].cpu().numpy(),
                        label_space=space,
                    )
                    tally.samples.append(record)
            if on_images:
                on_images(len(batch))
    finally:
        network.train(training)
    total, *others = ranks.gather(tally)
    for other in others:
        total.include(other)
    result = DomainResult(
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
        confusion=total.confusion,
        samples=tuple(sorted(total.samples, key=lambda sample: sample.index)),
        predictions=predictions is not None,
        seconds=time.monotonic() - started,
    )
    if folder and ranks.first and options.per_image:
        write_counts(folder, result, [total.images[index] for index in sorted(total.images)])
    if folder and ranks.first and options.calibration:
        write_calibration(folder, result, total.confidences)
    return result
