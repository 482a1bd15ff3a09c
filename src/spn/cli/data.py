"""`spn data`: every file of a dataset checked for the known traps (check), how often each class occurs and
samples that show whether the map is right (stats), and a split in one file that is faster to read (pack)."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
import tyro
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from spn.core.errors import DatasetError, UserError
from spn.core.files import refuse_foreign, write_json
from spn.core.progress import progress_bar
from spn.data.manifest import Manifest
from spn.data.pack import ImageStorage, is_pack
from spn.data.packing import pack_dataset
from spn.data.registry import DataArgument, parse_data_argument
from spn.data.survey import Survey, survey_dataset
from spn.data.traps import TRAPS, Finding
from spn.evaluation.grid import Grid

STANDARD_OUTPUT: Final = "-"
_SHOWN: Final = 5
"""Files listed under each finding; the JSON holds all."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What the commands have in common."""

    workers: int | None = None
    """Threads; as many as cores if not given."""
    quiet: bool = False
    """No progress display."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers {self.workers}: wanted at least 1")


@dataclass(frozen=True, kw_only=True)
class DataCheckCommand(DataOptions):
    """Read every file of datasets, name what is wrong, and write a manifest. Exit status 1 if anything is.

    Training and evaluation compare a dataset with its manifest and record its hash. An interrupted check
    continues when repeated; a finished one reads again only files whose size or time changed.

    Example: spn data check gtav=data/gtav:train cityscapes=data/cityscapes:val
    """

    data: tyro.conf.Positional[tuple[str, ...]]
    """Datasets as KEY=PATH[:SPLIT]; several splits of one are joined by +, as train+val."""
    json: str | None = None
    """Write the findings as JSON into this file; - is standard output (tables then go to standard error)."""
    accept: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A trap that is known and allowed, by name; repeat the option for more. It stays in the manifest."""
    again: bool = False
    """Read every file again, also those whose size and time did not change since the last check."""


