"""One progress bar for every long command: count, rate, time left; quiet where nobody watches."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def progress_bar(*, console: Console | None = None, disable: bool = False) -> Progress:
    """A rich progress display: use as a context manager; `add_task(description, total=…, status="")`.

    Each task has a free-text field `status` shown after the time left. It is written to standard error,
    so that standard output stays clean for results.
    """
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=console or Console(stderr=True),
        disable=disable,
    )


def count_task(
    progress: Progress | None, title: str, *, total: int, completed: int = 0, status: str = ""
) -> Callable[[], None]:
    """Add a task, if there is a display at all; what is returned advances it by one."""
    if progress is None:
        return lambda: None
    task = progress.add_task(title, total=total, completed=completed, status=status)
    return lambda: progress.advance(task)
