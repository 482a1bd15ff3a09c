"""Builds class indexes in parallel and keeps them on disk, keyed by the content they were made from.

The key covers the dataset's fingerprint (files, sizes, times, id map), the settings and the version of the
method: a changed dataset gets a new index, an unchanged one is opened in milliseconds. Files are written
atomically; a damaged one is noticed and made again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from spn.core.files import atomic_path
from spn.core.progress import progress_bar
from spn.sampling.class_index import ClassIndex, ImageEntries, LabelSource, index_label, join_entries
from spn.sampling.config import SamplingConfig

VERSION = 1
"""Raised whenever the same label would give other entries."""

_log = logging.getLogger(__name__)


def open_class_index(
    dataset: LabelSource, config: SamplingConfig, *, workers: int | None = None, progress: bool = True
) -> ClassIndex:
    """The index of `dataset` from the cache, or built and kept; classes without a position are reported."""
    folder = config.cache if config.cache is not None else Path.home() / ".cache" / "spn"
    path = folder / f"class_index_{content_key(dataset, config)}.npz"
    index = read_index(path, images=len(dataset))
    if index is None:
        index = build_class_index(dataset, config, workers=workers, progress=progress)
        _keep(path, index)
    if missing := index.missing():
        _log.warning("no position of %s in any training image: never drawn by class", ", ".join(missing))
    return index


def content_key(dataset: LabelSource, config: SamplingConfig) -> str:
    """A name for exactly this index."""
    facts = (VERSION, dataset.fingerprint(), config.tile, config.positions, config.minimum_pixels)
    return hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()


def build_class_index(
    dataset: LabelSource, config: SamplingConfig, *, workers: int | None = None, progress: bool = True
) -> ClassIndex:
    """Read every label once. Threads, because decoding and counting release the interpreter's lock."""

    def entries(index: int) -> ImageEntries:
        return index_label(
            dataset.read_label(index),
            tile=config.tile,
            positions=config.positions,
            minimum_pixels=config.minimum_pixels,
            seed=index,
        )

    parts = []
    with progress_bar(disable=not progress) as bar, ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        task = bar.add_task("class index", total=len(dataset), status="")
        try:
            for part in pool.map(entries, range(len(dataset))):
                parts.append(part)
                bar.advance(task)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return join_entries(parts, positions=config.positions)


def write_index(path: Path, index: ClassIndex) -> None:
    """Write `index` as .npz, atomically."""
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary, image=index.image, class_id=index.class_id, points=index.points, pixels=index.pixels
        )


def read_index(path: Path, *, images: int) -> ClassIndex | None:
    """The index at `path`; None if there is none or it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            index = ClassIndex(
                arrays["image"], arrays["class_id"], arrays["points"], arrays["pixels"], images=images
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("the class index %s cannot be read (%s): it is made again", path, error)
        return None
    if not len(index.image) == len(index.class_id) == len(index.points):
        _log.warning("the class index %s is inconsistent: it is made again", path)
        return None
    return index


def _keep(path: Path, index: ClassIndex) -> None:
    try:
        write_index(path, index)
    except OSError as error:
        _log.warning(
            "the class index cannot be kept at %s (%s); sampling.cache sets another folder", path, error
        )
