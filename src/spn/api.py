"""Python's front door beside `spn.load`: configure, build, train, measure and list in one line each.

The commands call these; `spn` exports them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spn.core.errors import UserError
from spn.core.records import flattened, nested
from spn.data.registry import KEYS, parse_data_argument
from spn.methods.options import METHODS
from spn.models.decoders.options import DECODERS
from spn.models.encoders.options import ENCODERS
from spn.training.config import resolved
from spn.training.presets import load_preset, preset_names

if TYPE_CHECKING:
    from spn.data.base import SegmentationDataset
    from spn.evaluation.counts import EvaluationOptions
    from spn.evaluation.results import RunResults
    from spn.inference.model import Model
    from spn.models.network import SegmentationNetwork
    from spn.training.config import TrainConfig
    from spn.training.session import TrainResult


class Built(NamedTuple):
    """An untrained network, and the whole configuration that it belongs to."""

    network: SegmentationNetwork
    config: TrainConfig


def configure(
    preset: str = "gtav_r50",
    *,
    method: str | None = None,
    data: Sequence[str] = (),
    validation: Sequence[str] = (),
    out: str | Path = "run",
    settings: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The configuration of a training, as it will be recorded.

    Args:
        preset: one of `spn.presets()`, or the path of a TOML file.
        method: one of `spn.methods()`; by default the preset's own.
        data: what is trained on, each KEY=PATH[:SPLIT].
        validation: images of the same domain on which it is measured meanwhile.
        out: the run folder.
        settings: further differences from the preset, by the names of the options of `spn train`:
            {"schedule.steps": 200, "model.decoder.kind": "segformer"}, or as nested tables.

    Raises:
        UserError: an unknown name, a value out of range, or an option that the method does not use.

    >>> config = configure("tiny", method="baseline", settings={"schedule.steps": 200})
    >>> config.model.prompt.kind, config.schedule.steps
    ('none', 200)
    """
    flat = {"data": list(data), "validation": list(validation), **flattened(settings or {})}
    kinds = {} if method is None else {"method": method}
    asked = load_preset(preset, out=Path(out), kinds=kinds, tables=[("settings", nested(flat))])
    return resolved(asked, names=flat)


def build(
    preset: str | TrainConfig = "gtav_r50",
    *,
    method: str | None = None,
    settings: Mapping[str, Any] | None = None,
    pretrained: bool | str | Path = False,
) -> Built:
    """The network that a method trains, before it is trained.

    Args:
        preset: as in `configure`, or what that returned.
        method: as in `configure`.
        settings: as in `configure`.
        pretrained: True for the encoder's ImageNet weights from timm's hub, a path for a file of them; random
            weights without.

    Returns:
        The network, in training mode on the CPU, and its configuration.

    Raises:
        UserError: as `configure`.
        CheckpointError: encoder weights that do not fit.

    >>> network, config = build("tiny", method="isw", settings={"model.num_classes": 5})
    >>> import torch
    >>> network.eval()(torch.rand(1, 3, 64, 96)).logits.shape
    torch.Size([1, 5, 64, 96])
    """
    from spn.models.build import build_network

    config = configure(preset, method=method, settings=settings) if isinstance(preset, str) else preset
    return Built(build_network(config.model, pretrained=pretrained, seed=config.seed), config)


def train(config: TrainConfig, *, resume: bool = False) -> TrainResult:
    """Train a network, or continue an interrupted training in the same folder.

    Args:
        config: from `configure`.
        resume: whether it is an error if there is nothing to continue.

    Returns:
        Where the weights are (`spn.load(result.weights)`), and how it went.

    Raises:
        UserError: settings that cannot work together, or a run folder that holds another training.
        DatasetError: data that cannot be used.
        CheckpointError: weights to start from that do not fit.
    """
    from spn.training.session import run_training

    return run_training(config, resume=resume)


def open_dataset(text: str) -> SegmentationDataset:
    """The images and labels that `KEY=PATH[:SPLIT]` names, as `cityscapes=data/cityscapes:val`.

    Args:
        text: KEY is one of `spn.datasets()`; several splits are joined by +.

    Returns:
        A sequence of samples: `sample.image` uint8 [H, W, 3] (RGB), `sample.label` uint8 [H, W], 255 where
        nothing is known.

    Raises:
        DatasetError: the layout is not recognised, files are missing, or labels cannot be right.

    >>> open_dataset("cityscapes")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    DatasetError: cannot read 'cityscapes' as data: wanted KEY=PATH or KEY=PATH:SPLIT
    """
    return parse_data_argument(text).open()


def evaluate(
    model: Model | str | Path | None = None,
    data: Sequence[str | SegmentationDataset] = (),
    *,
    out: str | Path | None = None,
    options: EvaluationOptions | None = None,
    mappings: Sequence[str | Path] = (),
    progress: bool = False,
) -> RunResults:
    """Measure IoU on datasets.

    Args:
        model: from `spn.load`, or what that takes; by default the model that comes with the package.
        data: each KEY=PATH[:SPLIT], as `cityscapes=data/cityscapes:val`, or an open dataset.
        out: folder for results.json and pictures, from which `spn report` works. What is finished there for
            the same weights is not measured again. Without it, nothing is written.
        options: what is written besides the figures.
        mappings: TOML files that say which classes of the model are which of a dataset (docs/datasets.md).
        progress: whether a progress bar is shown.

    Returns:
        The results: `print(results.table(per_class=True))`, `results.domains[0].miou`. Under torchrun the
        processes share the images, and each gets all results.

    Raises:
        UserError: there are no data, or two datasets whose results could not be told apart.
        CheckpointError, DatasetError: what there is cannot be used.
    """
    from spn.data.mapping import read_mapping
    from spn.evaluation.run import evaluate_run
    from spn.inference.model import Model
    from spn.inference.weights import load

    if not data:
        raise UserError("no dataset given; wanted KEY=PATH[:SPLIT], as --data cityscapes=PATH:val")
    datasets = [open_dataset(one) if isinstance(one, str) else one for one in data]
    loaded = model if isinstance(model, Model) else load(model)
    folder, read = None if out is None else Path(out), [read_mapping(Path(path)) for path in mappings]
    return evaluate_run(loaded, datasets, folder=folder, options=options, mappings=read, progress=progress)


def datasets() -> tuple[str, ...]:
    """The keys of the datasets that can be opened: those built in, and "custom" for one of your own.

    >>> "cityscapes" in datasets()
    True
    """
    return KEYS


# One assignment a line: the documentation's reader understands no other.
presets = preset_names
methods = METHODS.names
encoders = ENCODERS.names
decoders = DECODERS.names
register_method = METHODS.register
register_encoder = ENCODERS.register
register_decoder = DECODERS.register
