"""One progress bar for every long command: count, time left; without a terminal a line now and then."""

import time
from collections.abc import Callable
from typing import Any, Final

import rich.progress
from rich.console import Console
from rich.progress import Progress, TaskID

LINE_EVERY: Final = 30.0
"""Seconds between two lines where there is no terminal."""


class _Progress(Progress):
    """Prints a line now and then where rich would show nothing: into a log file, under a batch system."""

    _due = 0.0

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._line(task_id)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._line(task_id)

    def _line(self, task_id: TaskID) -> None:
        if self.disable or self.console.is_terminal or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LINE_EVERY
        task = self._tasks[task_id]
        left = task.time_remaining
        eta = (
            "unknown"
            if left is None
            else f"{int(left) // 3600}:{int(left) // 60 % 60:02}:{int(left) % 60:02}"
        )
        text = f"{task.description}: {task.completed:g}"
        if task.total is not None:
            text += f" of {task.total:g}, ETA {eta}"
        self.console.print(text, task.fields["status"], markup=False, highlight=False, soft_wrap=True)


def progress_bar(*, disable: bool = False) -> Progress:
    """A rich progress display: use as a context manager; `add_task(description, total=…, status="")`.

    Each task has a free-text field `status` shown after the time left. It is written to standard error,
    so that standard output stays clean for results.
    """
    return _Progress(
        rich.progress.TextColumn("{task.description}", style="progress.description", markup=False),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("ETA"),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[status]}", markup=False),
        console=Console(stderr=True),
        disable=disable,
        speed_estimate_period=600,  # steps may be far apart
    )


def count_task(
    progress: Progress | None, title: str, *, total: int, completed: int = 0, status: str = ""
) -> Callable[[], None]:
    """Add a task, if there is a display at all; what is returned advances it by one."""
    if progress is None:
        return lambda: None
    task = progress.add_task(title, total=total, completed=completed, status=status)
    return lambda: progress.advance(task)
