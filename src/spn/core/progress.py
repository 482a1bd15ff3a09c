"""One progress bar for every long command: count, rate, time left; quiet where nobody watches."""

from __future__ import annotations

from collections.abc import Callable

import rich.progress
from rich.console import Console
from rich.progress import Progress


def progress_bar(*, disable: bool = False) -> Progress:
    """A rich progress display: use as a context manager; `add_task(description, total=…, status="")`.

    Each task has a free-text field `status` shown after the time left. It is written to standard error,
    so that standard output stays clean for results.
    """
    return Progress(
        rich.progress.TextColumn("[progress.description]{task.description}"),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("ETA"),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[status]}"),
        console=Console(stderr=True),
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
