"""Folders of photographs: which there are, where their results go, and labelling them one after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spn.core.errors import UserError
from spn.inference.photo import SUFFIXES, PhotoError, read_photo
from spn.inference.scene import KINDS, Ids

if TYPE_CHECKING:
    from spn.inference.model import Model


class Photograph(NamedTuple):
    """A file, and the start of its results' names, without the endings."""

    path: Path
    target: Path


def find_photographs(places: Sequence[Path], out: Path, *, recursive: bool) -> list[Photograph]:
    """The photographs in files and folders, in order; recursive: also in the folders' subfolders.

    Of photographs whose results would have the same name (a.jpg and a.png), the second keeps its suffix in it
    (a.png_label.png), and further ones (of other folders) get a number. Results of an earlier run into `out`
    are left out. Raises UserError for a place in which there is none.
    """
    found: list[tuple[Path, Path]] = []
    for place in places:
        if place.is_dir():
            files = place.rglob("*") if recursive else place.glob("*")
            photos = sorted(
                path
                for path in files
                if path.suffix.lower() in SUFFIXES and not _is_result(path, out) and path.is_file()
            )
            if not photos:
                hint = "" if recursive else " (--recursive searches subfolders)"
                endings = ", ".join(sorted(SUFFIXES))
                raise UserError(f"{place}: no photographs in this folder{hint}; wanted {endings}")
            found += [(path, path.relative_to(place)) for path in photos]
        elif place.exists():
            found.append((place, Path(place.name)))
        else:
            raise UserError(f"{place}: no such file or folder")
    taken: set[str] = set()
    photographs = []
    for path, name in found:
        numbered = (out / f"{name}_{number}" for number in itertools.count(2))
        names = itertools.chain([out / name.with_suffix(""), out / name], numbered)
        target = next(target for target in names if str(target).casefold() not in taken)
        taken.add(str(target).casefold())  # as a file system that ignores case sees it
        photographs.append(Photograph(path, target))
    return photographs


def label_photographs(
    model: Model, photographs: Sequence[Photograph], *, ids: Ids = "label-id"
) -> Iterator[PhotoError | None]:
    """Label each photograph and save its scene; yields for each what was wrong with the file, if anything.

    The files of one photograph are written while the next is being looked at.
    """
    with ThreadPoolExecutor(1) as writer:
        writing: Future[list[Path]] | None = None
        for path, target in photographs:
            try:
                image = read_photo(path)
            except PhotoError as error:
                yield error
                continue
            scene = model.predict(image)
            if writing is not None:
                writing.result()
            writing = writer.submit(scene.save, target, ids=ids)
            yield None
        if writing is not None:
            writing.result()


def _is_result(path: Path, out: Path) -> bool:
    """Whether a file was written by an earlier run into the same place."""
    inside = out.absolute() in path.absolute().parents
    return inside and path.stem.rpartition("_")[2] in KINDS
