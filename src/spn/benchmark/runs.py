"""One run of a benchmark: train it, evaluate it on every domain, and say what is still missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from spn.benchmark.plan import BenchmarkPlan, RunPlan
from spn.core.errors import UserError
from spn.core.progress import progress_bar
from spn.data.base import SegmentationDataset
from spn.data.declaration import parse_split
from spn.data.registry import DataArgument, built_in, parse_data_argument
from spn.evaluation.protocol import EvaluationOptions, protocol
from spn.evaluation.results import RESULTS_NAME, DomainResult, read_results

EVALUATION_FOLDER: Final = "evaluation"


def check_plan(plan: BenchmarkPlan, runs: Sequence[RunPlan]) -> list[SegmentationDataset]:
    """Find mistakes before hours of training, not after: build the methods, open all data.

    Returns the domains. Raises UserError.
    """
    from spn.evaluation.run import check_places  # loads torch, as the others: not for --help and --list
    from spn.methods.base import build_method
    from spn.training.ingredients import open_training_data

    check_unchanged(runs)
    for run in runs:
        build_method(run.config.method, run.config.loss)
    for text in dict.fromkeys(text for run in runs for text in run.config.data):
        open_training_data(text, split="train")
    for text in dict.fromkeys(text for run in runs for text in run.config.validation):
        open_training_data(text, split=None)
    datasets = [parse_data_argument(text).open() for text in plan.domains]
    check_places(datasets)
    return datasets


def carry_out(run: RunPlan, datasets: Sequence[SegmentationDataset]) -> None:
    """Train and evaluate, or continue; what is finished is kept. Raises UserError."""
    from spn.training.session import run_training

    if not is_trained(run):
        if not run.trains:
            raise UserError(f"{run.name} evaluates the weights in {run.config.out}, which are not there yet")
        run_training(run.config)
    _evaluate(run, datasets)


def is_trained(run: RunPlan) -> bool:
    """Whether the final weights are there; only a finished training writes them."""
    from spn.inference.weights import WEIGHTS_NAME

    return (run.config.out / WEIGHTS_NAME).is_file()


def results_file(run: RunPlan) -> Path:
    return run.folder / EVALUATION_FOLDER / RESULTS_NAME


def check_unchanged(runs: Sequence[RunPlan]) -> None:
    """Raise UserError where a run that is there was trained under other settings than the plan's."""
    from spn.training.run_folder import check_folder  # loads torch

    for run in runs:
        check_folder(run.config)


def missing(run: RunPlan, plan: BenchmarkPlan) -> str | None:
    """What the run still lacks, as a sentence; None if it is finished. Reads results, not the data."""
    file = results_file(run)
    if not file.is_file():
        return f"{run.name}: not evaluated yet (no {file})"
    measured = [result for result in read_results(file).domains if is_planned(result, run, plan)]
    lacking = [
        text
        for text in plan.domains
        if not any(is_domain(result, parse_data_argument(text)) for result in measured)
    ]
    return f"{run.name}: not evaluated on {', '.join(lacking)}" if lacking else None


def is_planned(result: DomainResult, run: RunPlan, plan: BenchmarkPlan) -> bool:
    """Whether `result` is of one of the plan's domains, seen as `run` is to see them."""
    return result.protocol_name == protocol(run.tta)["name"] and any(
        is_domain(result, parse_data_argument(text)) for text in plan.domains
    )


def is_domain(result: DomainResult, argument: DataArgument) -> bool:
    """Whether `result` is of what KEY[/MAP]=PATH[:SPLIT] names, as far as can be told without the data."""
    split = argument.split
    if argument.key in built_in():
        same_key = result.key == argument.key
        split = split and "+".join(map(str, parse_split(built_in()[argument.key], split)))
    else:
        same_key = result.key not in built_in()  # a custom dataset's key is in its own file
    return same_key and split in (None, result.split) and argument.map_name in (None, result.map_name)


def _evaluate(run: RunPlan, datasets: Sequence[SegmentationDataset]) -> None:
    from spn.evaluation.run import evaluate_run
    from spn.inference.model import load

    model = load(run.config.out, device=run.config.runtime.accelerator, tta=run.tta)
    with progress_bar(disable=not run.config.runtime.progress) as progress:
        evaluate_run(
            model,
            datasets,
            folder=run.folder / EVALUATION_FOLDER,
            options=EvaluationOptions(per_image=True, calibration=True),
            progress=progress,
        )
