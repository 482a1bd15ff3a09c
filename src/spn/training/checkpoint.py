"""Checkpoints of a running training: a folder per step that is there whole or not at all.

step_000500/model.safetensors holds the network (and its configuration, so that it can be evaluated);
step_000500/state.pt the rest: optimiser, averages, counters. It is read with `weights_only=True`: nothing in
it is executed. The random state needs no place: every random number follows from the seed and the step.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from spn.core.errors import CheckpointError

WEIGHTS = "model.safetensors"
STATE = "state.pt"
_STEP_FOLDER = re.compile(r"step_(\d{6,})")


class Checkpoints:
    """The checkpoints in `folder`; the newest `keep` stay."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps there are, ascending."""
        if not self.folder.is_dir():
            return []
        matches = (_STEP_FOLDER.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def path(self, step: int) -> Path:
        return self.folder / f"step_{step:06d}"

    def save(self, step: int, *, write_weights: Callable[[Path], None], state: Mapping[str, Any]) -> Path:
        """Write both files beside their place, flush them, rename the folder; then drop the oldest."""
        target = self.path(step)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
            try:
                write_weights(temporary / WEIGHTS)
                buffer = io.BytesIO()  # torch.save into a file hides that the disk is full
                torch.save(dict(state), buffer)
                with open(temporary / STATE, "wb") as file:
                    file.write(buffer.getbuffer())
                    file.flush()
                    os.fsync(file.fileno())
                _flush_folder(temporary)
                temporary.chmod(0o755)
                os.replace(temporary, target)
                _flush_folder(self.folder)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        for old in self.steps()[: -self.keep]:
            self.remove(old)
        return target

    def remove(self, step: int) -> None:
        """Rename first, so that a stop in between leaves no half checkpoint under a valid name."""
        doomed = self.folder / f".removing-{step:06d}"
        os.replace(self.path(step), doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def clean(self) -> None:
        """Remove what an interrupted process left half done."""
        for pattern in (".writing-*", ".removing-*"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)

    def load_state(self, step: int) -> dict[str, Any]:
        """The content of state.pt on the CPU. Raises CheckpointError if it cannot be read safely."""
        with _explained(self.path(step) / STATE, "holds more than plain values and could run code"):
            state: dict[str, Any] = torch.load(self.path(step) / STATE, map_location="cpu", weights_only=True)
        return state

    def load_weights(self, step: int, *, network: nn.Module) -> None:
        """Load the network's weights strictly. Raises CheckpointError."""
        with _explained(
            self.path(step) / WEIGHTS, "does not fit the network of this run (and pickles are never loaded)"
        ):
            network.load_state_dict(load_file(self.path(step) / WEIGHTS))


@contextlib.contextmanager
def _explained(path: Path, otherwise: str) -> Iterator[None]:
    """What goes wrong in reading `path` as a CheckpointError; `otherwise`: what it is if not damaged."""
    try:
        yield
    except (OSError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} is damaged, or {otherwise}: it was not loaded ({first_line}); remove "
            f"the folder {path.parent.name} to continue from the checkpoint before it"
        ) from error


def _flush_folder(folder: Path) -> None:
    """Make the folder's entries durable where the system allows it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
