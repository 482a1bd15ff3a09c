"""What happened when: log.jsonl, one JSON object per line, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from spn.core.files import write_text


class RunLog:
    """Appends events to RUN/log.jsonl. After a resume at `step`, lines of later steps are dropped first."""

    def __init__(self, folder: Path, *, step: int, tensorboard: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.jsonl"
        if self._path.is_file():
            write_text(self._path, "".join(f"{line}\n" for line in _lines_until(self._path, step)))
        self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115 (open as long as the training runs)
        self._writer = (
            SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
            if tensorboard
            else None
        )

    def write(self, event: str, *, step: int, figures: Mapping[str, float | int | str]) -> None:
        """One line; figures that are not finite become null."""
        clean = {name: _finite(value) for name, value in figures.items()}
        self._file.write(json.dumps({"event": event, "step": step, **clean}) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in clean.items():
                if isinstance(value, float | int):
                    self._writer.add_scalar(f"{event}/{name}", value, step)

    def close(self) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The events of a run; an unfinished last line is left out."""
    path = folder / "log.jsonl"
    return [event for line in path.read_text(encoding="utf-8").splitlines() if (event := _parsed(line))]


def _lines_until(path: Path, step: int) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if (event := _parsed(line)) and event["step"] <= step]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("step"), int) else None


def _finite(value: float | int | str) -> float | int | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value
