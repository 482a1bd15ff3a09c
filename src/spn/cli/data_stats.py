"""`spn data stats`: how often each class occurs, and samples that show whether the map is right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from spn.cli.data_check import class_table, parse_data_arguments
from spn.core.errors import DatasetError, UserError
from spn.core.progress import progress_bar
from spn.data.survey import survey_dataset


@dataclass(frozen=True)
class DataStatsCommand:
    """Class frequencies (a table and a figure) and a sample sheet of datasets.

    Counts come from the manifest of spn data check; a dataset that was never checked is read now.

    Example: spn data stats cityscapes=data/cityscapes:val --out runs/data
    """

    data: tyro.conf.Positional[tuple[str, ...]]
    """Datasets as KEY=PATH[:SPLIT]; several splits of one are joined by +, as train+val."""
    out: Path = Path("runs/data")
    """Folder for the figures: <key>_<split>_<map>_{classes,samples}.png."""
    samples: int = 6
    """Rows of the sample sheet, evenly spaced over the dataset: nothing is picked by its looks."""
    workers: int | None = None
    """Threads that read a dataset; as many as cores if not given."""
    quiet: bool = False
    """No progress display."""


def run(command: DataStatsCommand) -> int:
    from spn.report.dataset_figures import draw_frequencies, draw_sample_sheet  # matplotlib: not for --help

    arguments = parse_data_arguments(command.data, workers=command.workers)
    if command.samples < 1:
        raise UserError(f"--samples {command.samples}: wanted at least 1")
    console = Console()
    for argument in arguments:
        with progress_bar(disable=command.quiet) as progress:
            survey = survey_dataset(argument, workers=command.workers, progress=progress)
        if survey.dataset is None or survey.manifest is None:
            raise DatasetError("\n".join(item for finding in survey.findings for item in finding.items))
        console.print(f"\n{argument}", style="bold", markup=False, highlight=False)
        console.print(class_table(survey.manifest))
        dataset, records = survey.dataset, survey.manifest.records
        sound = [index for index, record in enumerate(records) if not record.problems]
        if not sound:
            raise DatasetError(f"{dataset.key}: no pair can be shown; spn data check says what is wrong")
        places = np.linspace(0, len(sound) - 1, min(command.samples, len(sound))).astype(int)
        samples = [dataset[sound[place]] for place in places]
        pixels = [entry.pixels for entry in survey.manifest.classes]
        name = re.sub(r"[^\w.+@-]+", "_", f"{dataset.key}_{dataset.split}_{dataset.map_name}")
        title = f"{dataset.key} {dataset.split}, map {dataset.map_name}: {len(dataset):,} images"
        bars, sheet = (command.out / f"{name}_{kind}.png" for kind in ("classes", "samples"))
        draw_frequencies(bars, pixels, space=dataset.label_space, title=title)
        draw_sample_sheet(sheet, samples, space=dataset.label_space, title=title)
        print(f"written: {bars}\nwritten: {sheet}")
        if names := ", ".join(finding.trap for finding in survey.findings if not finding.accepted):
            text = f"this dataset has problems ({names}); spn data check {argument} lists them"
            console.print(text, style="yellow", markup=False)
    return 0
