"""log.jsonl of a training: an event per line, with its name, its step and figures. No torch."""

import json
from pathlib import Path
from typing import Any, Final

from spn.core.errors import UserError

LOG_NAME: Final = "log.jsonl"


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The events in the log of the run `folder`; a last line that was not finished is left out.

    Raises UserError for a log that spn train did not write.
    """
    path = folder / LOG_NAME
    events = []
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict) and isinstance(event.get("event"), str) and type(event.get("step")) is int:
            events.append(event)
        elif number < len(lines) or event is not None:
            raise UserError(
                f"{path}, line {number}: not an event of spn train, which has a name and a step; move the "
                "file away: only the curves of the training need it"
            )
    return events
