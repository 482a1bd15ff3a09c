"""The run folder: which training it belongs to, and where it came from.

config.json is the resolved configuration. A folder belongs to one configuration: repeating the command
continues, another configuration is refused with the list of differences.
"""

from __future__ import annotations

import contextlib
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from spn.core.errors import UserError
from spn.core.files import read_json, sole_process, write_json
from spn.core.records import flattened, from_plain, to_plain
from spn.core.version import __version__
from spn.inference.weights import WEIGHTS_NAME
from spn.training.config import TrainConfig, resolved
from spn.training.v1 import upgraded_config
from spn.training.writer import Training

CONFIG: Final = "config.json"
PROVENANCE: Final = "provenance.json"
LOCK: Final = ".lock"
FREE: Final = ("out", "schedule.checkpoint_every", "sampling.cache")
"""Settings that may change between a start and its continuation, besides those of the machine."""


def check_folder(config: TrainConfig) -> None:
    """Raise UserError if the run folder holds weights of another configuration. Writes nothing."""
    path = config.out / CONFIG
    if not _holds_weights(config.out):
        return
    if not path.is_file():
        raise UserError(f"{config.out} holds weights but no {CONFIG}; choose another --out")
    try:
        values = upgraded_config(read_json(path))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); wanted the record of a run of spn train"
        ) from error
    stored = resolved(
        from_plain(TrainConfig, values, where=str(path))
    )  # version 1 recorded what was asked for
    if differences := list_differences(to_plain(stored), to_plain(config)):
        raise UserError(
            f"{config.out} holds a training with other settings:\n  "
            + "\n  ".join(differences)
            + "\nChoose another --out, remove the folder, or repeat the command with the old settings."
        )


@contextlib.contextmanager
def claimed(config: TrainConfig) -> Iterator[None]:
    """Within, no other process trains into the run folder, which holds this configuration.

    Two would write over each other's checkpoints.
    """
    taken = f"another process is training into {config.out}; wait for it, stop it, or choose another --out"
    with sole_process(config.out / LOCK, taken=taken):
        check_folder(config)
        if not _holds_weights(config.out):
            write_json(config.out / CONFIG, to_plain(config))
            (config.out / PROVENANCE).unlink(missing_ok=True)
        yield


def list_differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """One line per setting that differs and matters: `name: stored -> wanted`."""
    old, new = flattened(stored), flattened(wanted)
    return [
        f"{name}: {old.get(name, 'absent')} -> {new.get(name, 'absent')}"
        for name in sorted(set(old) | set(new))
        if old.get(name) != new.get(name)
        and name not in FREE
        and (not name.startswith("runtime.") or name == "runtime.precision")
    ]


def write_provenance(training: Training, *, device: str, split_hashes: Mapping[str, str | None]) -> None:
    """Code revision, versions and data of this start; the file of the first start stays."""
    path = training.config.out / PROVENANCE
    if not path.is_file():
        facts = {
            "spn": __version__,
            "revision": code_revision(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "device": device,
            "world_size": training.fabric.world_size,
            "data": training.fingerprint,
            "split_hashes": dict(split_hashes),
        }
        write_json(path, facts)


def code_revision() -> str | None:
    """The git commit of the running code, "+changes" if files differ from it; None outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _holds_weights(folder: Path) -> bool:
    return (folder / WEIGHTS_NAME).is_file() or any(folder.glob("checkpoints/step_*"))
