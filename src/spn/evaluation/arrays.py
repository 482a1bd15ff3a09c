"""Counts of a domain in an .npz file beside results.json: FOLDER/KIND/KEY_SPLIT_MAP.npz. No torch."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spn.core.files import atomic_path
from spn.evaluation.results import DomainResult, ResultsError


def arrays_path(folder: Path, kind: str, result: DomainResult) -> Path:
    """The file of one domain in an evaluation folder: per_image/cityscapes_val_labelIds.npz."""
    return folder / kind / f"{result.folder_name}.npz"


def write_arrays(folder: Path, kind: str, result: DomainResult, **arrays: NDArray[Any]) -> None:
    """Write named arrays, atomically."""
    with atomic_path(arrays_path(folder, kind, result)) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def read_arrays(folder: Path, kind: str, result: DomainResult, *names: str) -> list[NDArray[Any]] | None:
    """The arrays called `names` in the file of `result`; None if there is no file.

    Raises ResultsError where the file is damaged.
    """
    path = arrays_path(folder, kind, result)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return [stored[name] for name in names]
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        option = "--" + kind.replace("_", "-")
        raise ResultsError(
            f"{path}: damaged ({error}); remove it and evaluate again with {option}"
        ) from error
