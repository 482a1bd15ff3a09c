"""The run folder: which training it belongs to, and where it came from.

config.json is the resolved configuration. A folder belongs to one configuration: repeating the command
continues, another configuration is refused with the list of differences.
"""

from __future__ import annotations

import contextlib
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spn.core.errors import UserError
from spn.core.files import read_json, sole_process, write_json
from spn.core.records import flattened, from_plain, to_plain
from spn.core.version import __version__
from spn.inference.weights import WEIGHTS_NAME
from spn.training.config import TrainConfig
from spn.training.resolve import resolved
from spn.training.v1 import upgraded_config

CONFIG = "config.json"
PROVENANCE = "provenance.json"
LOCK = ".lock"
FREE = ("out", "schedule.checkpoint_every", "sampling.cache")
"""Settings that may change between a start and its continuation, besides those of the machine."""


def check_folder(config: TrainConfig) -> None:
    """Raise UserError if the run folder holds weights of another configuration. Writes nothing."""
    if not _holds_weights(config.out):
        return
    path = config.out / CONFIG
    if not path.is_file():
        raise UserError(f"{config.out} holds weights but no {CONFIG}; choose another --out")
    stored = read_config(config.out)
    differences = list_differences(to_plain(stored), to_plain(config))
    if differences:
        raise UserError(
            f"{config.out} holds a training with other settings:\n  "
            + "\n  ".join(differences)
            + "\nChoose another --out, remove the folder, or repeat the command with the old settings."
        )


def read_config(folder: Path) -> TrainConfig:
    """The configuration that the run in `folder` was trained with; of version 1, what its method made of it.

    Raises:
        UserError: where there is none, or it is damaged.
    """
    path = folder / CONFIG
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); wanted the configuration of a run of spn train"
        ) from error
    return resolved(from_plain(TrainConfig, upgraded_config(values), where=str(path)))


def only_training(out: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps every other process from training into `out`: two would write over each other's checkpoints."""
    taken = f"another process is training into {out}; wait for it, stop it, or choose another --out"
    return sole_process(out / LOCK, taken=taken)


def claim_folder(config: TrainConfig) -> None:
    """Write the configuration into the run folder, unless it is being continued."""
    check_folder(config)
    if not _holds_weights(config.out):
        write_json(config.out / CONFIG, to_plain(config))
        (config.out / PROVENANCE).unlink(missing_ok=True)


def list_differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """One line per setting that differs and matters: `name: stored -> wanted`."""
    old, new = flattened(stored), flattened(wanted)
    return [
        f"{name}: {old.get(name, 'absent')} -> {new.get(name, 'absent')}"
        for name in sorted(set(old) | set(new))
        if old.get(name) != new.get(name) and not _free(name)
    ]


def write_provenance(
    config: TrainConfig,
    *,
    fingerprint: str,
    world_size: int,
    device: str,
    split_hashes: Mapping[str, str | None],
) -> None:
    """Code revision, versions and data of this start; the file of the first start stays."""
    path = config.out / PROVENANCE
    if path.is_file():
        return
    write_json(
        path,
        {
            "spn": __version__,
            "revision": code_revision(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "device": device,
            "world_size": world_size,
            "data": fingerprint,
            "split_hashes": dict(split_hashes),
        },
    )


def code_revision() -> str | None:
    """The git commit of the running code, "+changes" if files differ from it; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changes else commit


def _holds_weights(folder: Path) -> bool:
    return (folder / WEIGHTS_NAME).is_file() or any(folder.glob("checkpoints/step_*"))


def _free(name: str) -> bool:
    return name in FREE or (name.startswith("runtime.") and name != "runtime.precision")
