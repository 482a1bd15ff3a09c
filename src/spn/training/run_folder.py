"""The run folder: which training it belongs to, where it came from, and how far it is.

config.json is the resolved configuration. A folder belongs to one configuration: repeating the command
continues, another configuration is refused with the list of differences.

A checkpoint is a folder per step that is there whole or not at all. step_000500/model.safetensors holds the
network (and its configuration, so that it can be evaluated); step_000500/state.pt the rest: optimiser,
averages, counters. It is read with `weights_only=True`: nothing in it is executed. The random state needs no
place: every random number follows from the seed and the step.
"""

import contextlib
import io
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from torch import nn

from spn.core.errors import CheckpointError, UserError
from spn.core.files import read_json, sole_process, write_bytes, write_json
from spn.core.records import flattened, from_plain, to_plain
from spn.core.run_log import LOG_NAME
from spn.core.version import __version__
from spn.inference.weights import WEIGHTS_NAME
from spn.training.config import TrainConfig, resolved, upgraded_config

CONFIG: Final = "config.json"
PROVENANCE: Final = "provenance.json"
FREE: Final = ("out", "schedule.checkpoint_every", "sampling.cache", "model.num_classes")
"""Settings that may change between a start and its continuation, besides those of the machine; and what
follows from the data, by whose fingerprint a continuation knows them."""
STATE: Final = "state.pt"


def check_folder(config: TrainConfig) -> None:
    """Raise UserError if the run folder holds weights of another configuration, or files of somebody else.

    Writes nothing.
    """
    path = config.out / CONFIG
    there = [name for name in (WEIGHTS_NAME, CONFIG, LOG_NAME, PROVENANCE) if (config.out / name).exists()]
    if not there and not _holds_weights(config.out):
        return
    try:
        record = read_json(path)
        if not isinstance(record, dict) or not {"data", "schedule", "model"} <= record.keys():
            raise ValueError("it is something else")
        if not _holds_weights(config.out):
            return
        stored = resolved(
            from_plain(TrainConfig, upgraded_config(record))
        )  # of version 1, as it was asked for
    except (OSError, ValueError, TypeError, AttributeError, KeyError, UserError) as error:
        raise UserError(
            f"{config.out} holds {', '.join(there) or 'checkpoints'}, but {path} cannot be read ({error}); "
            "wanted the record of a run of spn train: choose another --out"
        ) from error
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
    with sole_process(config.out / ".lock", taken=taken):
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


def write_provenance(folder: Path, **facts: object) -> None:
    """Code revision, versions and `facts` of this start; the file of the first start stays.

    revision: the git commit of the running code, "+changes" if files differ; null outside a checkout.
    """
    if (folder / PROVENANCE).is_file():
        return
    revision = None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
        here = Path(__file__).parent
        revision = subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    versions = {"spn": __version__, "python": platform.python_version(), "torch": torch.__version__}
    write_json(folder / PROVENANCE, {**versions, "revision": revision, **facts})


def _holds_weights(folder: Path) -> bool:
    return (folder / WEIGHTS_NAME).is_file() or any(folder.glob("checkpoints/step_*"))


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in `folder`; the newest `keep` stay."""

    folder: Path
    keep: int

    def steps(self) -> list[int]:
        """The steps there are, ascending."""
        names = (path.name.removeprefix("step_") for path in self.folder.glob("step_*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def path(self, step: int) -> Path:
        return self.folder / f"step_{step:06d}"

    def save(self, step: int, *, write_weights: Callable[[Path], None], state: Mapping[str, Any]) -> None:
        """Write both files beside their place, flush them, rename the folder; then drop the oldest."""
        target = self.path(step)
        if not target.exists():
            temporary = self.folder / f".writing-{step:06d}"
            temporary.mkdir(parents=True)
            try:
                write_weights(temporary / WEIGHTS_NAME)
                buffer = io.BytesIO()  # torch.save into a file hides that the disk is full
                torch.save(dict(state), buffer)
                write_bytes(temporary / STATE, buffer.getvalue())
                _flush_folder(temporary)
                os.replace(temporary, target)
                _flush_folder(self.folder)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        for old in self.steps()[: -self.keep]:
            doomed = self.folder / f".removing-{old:06d}"  # never half of one under its name
            os.replace(self.path(old), doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def clean(self) -> None:
        """Remove what an interrupted process left half done."""
        for pattern in (".writing-*", ".removing-*"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)

    def load(self, step: int, *, network: nn.Module) -> None:
        """Load the weights strictly. Raises CheckpointError."""
        path = self.path(step) / WEIGHTS_NAME
        with _readable(path, otherwise="does not fit the network (and pickles are never loaded)"):
            network.load_state_dict(safetensors.torch.load(path.read_bytes()))

    def state(self, step: int) -> dict[str, Any]:
        """What state.pt holds, on the CPU. Raises CheckpointError."""
        path = self.path(step) / STATE
        with _readable(path, otherwise="holds more than plain values and could run code"):
            state: dict[str, Any] = torch.load(
                io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True
            )
        return state


@contextlib.contextmanager
def _readable(path: Path, *, otherwise: str) -> Iterator[None]:
    """Raises CheckpointError, which names `path`, for whatever is raised inside."""
    try:
        yield
    except Exception as error:  # damaged bytes make torch raise many kinds
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} is damaged, or {otherwise}: it was not loaded ({first_line}); remove "
            f"the folder {path.parent.name} to continue from the checkpoint before it"
        ) from error


def _flush_folder(folder: Path) -> None:
    """Make the folder's entries durable where the system allows it."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
