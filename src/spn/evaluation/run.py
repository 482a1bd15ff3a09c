"""Evaluates one checkpoint on several domains and keeps results.json up to date after each.

Repeating an evaluation continues it: a domain is skipped if the file holds its figures for the same weights,
protocol and data, and a domain that was interrupted continues from its journal. Results of other weights in
the same file are replaced, never mixed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import Progress

from spn.core.errors import UserError
from spn.data.base import SegmentationDataset
from spn.evaluation.calibration import calibration_path, read_calibration
from spn.evaluation.evaluator import Outputs, evaluate
from spn.evaluation.journal import Journal
from spn.evaluation.options import EvaluationOptions
from spn.evaluation.per_image import counts_path, read_counts
from spn.evaluation.protocol import Protocol
from spn.evaluation.ranks import Ranks
from spn.evaluation.results import (
    RESULTS_NAME,
    SAMPLES_FOLDER,
    DomainResult,
    RunResults,
    folder_name,
    read_results,
    write_results,
)
from spn.inference.weights import LoadedNetwork

PREDICTIONS_FOLDER = "predictions"
JOURNAL_FOLDER = ".unfinished"
logger = logging.getLogger(__name__)


def evaluate_run(
    loaded: LoadedNetwork,
    datasets: Sequence[SegmentationDataset],
    *,
    folder: Path,
    protocol: Protocol,
    options: EvaluationOptions | None = None,
    progress: Progress | None = None,
    ranks: Ranks | None = None,
) -> RunResults:
    """Evaluate `loaded` on every dataset and write `folder`/results.json, samples/ and what `options` ask.

    The network runs on the device it is on. ranks: the processes that share the work; the first one writes.
    Returns all results of these weights, earlier ones included. Raises UserError for datasets whose results
    could not be told apart.
    """
    check_places(datasets)
    options, ranks = options or EvaluationOptions(), ranks or Ranks()
    path = folder / RESULTS_NAME
    results = ranks.agree(lambda: _started(path, loaded))
    for dataset in datasets:
        fingerprint = dataset.fingerprint()
        known = next((d for d in results.domains if d.place == _place(dataset)), None)
        journal = _journal(loaded, dataset, fingerprint, folder, protocol, options)
        kept = ranks.agree(
            lambda known=known, fingerprint=fingerprint: (  # type: ignore[misc]
                known is not None
                and not options.again
                and _still_true(known, fingerprint, folder, protocol, options)
            )
        )
        if known and kept:
            if progress:
                status = f"mIoU {100 * known.miou:.1f} (kept)"
                progress.add_task(
                    f"evaluate {dataset.key}", total=known.images, completed=known.images, status=status
                )
            if known.split_hash == dataset.split_hash:
                continue
            result = known  # checked by spn data check since then
        else:
            result = _evaluate_domain(loaded, dataset, folder, protocol, options, progress, journal, ranks)
        results = results.with_domain(replace(result, split_hash=dataset.split_hash))
        if ranks.first:
            write_results(path, results)
            journal.remove()
    return results


def check_places(datasets: Sequence[SegmentationDataset]) -> None:
    """Raise UserError where two datasets have one key, split and map: results.json has one entry for them."""
    places = [_place(dataset) for dataset in datasets]
    if twice := sorted({place for place in places if places.count(place) > 1}):
        raise UserError(
            f"{', '.join(':'.join(place[:2]) for place in twice)} stands more than once among the datasets; "
            "evaluate into folders of their own (--out), or give custom datasets a `name` each"
        )


def _place(dataset: SegmentationDataset) -> tuple[str, str, str]:
    """What results.json holds one entry of, as DomainResult.place."""
    return dataset.key, dataset.split, dataset.map_name


def _started(path: Path, loaded: LoadedNetwork) -> RunResults:
    """The results in `path` if they are of these weights, else none yet."""
    if path.is_file():
        stored = read_results(path)
        if stored.checkpoint_sha256 == loaded.sha256:
            return stored
        logger.warning("%s holds results of other weights; they are replaced", path)
    info = loaded.info
    return RunResults(
        method=str(info.get("method", "unknown")),
        seed=int(info.get("seed", 0)),
        checkpoint=loaded.path.name,
        checkpoint_sha256=loaded.sha256,
        info=dict(info),
    )


def _still_true(
    known: DomainResult, fingerprint: str, folder: Path, protocol: Protocol, options: EvaluationOptions
) -> bool:
    samples = folder / SAMPLES_FOLDER / known.folder_name
    return (
        known.fingerprint == fingerprint
        and known.protocol_name == protocol.name
        and (protocol.views.draws == 0 or known.seed == options.seed)
        and len(known.samples) == min(options.samples, known.images)
        and all((samples / f"{sample.name}_uncertainty.png").is_file() for sample in known.samples)
        and (known.predictions or not options.predictions)
        and (not options.per_image or read_counts(folder, known) is not None)
        and (not options.calibration or read_calibration(folder, known) is not None)
    )


def _journal(
    loaded: LoadedNetwork,
    dataset: SegmentationDataset,
    fingerprint: str,
    folder: Path,
    protocol: Protocol,
    options: EvaluationOptions,
) -> Journal:
    """The journal of one domain, for exactly what is to be measured."""
    identity = {
        "checkpoint_sha256": loaded.sha256,
        "protocol": protocol.name,
        "fingerprint": fingerprint,
        "images": len(dataset),
        "seed": options.seed,
        "batch": options.batch,
        "samples": options.samples,
        "predictions": options.predictions,
        "per_image": options.per_image,
        "calibration": options.calibration,
    }
    name = folder_name(*_place(dataset))
    return Journal(folder / JOURNAL_FOLDER / name, identity=identity, every=options.note_every)


def _evaluate_domain(
    loaded: LoadedNetwork,
    dataset: SegmentationDataset,
    folder: Path,
    protocol: Protocol,
    options: EvaluationOptions,
    progress: Progress | None,
    journal: Journal,
    ranks: Ranks,
) -> DomainResult:
    name = folder_name(*_place(dataset))
    place = {"key": dataset.key, "split": dataset.split, "map_name": dataset.map_name}
    outputs = Outputs(
        samples=folder / SAMPLES_FOLDER / name if options.samples else None,
        sample_count=options.samples,
        predictions=folder / PREDICTIONS_FOLDER / name if options.predictions else None,
        per_image=counts_path(folder, **place) if options.per_image else None,
        calibration=calibration_path(folder, **place) if options.calibration else None,
    )
    task = progress.add_task(f"evaluate {dataset.key}", total=len(dataset), status="") if progress else None

    def advance(images: int) -> None:
        if progress and task is not None:
            progress.advance(task, images)  # under torchrun, of this process alone

    result = evaluate(
        loaded.network,
        dataset,
        protocol=protocol,
        checkpoint_sha256=loaded.sha256,
        outputs=outputs,
        seed=options.seed,
        batch=options.batch,
        on_images=advance,
        journal=journal,
        ranks=ranks,
    )
    if progress and task is not None:
        progress.update(task, completed=len(dataset), status=f"mIoU {100 * result.miou:.1f}")
    return result
