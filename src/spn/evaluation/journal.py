"""What an evaluation of one domain has counted so far: after an interruption it continues from here.

Images are counted in blocks of consecutive indices. Each rank keeps one small file with the blocks it has
finished and their confusion matrix. The files are atomic, carry a digest, and name exactly what was being
measured; any that is damaged or of something else is ignored with a message. No torch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spn.core.files import read_json, write_json
from spn.evaluation.calibration import ConfidenceCounter
from spn.evaluation.confusion import ConfusionMatrix
from spn.evaluation.per_image import ImageCounter
from spn.evaluation.results import SampleRecord

_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """blocks: those finished. confusion: the counts of their images. samples: those of them written.

    images, confidences: counts per image and of confidences, empty where nobody asked for them.
    """

    confusion: ConfusionMatrix
    blocks: set[int] = field(default_factory=set)
    samples: list[SampleRecord] = field(default_factory=list)
    images: ImageCounter = field(default_factory=ImageCounter)
    confidences: ConfidenceCounter = field(default_factory=ConfidenceCounter)

    def include(self, other: Tally) -> None:
        """Add the counts of other blocks."""
        self.confusion.counts += other.confusion.counts
        self.images.rows |= other.images.rows
        self.confidences.counts += other.confidences.counts
        self.blocks |= other.blocks
        self.samples += other.samples


class Journal:
    """The tallies in `folder`, all for one `identity` (plain values: weights, protocol, data, …).

    every: at least so many seconds pass between two notes of a rank.
    """

    def __init__(self, folder: Path, *, identity: Mapping[str, Any], every: float) -> None:
        self.folder = folder
        self._identity = dict(identity)
        self._every = every
        self._noted = time.monotonic()

    def read(self, *, classes: int) -> Tally:
        """The sum of all usable files.

        Fullest first: an interrupted `restart` leaves files whose blocks are in the new one, too.
        """
        found = [self._read_file(path, classes) for path in sorted(self.folder.glob("rank_*.json"))]
        total = Tally(ConfusionMatrix(classes))
        for tally in sorted((t for t in found if t), key=lambda tally: -len(tally.blocks)):
            if not tally.blocks & total.blocks:
                total.include(tally)
        return total

    def restart(self, tally: Tally) -> None:
        """Keep what was read in the file of the first rank alone, since the number of ranks may change."""
        if tally.blocks:
            self._write(0, tally)
        for path in self.folder.glob("rank_*.json"):
            if path != self._path(0) or not tally.blocks:
                path.unlink()

    def note(self, rank: int, tally: Tally) -> None:
        """Replace the file of `rank` if it is time to."""
        if time.monotonic() - self._noted >= self._every:
            self._write(rank, tally)
            self._noted = time.monotonic()

    def remove(self) -> None:
        """Forget everything: the domain is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, rank: int) -> Path:
        return self.folder / f"rank_{rank}.json"

    def _write(self, rank: int, tally: Tally) -> None:
        content = {
            "identity": self._identity,
            "blocks": sorted(tally.blocks),
            "confusion": tally.confusion.counts.tolist(),
            "images": tally.images.to_plain(),
            "confidences": tally.confidences.counts.tolist(),
            "samples": [asdict(sample) for sample in tally.samples],
        }
        write_json(self._path(rank), {"digest": _digest(content), "content": content})

    def _read_file(self, path: Path, classes: int) -> Tally | None:
        try:
            stored = read_json(path)
            content = stored["content"]
            if stored["digest"] != _digest(content):
                raise ValueError("its digest does not fit")
            if content["identity"] != self._identity:
                _log.warning("%s is of other weights, data or settings: it is ignored", path)
                return None
            tally = Tally(ConfusionMatrix(classes), images=ImageCounter.from_plain(content["images"]))
            tally.confusion.counts += np.asarray(content["confusion"], np.int64)
            tally.confidences.counts += np.asarray(content["confidences"], np.int64)
            tally.blocks = set(content["blocks"])
            tally.samples = [SampleRecord(**sample) for sample in content["samples"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be used (%s): its images are evaluated again", path, error)
            return None
        return tally


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
