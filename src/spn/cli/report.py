"""`spn report`: tables and figures that compare evaluated runs."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.core.errors import UserError
from spn.core.files import sole_writer
from spn.evaluation.grid import one_line
from spn.evaluation.results import find_results
from spn.report.comparison import load_comparison
from spn.report.document import write_report
from spn.report.tables import rendered


@dataclass(frozen=True)
class ReportCommand:
    """Compare evaluated runs. The first run's method is the reference; runs of one method are its seeds.

    Examples: spn report runs/demo; spn report runs/baseline runs/spn --out runs/report
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders (or results.json files), the reference first; of another folder all runs below it."""
    out: Path | None = None
    """Folder for report.html (for a browser), report.md, tables (.md .csv .tex) and figures (.png .pdf); of
    a single folder of runs, by default its folder report."""
    names: tuple[str, ...] | None = None
    """What to call each run's method, one name per run; by default the method's own name."""
    allow_mismatch: bool = False
    """Compare even what was measured differently; the table then says so."""
    samples: int | None = None
    """How many samples of each domain are shown."""


def run(command: ReportCommand) -> int:
    if command.samples is not None and command.samples < 0:
        raise UserError(f"--samples {command.samples}: wanted 0 or more")
    found = {path: find_results(path, below=True) for path in command.runs}
    folders = [path for path, files in found.items() if path not in (files[0], *files[0].parents[:2])]
    for path in folders:
        names = ", ".join(str(file.parent.parent.relative_to(path)) for file in found[path])
        print(one_line(f"runs in {path}: {names}"))
    out = command.out or (folders[0] / "report" if len(folders) == len(found) == 1 else None)
    if out is None:
        raise UserError("--out is missing; wanted the folder of the report")
    named = [file for path in command.runs for file in found[path]]
    once = list(dict.fromkeys(named))
    runs = named if command.names and len(command.names) == len(named) else once
    comparison = load_comparison(runs, names=command.names, allow_mismatch=command.allow_mismatch)
    with sole_writer(out):
        files = write_report(comparison, out, samples=command.samples)
    print(rendered(files.table, "text"))
    print(f"written: {files.document}, and {files.page.name} for a browser")
    return 0
