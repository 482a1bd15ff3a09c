"""Counts of a domain in an .npz file beside results.json: FOLDER/KIND/KEY_SPLIT_MAP.npz. No torch."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spn.core.files import atomic_path
from spn.evaluation.results import DomainResult, ResultsError, folder_name


def arrays_path(folder: Path, kind: str, *, key: str, split: str, map_name: str) -> Path:
    """The file of one domain in an evaluation folder: per_image/cityscapes_val_labelIds.npz."""
    return folder / kind / f"{folder_name(key, split, map_name)}.npz"


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays, atomically."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def read_arrays(
    folder: Path, kind: str, result: DomainResult, *, names: tuple[str, ...], what: str, option: str
) -> list[NDArray[Any]] | None:
    """The arrays called `names` in the file of `result`; None if there is no file.

    Raises ResultsError where the file is damaged: it holds no `what`, which `option` of spn evaluate writes.
    """
    path = arrays_path(folder, kind, key=result.key, split=result.split, map_name=result.map_name)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return [stored[name] for name in names]
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise ResultsError(
            f"{path}: not a file of {what} ({error}); remove it and evaluate again with {option}"
        ) from error
