"""Evaluates a model on several domains and keeps results.json up to date after each.

Repeating an evaluation continues it: a domain is skipped if the file holds its figures for the same weights,
protocol and data. Results of other weights in the same file are replaced, never mixed.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch.distributed as dist

from spn.core.errors import UserError
from spn.core.files import sole_writer
from spn.core.process import under_torchrun
from spn.core.progress import progress_bar
from spn.core.records import to_plain
from spn.data.base import SegmentationDataset
from spn.data.mapping import ClassMapping
from spn.data.view import View, seen_by
from spn.evaluation.counts import Calibration, EvaluationOptions, ImageCounts, read_counts
from spn.evaluation.evaluator import Ranks, evaluate
from spn.evaluation.results import (
    RESULTS_NAME,
    SAMPLES_FOLDER,
    DomainResult,
    RunResults,
    read_results,
    write_results,
)
from spn.inference.model import Model
from spn.inference.tta import protocol
from spn.methods.options import METHODS

_log = logging.getLogger(__name__)


def evaluate_run(
    model: Model,
    datasets: Sequence[SegmentationDataset],
    *,
    folder: Path | None = None,
    options: EvaluationOptions | None = None,
    mappings: Sequence[ClassMapping] = (),
    progress: bool = False,
) -> RunResults:
    """Evaluate `model` on every dataset and write `folder`/results.json, samples/ and what `options` ask.

    Under torchrun the processes share the images. Returns all results of these weights, earlier ones in
    `folder` included. Raises UserError for datasets whose results could not be told apart, or whose classes
    neither are the model's nor are joined with them by one of `mappings` (spn.data.view).
    """
    check_places(datasets)
    views = [seen_by(dataset, model.label_space, mappings) for dataset in datasets]
    options = options or EvaluationOptions()
    with (
        joined_ranks() as ranks,
        sole_writer(folder) if folder and ranks.rank == 0 else contextlib.nullcontext(),
        progress_bar(disable=not progress or ranks.rank > 0) as bar,
    ):
        results = ranks.agree(lambda: _started(model, folder))
        for dataset, view in zip(datasets, views, strict=True):
            task = bar.add_task(f"evaluate {dataset.key}", total=len(dataset), status="")
            kept = None
            if folder and not options.again:
                kept = ranks.agree(partial(_kept, results, view, model, folder, options))
            seen = partial(bar.advance, task)  # under torchrun, by this process alone
            result = kept or evaluate(
                model, dataset, folder=folder, options=options, mappings=mappings, on_images=seen, ranks=ranks
            )
            status = f"mIoU {100 * result.miou:.1f}{' (kept)' if kept else ''}"
            bar.update(task, completed=len(dataset), status=status)
            title, group, split_hash = told = dataset.title, dataset.group, dataset.split_hash
            results = results.with_domain(replace(result, title=title, group=group, split_hash=split_hash))
            new = not kept or told != (kept.title, kept.group, kept.split_hash)  # data check may come later
            if new and folder and ranks.rank == 0:
                write_results(folder / RESULTS_NAME, results)
    return results


@contextlib.contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that torchrun started, connected over CPU; without torchrun, this process alone."""
    if not under_torchrun():
        yield Ranks()
        return
    dist.init_process_group("gloo", timeout=timedelta(days=1))  # if a rank fails, torchrun ends all at once
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def is_first_process() -> bool:
    """Whether this process is the one that speaks, of those that torchrun started or alone."""
    return os.environ.get("RANK", "0") == "0" or not under_torchrun()


def check_places(datasets: Sequence[SegmentationDataset]) -> None:
    """Raise UserError where two datasets have one key, split and map: results.json has one entry for them."""
    places = [(dataset.key, dataset.split, dataset.map_name) for dataset in datasets]
    if twice := sorted({place for place in places if places.count(place) > 1}):
        raise UserError(
            f"{', '.join(':'.join(place[:2]) for place in twice)} stands more than once among the datasets; "
            "evaluate into folders of their own (--out), or give custom datasets a `name` each"
        )


def _started(model: Model, folder: Path | None) -> RunResults:
    """The results in `folder` if they are of these weights, else none yet."""
    if folder and (folder / RESULTS_NAME).is_file():
        stored = read_results(folder / RESULTS_NAME)
        if stored.checkpoint_sha256 == model.sha256:
            return stored
        _log.warning("%s holds results of other weights; they are replaced", folder / RESULTS_NAME)
    method = str(model.info.get("method", "unknown"))
    title = METHODS.entry(method).title if method in METHODS.names() else None
    return RunResults(
        method=method,
        seed=int(model.info.get("seed", 0)),
        checkpoint=model.path.name,
        checkpoint_sha256=model.sha256,
        info=model.info,
        method_title=model.info.get("method_title", title),
        network=to_plain(model.model_config) if model.model_config else {},
    )


def _kept(
    results: RunResults, view: View, model: Model, folder: Path, options: EvaluationOptions
) -> DomainResult | None:
    """The result of `view` that is there already, if it is still true and whole."""
    dataset = view.dataset
    known = results.at((dataset.key, dataset.split, dataset.map_name))
    if known is None:
        return None
    facts = (known.fingerprint, dataset.fingerprint(), "files"), (known.mapping, view.mapping, "mappings")
    if changed := " and ".join(what for old, new, what in facts if old != new):
        place = ":".join(known.place[:2])
        _log.warning("%s: the results of %s are of other %s; they are replaced", folder, place, changed)
        return None
    samples = folder / SAMPLES_FOLDER / known.folder_name
    good = (
        known.protocol_name == protocol(model.tta, model.precision)["name"]
        and (model.tta.num_samples == 0 or known.seed == model.seed)
        and len(known.samples) == min(options.pictures, known.images)
        and all((samples / f"{sample.name}_uncertainty.png").is_file() for sample in known.samples)
        and (known.predictions or not options.predictions)
        and (not options.per_image or read_counts(ImageCounts, folder, known) is not None)
        and (not options.calibration or read_counts(Calibration, folder, known) is not None)
    )
    return known if good else None