def check(command: DataCheckCommand) -> int:
    arguments = _arguments(command.data)
    if unknown := [name for name in command.accept if name not in TRAPS]:
        raise UserError(f"--accept {' '.join(unknown)}: no such trap; there are {', '.join(TRAPS)}")
    accept, again, workers = command.accept, command.again, command.workers
    with progress_bar(disable=command.quiet) as bar:
        surveys: list[Survey] = []
        for argument in arguments:
            survey = survey_dataset(
                argument, accept=accept, again=again, beside=surveys, workers=workers, progress=bar
            )
            surveys.append(survey)
    console = Console(stderr=command.json == STANDARD_OUTPUT)
    for survey in surveys:
        console.print(survey_report(survey))
    ok = all(survey.ok for survey in surveys)
    if command.json is not None:
        datasets = [
            {
                "data": str(survey.argument),
                "key": survey.argument.key,
                "root": str(survey.argument.root),
                "ok": survey.ok,
                "read": survey.read,
                "kept": survey.kept,
                "manifest": None if survey.path is None else str(survey.path),
                **({} if survey.manifest is None else survey.manifest.summary()),
                "findings": msgspec.to_builtins(survey.findings),
            }
            for survey in surveys
        ]
        document = {"schema": "spn-data-check", "version": 1, "ok": ok, "datasets": datasets}
        if command.json == STANDARD_OUTPUT:
            print(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            refuse_foreign(Path(command.json), b'"schema": "spn-data-check"')
            write_json(Path(command.json), document)
    return 0 if ok else 1


@dataclass(frozen=True, kw_only=True)
class DataStatsCommand(DataOptions):
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


def stats(command: DataStatsCommand) -> int:
    from spn.report.pictures import draw_frequencies, draw_sample_sheet  # matplotlib: not for --help

    arguments = _arguments(command.data)
    if command.samples < 1:
        raise UserError(f"--samples {command.samples}: wanted at least 1")
    console = Console()
    files: list[str] = []
    for argument in arguments:
        with progress_bar(disable=command.quiet) as progress:
            survey = survey_dataset(argument, workers=command.workers, progress=progress)
        if survey.dataset is None or survey.manifest is None:
            raise DatasetError("\n".join(item for finding in survey.findings for item in finding.items))
        console.print(f"\n{argument}", style="bold", markup=False, highlight=False)
        print(class_table(survey.manifest))
        dataset, records = survey.dataset, survey.manifest.records
        sound = [index for index, record in enumerate(records) if not record.problems]
        if not sound:
            raise DatasetError(f"{dataset.key}: no pair can be shown; spn data check says what is wrong")
        places = np.linspace(0, len(sound) - 1, min(command.samples, len(sound))).astype(int)
        samples = [dataset[sound[place]] for place in places]
        pixels = [entry.pixels for entry in survey.manifest.classes]
        name = re.sub(r"[^\w.+@-]+", "_", f"{dataset.key}_{dataset.split}_{dataset.map_name}")
        title = f"{dataset.title} {dataset.split}, map {dataset.map_name}: {len(dataset):,} images"
        files.append(name)
        twin = "" if files.count(name) == 1 else f"_{files.count(name)}"  # of custom datasets of one name
        bars, sheet = (command.out / f"{name}{twin}_{kind}.png" for kind in ("classes", "samples"))
        draw_frequencies(bars, pixels, space=dataset.label_space, title=title)
        draw_sample_sheet(sheet, samples, space=dataset.label_space, title=title)
        print(f"written: {bars}\nwritten: {sheet}")
        if names := ", ".join(finding.trap for finding in survey.findings if not finding.accepted):
            text = f"this dataset has problems ({names}); spn data check {argument} lists them"
            console.print(text, style="yellow", markup=False)
    return 0


@dataclass(frozen=True, kw_only=True)
class DataPackCommand(DataOptions):
    """Pack a split into one checksummed file, without loss. Training crops then read only their tiles.

    Name the file wherever the folder would stand: --data gtav=FILE.sqlite. An interrupted packing continues
    when repeated; repeated after that, the command verifies every tile of the pack.

    Example: spn data pack gtav=data/gtav:train --out data/gtav_train.sqlite
    """

    data: tyro.conf.Positional[str]
    """The split as KEY=PATH[:SPLIT]; several splits are joined by +, as train+val."""
    out: Path
    """The file to write; its name ends in .sqlite."""
    images: ImageStorage = "compressed"
    """compressed: about as large as PNG files. raw: 3 bytes a pixel, read fastest."""


def pack(command: DataPackCommand) -> int:
    argument = parse_data_argument(command.data)
    if is_pack(argument.root):
        raise UserError(f"{argument.root} is a pack already; wanted the folder of the dataset")
    with progress_bar(disable=command.quiet) as progress:
        dataset, out = argument.open(), command.out
        now = pack_dataset(dataset, out, images=command.images, workers=command.workers, progress=progress)
    done = f"{now:,} packed now" if now else "complete, every checksum verified"
    print(f"{out}: {len(dataset):,} pairs, {out.stat().st_size:,} bytes, {done}")
    print(f"next: --data {argument.key}={out} wherever the folder would stand")
    return 0


def _arguments(texts: Sequence[str]) -> list[DataArgument]:
    if not texts:
        raise UserError("no dataset given; wanted KEY=PATH[:SPLIT], as cityscapes=data/cityscapes:val")
    return [parse_data_argument(text) for text in texts]


def survey_report(survey: Survey) -> RenderableType:
    """What one dataset holds, its classes, and what is wrong with it."""
    parts: list[RenderableType] = [Text(f"\n{survey.argument}", style="bold")]
    if survey.manifest is not None:
        parts += [_overview(survey, survey.manifest), Text(class_table(survey.manifest))]
    if survey.findings:
        parts.append(_findings_table(survey.findings))
    accepted = sum(len(finding.items) for finding in survey.findings if finding.accepted)
    failures = sum(len(finding.items) for finding in survey.findings) - accepted
    verdict = f"{failures} problem(s)" if failures else "no problem found"
    verdict += f", {accepted} accepted" if accepted else ""
    return Group(*parts, Text(verdict, style="bold red" if failures else "bold green"))


def class_table(manifest: Manifest) -> str:
    """Pixels and images of every class; shares are of the evaluated pixels."""
    total = sum(entry.pixels for entry in manifest.classes)
    rows = []
    for entry in manifest.classes:
        share = f"{100 * entry.pixels / total:.2f} %" if entry.pixels else "absent"
        rows.append((entry.name, f"{entry.pixels:,}", share, f"{entry.images:,}"))
    rows.append(("not evaluated", f"{manifest.ignored_pixels:,}", "", ""))
    return Grid(("class", "pixels", "share", "images"), rows).text()


def _overview(survey: Survey, manifest: Manifest) -> Table:
    sizes = sorted(manifest.sizes, key=lambda size: -size.images)
    shown = ", ".join(f"{size.images:,} of {size.width}x{size.height}" for size in sizes[:4])
    rows = [
        ("split, layout, map", f"{manifest.split}, {manifest.layout}, {manifest.map_name}"),
        ("pairs", f"{len(manifest.records):,} ({survey.read:,} read now, {survey.kept:,} unchanged)"),
        ("bytes", f"{manifest.bytes:,}"),
        ("images", shown + (f", {len(sizes) - 4} more sizes" if len(sizes) > 4 else "")),
        ("split hash", manifest.split_hash),
        ("manifest", str(survey.path or "could not be written")),
        *(("left out", text) for text in manifest.exclusions),
    ]
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value, overflow="fold"))
    return table


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table(title="what is wrong", title_justify="left", show_lines=True)
    table.add_column("trap", no_wrap=True)
    table.add_column("files", justify="right")
    table.add_column("which, and what to do", overflow="fold")
    for finding in findings:
        more = len(finding.items) - _SHOWN
        lines = [TRAPS[finding.trap], *finding.items[:_SHOWN]]
        lines += [f"… and {more} more (--json lists all)"] if more > 0 else []
        name = Text(finding.trap + ("\n(accepted)" if finding.accepted else ""))
        name.stylize("dim" if finding.accepted else "red")
        table.add_row(name, str(len(finding.items)), Text("\n".join(lines)))
    return table
