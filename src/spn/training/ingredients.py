"""Turns a configuration into what a training is made of: network, method, data, sampler, validation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from torch import nn

from spn.core.errors import CheckpointError, DatasetError
from spn.core.records import to_plain
from spn.data.base import SegmentationDataset
from spn.data.pack import is_pack
from spn.data.registry import parse_data_argument
from spn.evaluation.evaluator import evaluate
from spn.inference.model import Model
from spn.inference.weights import load
from spn.methods.base import Baseline, build_method
from spn.models.build import build_network, grown, load_grown
from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork
from spn.sampling.class_uniform import ClassUniformSampler, join_indexes, open_class_index
from spn.training.config import TrainConfig
from spn.training.data import JoinedSource
from spn.training.run_folder import list_differences

TRAINING_LABEL_SPACE: Final = "cityscapes19"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingredients:
    """What a training is made of.

    network: as built, in training mode, on the CPU; the method has attached nothing to it yet. fingerprint:
    identity of the training data. validate: mean IoU (0 to 1) of a network on the source, None for no
    validation. split_hashes: by data argument, of the manifests of `spn data check`; None where none is.
    """

    network: SegmentationNetwork
    method: Baseline
    source: JoinedSource
    sampler: ClassUniformSampler
    fingerprint: str
    validate: Callable[[nn.Module], float] | None
    split_hashes: Mapping[str, str | None] = field(default_factory=dict)


def gather_ingredients(config: TrainConfig) -> Ingredients:
    """Open the data, index its classes, build the network of a resolved configuration.

    Raises UserError for whatever does not fit.
    """
    datasets = [open_training_data(text, split="train") for text in config.data]
    for dataset in datasets:
        _log.info("training on %r", dataset)
    network = build_network(
        config.model,
        pretrained=config.pretrained if config.init_from is None else False,
        seed=config.seed,
        activation_checkpointing=config.runtime.activation_checkpointing,
    )
    if config.init_from is not None:
        _start_from(config.init_from, network, config.model)
    sampling, index = config.sampling, None
    if sampling.class_uniform > 0:
        progress = config.runtime.progress
        index = join_indexes([open_class_index(d, sampling, progress=progress) for d in datasets])
    images, limit = sum(map(len, datasets)), config.schedule.validation_images
    validation = [open_training_data(text, split=None) for text in config.validation]

    def validate(network: nn.Module) -> float:
        """Mean IoU (0 to 1) on the source domain's validation images, whole image, single pass."""
        model = Model(network)
        return sum(evaluate(model, dataset, limit=limit).miou for dataset in validation) / len(validation)

    return Ingredients(
        network=network,
        method=build_method(config.method, config.loss),
        source=JoinedSource(datasets),  # type: ignore[arg-type]
        sampler=ClassUniformSampler(index, images=images, fraction=sampling.class_uniform, seed=config.seed),
        fingerprint=" ".join(dataset.fingerprint() for dataset in datasets),
        validate=validate if config.validation else None,
        split_hashes={text: data.split_hash for text, data in zip(config.data, datasets, strict=True)},
    )


def _start_from(path: Path, network: SegmentationNetwork, wanted: ModelConfig) -> None:
    """Give `network` the weights of the model at `path`, which may be a smaller one (spn.models.build).

    Raises CheckpointError if it is another network.
    """
    loaded = load(path, device="cpu", fold=False)
    assert loaded.model_config
    there = grown(loaded.model_config, wanted)
    if different := list_differences({"model": to_plain(there)}, {"model": to_plain(wanted)}):
        raise CheckpointError(
            f"--init-from {path} holds another network ({'; '.join(different)}). Wanted the one to "
            "be trained: choose the same preset, method and model options (encoder.layers may be more, and "
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
