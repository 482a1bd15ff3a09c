"""Files of results: what they are called, and whose they are: nobody else's are replaced.

Each carries who wrote it and, as a digest, of which photograph or video.
"""

import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import Final, Literal

from spn.core.errors import UserError
from spn.core.files import write_bytes

Kind = Literal["label", "overlay", "uncertainty", "disagreement", "probabilities"]
USUAL: Final[tuple[Kind, ...]] = ("label", "overlay", "uncertainty", "disagreement")
"""Of photographs, what is written unless something else is asked for."""
SUFFIXES: Final[dict[str, str]] = {**dict.fromkeys(USUAL, ".png"), "probabilities": ".npz"}
FILM: Final = ".mp4"
"""Suffix of overlays of videos."""
LEGEND: Final = "legend.png"
CLASS_TABLE: Final = "classes.csv"
CLASS_HEADER: Final = "train_id,label_id,class,colour"
TABLE_STARTS: Final = ("photograph,frame,seconds,", '[\n{"photograph": ')
"""Of the files of `--table`."""
_SIGNATURE: Final = b"Software SPN"
_ADVICE: Final = "choose another folder with --out, or move it away"


class PhotoError(UserError):
    """A photograph or video that cannot be read, or whose results cannot be written, because their place is
    taken."""


def signature(source: Path | None) -> bytes:
    """The text that marks results, of one photograph or video: where it is from, as a digest."""
    place = os.fsencode(source.resolve()) if source else b""
    return _SIGNATURE + b" Source " + hashlib.blake2s(place, digest_size=8).hexdigest().encode()


def write_png(path: Path, png: bytes, *, source: Path | None = None) -> None:
    """Write the bytes of a PNG, with the signature behind its header."""
    software, name, origin, digest = signature(source).split()
    texts = [software + b"\0" + name, origin + b"\0" + digest]
    chunks = b"".join(
        struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
        for text in texts
    )
    write_bytes(path, png[:33] + chunks + png[33:])


def result_path(target: str | Path, kind: str, suffix: str | None = None) -> Path:
    """The file of one kind of result; too long a name is cut and gets a digest of the rest."""
    path = Path(target)
    name = os.fsencode(path.name)
    if len(name) > 255 - len("_overlay.partial-00000000.mp4"):
        digest = hashlib.blake2s(name, digest_size=4).hexdigest()
        name = os.fsencode(f"{name[:200].decode(errors='ignore')}_{digest}")
    return path.with_name(f"{os.fsdecode(name)}_{kind}{suffix or SUFFIXES[kind]}")


def check_free(target: str | Path, *, source: Path | None = None) -> None:
    """Raises PhotoError if a result would replace a file that is none, or one of another source."""
    for path in (*(result_path(target, kind) for kind in SUFFIXES), result_path(target, "overlay", FILM)):
        marks = _marks(path)
        if marks and _SIGNATURE not in marks:
            raise PhotoError(f"{path} is there and was not written by this version of SPN; {_ADVICE}")
        if marks and source and signature(source).split()[-1] not in marks:
            raise PhotoError(f"{path} is the result of another photograph or video; {_ADVICE}")


def check_ours(path: Path) -> None:
    """Raises UserError if there is a file which is no result."""
    if path.exists() and not is_result(path):
        raise UserError(f"{path} is there and was not written by this version of SPN; {_ADVICE}")


def is_result(path: Path) -> bool:
    """Whether a file was written by `spn predict` or `Scene.save`."""
    if path.suffix in (".csv", ".json"):
        starts = (CLASS_HEADER, *TABLE_STARTS)
        return _marks(path).startswith(tuple(start.encode() for start in starts))
    return path.suffix in (".png", ".npz", FILM) and _SIGNATURE in _marks(path)


def _marks(path: Path) -> bytes:
    """The first and last bytes, in one of which is the signature; none if there is no such file."""
    try:
        with open(path, "rb") as file:
            first = file.read(4096)
            file.seek(max(len(first), os.fstat(file.fileno()).st_size - 200))
            return (first + file.read()).replace(b"\0", b" ")  # a PNG separates the words by it
    except FileNotFoundError:
        return b""
