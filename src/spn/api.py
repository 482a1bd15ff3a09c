"""Python's front door beside `spn.load`: measure, open, build and train in one line each.

The commands call these; `spn` exports them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spn.core.errors import UserError
from spn.core.progress import progress_bar
from spn.data.registry import parse_data_argument

if TYPE_CHECKING:
    from spn.data.base import SegmentationDataset
    from spn.evaluation.options import EvaluationOptions
    from spn.evaluation.results import RunResults
    from spn.inference.model import Model


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
    progress: bool = False,
) -> RunResults:
    """Measure IoU on datasets.

    Args:
        model: from `spn.load`, or what that takes; by default the model that comes with the package.
        data: each KEY=PATH[:SPLIT], as `cityscapes=data/cityscapes:val`, or an open dataset.
        out: folder for results.json and pictures, from which `spn report` works. What is finished there for
            the same weights is not measured again. Without it, nothing is written.
        options: what is written besides the figures.
        progress: whether a progress bar is shown.

    Returns:
        The results: `print(results.table(per_class=True))`, `results.domains[0].miou`. Under torchrun the
        processes share the images, and each gets all results.

    Raises:
        UserError: there are no data, or two datasets whose results could not be told apart.
        CheckpointError, DatasetError: what there is cannot be used.
    """
    from spn.evaluation.ranks import joined_ranks
    from spn.evaluation.run import evaluate_run
    from spn.inference.model import Model, load

    if not data:
        raise UserError("no dataset given; wanted KEY=PATH[:SPLIT], as --data cityscapes=PATH:val")
    datasets = [open_dataset(one) if isinstance(one, str) else one for one in data]
    loaded = model if isinstance(model, Model) else load(model)
    with joined_ranks() as ranks, progress_bar(disable=not (progress and ranks.first)) as bar:
        folder = None if out is None else Path(out)
        return evaluate_run(loaded, datasets, folder=folder, options=options, progress=bar, ranks=ranks)
