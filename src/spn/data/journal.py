"""What a check has read so far, one line per pair: an interrupted check continues from here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from spn.data.inspection import PairRecord

SUFFIX: Final = ".journal"


class Journal:
    """An append-only file beside the manifest. Only lines of the same reader are used again.

    A line that was cut off by an interruption is passed over.
    """

    def __init__(self, manifest: Path, *, reader: str) -> None:
        self.path = manifest.with_name(manifest.name + SUFFIX)
        self._reader = reader

    def read(self) -> dict[str, PairRecord]:
        """The records by key of the pair; later lines win."""
        records: dict[str, PairRecord] = {}
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return records
        for line in text.splitlines():
            try:
                reader, values = json.loads(line)
                record = PairRecord.from_json(values)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if reader == self._reader:
                records[record.key] = record
        return records

    def append(self, record: PairRecord) -> None:
        """One whole line at once. The leading line break ends a line that was cut off before."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("\n" + json.dumps([self._reader, record.to_json()], ensure_ascii=False))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
