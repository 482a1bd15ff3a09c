"""`spn report`: tables and figures that compare evaluated runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.report.comparison import load_comparison
from spn.report.document import write_report
from spn.report.tables import rendered


@dataclass(frozen=True)
class ReportCommand:
    """Compare evaluated runs. The first run's method is the reference; runs of one method are its seeds.

    Example: spn report runs/baseline runs/spn --out runs/report
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders (or results.json files), the reference first."""
    out: Path
    """Folder for report.md, the tables (.md .csv .tex) and the figures (.png .pdf)."""
    names: tuple[str, ...] | None = None
    """What to call each run's method, one name per run; by default the method's own name."""
    allow_mismatch: bool = False
    """Compare even what was measured differently; the table then says so."""
    samples: int | None = None
    """Rows per domain in the qualitative figures."""


def run(command: ReportCommand) -> int:
    comparison = load_comparison(command.runs, names=command.names, allow_mismatch=command.allow_mismatch)
    files = write_report(comparison, command.out, samples=command.samples)
    print(rendered(files.table, "text"))
    print(f"written: {files.document}")
    return 0
