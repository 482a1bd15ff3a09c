"""Turns a configuration into what a training is made of: network, method, data, sampler, validation."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import nn

from spn.core.errors import CheckpointError, DatasetError
from spn.core.sample import Sample
from spn.data.base import SegmentationDataset
from spn.data.pack import is_pack
from spn.data.registry import parse_data_argument
from spn.evaluation.evaluator import evaluate
from spn.evaluation.pictures import evenly_spaced
from spn.inference.model import Model
from spn.inference.weights import load_network
from spn.methods.base import build_method
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.growth import grown, load_grown
from spn.models.network import SegmentationNetwork
from spn.sampling.class_index import ClassIndex, join_indexes, open_class_index
from spn.sampling.class_uniform import ClassUniformSampler
from spn.training.config import TrainConfig
from spn.training.data import JoinedSource
from spn.training.resolve import resolved
from spn.training.run_folder import list_differences
from spn.training.session import Ingredients

TRAINING_LABEL_SPACE: Final = "cityscapes19"

_log = logging.getLogger(__name__)


def gather_ingredients(config: TrainConfig) -> Ingredients:
    """Open the data, index its classes, build the network. Raises UserError for whatever does not fit."""
    method = build_method(config.method, config.loss)
    datasets = [open_training_data(text, split="train") for text in config.data]
    for dataset in datasets:
        _log.info("training on %r", dataset)
    model_config = resolved(config).model
    network = build_network(
        model_config,
        pretrained=config.pretrained if config.init_from is None else False,
        seed=config.seed,
        activation_checkpointing=config.runtime.activation_checkpointing,
    )
    if config.init_from is not None:
        _start_from(config.init_from, network, model_config)
    index = _open_index(datasets, config) if config.sampling.class_uniform > 0 else None
    source = JoinedSource(datasets)
    return Ingredients(
        network=network,
        model_config=model_config,
        method=method,
        source=source,
        sampler=ClassUniformSampler(
            index, images=len(source), fraction=config.sampling.class_uniform, seed=config.seed
        ),
        fingerprint=" ".join(dataset.fingerprint() for dataset in datasets),
        validate=_build_validation(config),
        split_hashes={text: data.split_hash for text, data in zip(config.data, datasets, strict=True)},
    )


def _start_from(path: Path, network: SegmentationNetwork, model_config: ModelConfig) -> None:
    """Give `network` the weights of the model at `path`, which may be a smaller one (spn.models.growth).

    Raises CheckpointError if it is another network.
    """
    loaded = load_network(path)
    there = grown(loaded.model_config, model_config)
    if different := list_differences({"model": there.to_dict()}, {"model": model_config.to_dict()}):
        raise CheckpointError(
            f"--init-from {path} holds another network ({'; '.join(different)}). Wanted the one to be "
            "trained: choose the same preset, method and model options (encoder.layers may be more, and "
            "decoder.detail_width and decoder.strips where there were none)"
        )
    try:
        new = load_grown(network, loaded.network.state_dict())
    except ValueError as error:
        raise CheckpointError(f"--init-from {path} cannot be made larger: {error}") from error
    parts = f", with {new} new parts that change nothing yet" if new else ""
    _log.info("starting from the weights in %s%s", loaded.path, parts)


def open_training_data(text: str, *, split: str | None) -> SegmentationDataset:
    """The dataset that KEY=PATH[:SPLIT] names; its labels must be the 19 classes.

    Without a split, `split` of a folder, and the only one of a pack.
    """
    argument = parse_data_argument(text)
    if argument.split is None and split is not None and not is_pack(argument.root):
        argument = parse_data_argument(f"{text.rstrip(':')}:{split}")
    dataset = argument.open()
    if dataset.label_space.key != TRAINING_LABEL_SPACE:
        raise DatasetError(
            f"{dataset.key} has {len(dataset.label_space)} classes ({dataset.label_space.key}); training and "
            f"its validation need the classes {TRAINING_LABEL_SPACE}. Use spn evaluate for {dataset.key}"
        )
    return dataset


def _open_index(datasets: list[SegmentationDataset], config: TrainConfig) -> ClassIndex:
    progress = config.runtime.progress
    return join_indexes([open_class_index(data, config.sampling, progress=progress) for data in datasets])


def _build_validation(config: TrainConfig) -> SourceValidation | None:
    if not config.validation:
        return None
    datasets = [open_training_data(text, split=None) for text in config.validation]
    limit = config.schedule.validation_images
    return SourceValidation(tuple(EvenSubset(dataset, limit=limit) for dataset in datasets))


class EvenSubset:
    """At most `limit` images of a dataset (0: all), evenly spaced, for a quick look during training."""

    def __init__(self, dataset: SegmentationDataset, *, limit: int) -> None:
        self.key = dataset.key
        self.split = dataset.split
        self.layout = dataset.layout
        self.label_space = dataset.label_space
        self.map_name = dataset.map_name
        self._dataset = dataset
        count = min(limit, len(dataset)) if limit > 0 else len(dataset)
        self._indices = tuple(evenly_spaced(len(dataset), count))

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[self._indices[index]]

    def fingerprint(self) -> str:
        return f"{self._dataset.fingerprint()} {self._indices}"


@dataclass(frozen=True)
class SourceValidation:
    """Mean IoU (0 to 1) on the source domain's validation images, whole image, single pass."""

    datasets: tuple[EvenSubset, ...]

    def __call__(self, network: nn.Module) -> float:
        scores = [evaluate(Model(network), dataset).miou for dataset in self.datasets]
        return sum(scores) / len(scores)
