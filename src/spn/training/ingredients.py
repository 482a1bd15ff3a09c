"""What a training is made of, gathered from its configuration: data, network, method, validation."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from torch import nn

from spn.core.classes import CITYSCAPES_19, LABEL_SPACES, LabelSpace
from spn.core.errors import CheckpointError, UserError
from spn.core.records import to_plain
from spn.evaluation.evaluator import evaluate
from spn.inference.model import Model
from spn.inference.weights import load
from spn.methods.base import Baseline, build_method
from spn.models.build import build_network, grown, load_grown, per_class
from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork
from spn.sampling.class_uniform import ClassUniformSampler, join_indexes, open_class_index
from spn.training.config import TRAINED_CLASSES, TrainConfig
from spn.training.data import JoinedSource, open_sources, open_validation
from spn.training.run_folder import list_differences

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingredients:
    """What a training is made of.

    network: as built, in training mode, on the CPU; the method has attached nothing to it yet. fingerprint:
    identity of the training data. validate: mean IoU (0 to 1) of a network on the source, None for no
    validation. classes: what is learnt. trained_on: the datasets, for people. split_hashes: by data argument,
    of the manifests of `spn data check`; None where none is.
    """

    network: SegmentationNetwork
    method: Baseline
    source: JoinedSource
    sampler: ClassUniformSampler
    fingerprint: str
    validate: Callable[[nn.Module], float] | None
    classes: LabelSpace = CITYSCAPES_19
    trained_on: tuple[str, ...] = ()
    split_hashes: Mapping[str, str | None] = field(default_factory=dict)


def gather_ingredients(config: TrainConfig) -> Ingredients:
    """Open the data, index its classes, build the network of a resolved configuration.

    Raises UserError for whatever does not fit.
    """
    datasets = open_sources(config.data)
    for dataset in datasets:
        _log.info("training on %r", dataset)
    classes, weights = datasets[0].label_space, config.sampling.weight_of()
    own = "" if classes.key in LABEL_SPACES else f": {', '.join(classes.names)}"
    _log.info("learning the %d classes %s%s", len(classes), classes.key, own)
    config = with_classes(config, classes)
    if unknown := weights.keys() - {dataset.key for dataset in datasets}:
        raise UserError(
            f"sampling.weights names {', '.join(sorted(unknown))}; wanted datasets that are trained on: "
            f"{', '.join(dataset.key for dataset in datasets)}"
        )
    network = build_network(
        config.model,
        pretrained=config.pretrained if config.init_from is None else False,
        seed=config.seed,
        activation_checkpointing=config.runtime.activation_checkpointing,
    )
    if config.init_from is not None:
        _start_from(config.init_from, network, config.model, classes)
    sampling, index = config.sampling, None
    if sampling.class_uniform > 0:
        progress = config.runtime.progress
        index = join_indexes([open_class_index(d, sampling, progress=progress) for d in datasets])
    images, limit = sum(map(len, datasets)), config.schedule.validation_images
    validation = open_validation(config.validation, datasets[0])
    sources = [(len(dataset), weights.get(dataset.key, 1.0)) for dataset in datasets if weights]

    def validate(network: nn.Module) -> float:
        """Mean IoU (0 to 1) on the source domain's validation images, seen as `config.tta` says."""
        model = Model(network, label_space=classes, tta=config.tta)
        maps = datasets[0].mappings
        scores = [evaluate(model, dataset, mappings=maps, limit=limit).miou for dataset in validation]
        return sum(scores) / len(scores)

    return Ingredients(
        network=network,
        method=build_method(config.method, config.loss, classes=classes),
        source=JoinedSource(datasets),  # type: ignore[arg-type]
        sampler=ClassUniformSampler(
            index, images=images, fraction=sampling.class_uniform, seed=config.seed, sources=sources
        ),
        fingerprint=" ".join(dataset.fingerprint() for dataset in datasets),
        validate=validate if config.validation else None,
        classes=classes,
        trained_on=tuple(f"{dataset.title} {dataset.split}" for dataset in datasets),
        split_hashes={text: data.split_hash for text, data in zip(config.data, datasets, strict=True)},
    )


def with_classes(config: TrainConfig, classes: LabelSpace) -> TrainConfig:
    """`config` for a network of these classes. Raises UserError if it asks for another number of them."""
    asked, count = config.model.num_classes, len(classes)
    if asked not in (count, ModelConfig.num_classes):
        raise UserError(f"model.num_classes is {asked}; {TRAINED_CLASSES}, which are {count}")
    return replace(config, model=replace(config.model, num_classes=count))


def _start_from(path: Path, network: SegmentationNetwork, wanted: ModelConfig, classes: LabelSpace) -> None:
    """Give `network` the weights of the model at `path`, which may be a smaller one (spn.models.build).

    Where it has other classes, what has a row per class stays as it is. Raises CheckpointError if it is
    another network.
    """
    loaded = load(path, device="cpu", fold=False)
    assert loaded.model_config
    there = grown(loaded.model_config, wanted)
    if different := list_differences({"model": to_plain(there)}, {"model": to_plain(wanted)}):
        raise CheckpointError(
            f"--init-from {path} holds another network ({'; '.join(different)}). Wanted the one to "
            "be trained: choose the same preset, method and model options (encoder.layers may be more; a "
            "prompt, scales, encoder.style_removal, encoder.tokens, decoder.detail_width and decoder.strips "
            "may be added)"
        )
    weights = loaded.network.state_dict()
    if loaded.label_space.names != classes.names:
        anew = {name: network.state_dict()[name] for name in per_class(wanted) if name in weights}
        weights |= anew
        _log.info(
            "%s knows other classes (%s, %d): %s start anew",
            *(path, loaded.label_space.key, len(loaded.classes), ", ".join(sorted(anew))),
        )
    try:
        new = load_grown(network, weights)
    except ValueError as error:
        raise CheckpointError(f"--init-from {path} cannot be made larger: {error}") from error
    parts = f", with {new} new parts that change nothing yet" if new else ""
    _log.info("starting from the weights in %s%s", loaded.path, parts)
