"""Files that appear whole or not at all, written beside their place, flushed, then renamed; JSON and TOML."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import secrets
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from spn.core.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl


SIMULATION: Final = "spn_simulation.json"
"""In the root of a dataset that `spn simulate` rendered: how. Its images are drawings, and results say so."""


def user_cache() -> Path:
    """The folder for what may be lost: in the user's home, or where there is none beside temporary files."""
    try:
        home = Path.home()
    except RuntimeError:  # a container's user without an entry
        home = Path(tempfile.gettempdir())
    return home / ".cache" / "spn"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it replaces `path`, on failure it is removed.

    The temporary name keeps the suffix of `path`, because writers choose a format by it. Write to it through
    Python or numpy, which notice a full disk; OpenCV reports success after a short write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".spn-{secrets.token_hex(4)}{path.suffix[-16:]}")
    try:
        yield temporary
        _put(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = os.fspath(path)  # a failed write does not say where
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def growing_path(path: Path) -> Iterator[Path]:
    """As `atomic_path`, for a file that is of use while it grows, as a video is.

    A killed process leaves it under its temporary name, which can be seen: street.partial-1a2b3c4d.mp4. So
    does a failure. What was written replaces `path` also where the block was left on request: Ctrl-C,
    SIGTERM, a generator that is closed. A block that writes nothing leaves nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.partial-{secrets.token_hex(4)}{path.suffix}")
    failed = False
    try:
        yield temporary
    except Exception:
        failed = True
        raise
    finally:
        if temporary.exists() and not temporary.stat().st_size:
            temporary.unlink()
        elif temporary.exists() and failed:
            logging.getLogger(__name__).warning("what was written until then is in %s", temporary)
        elif temporary.exists():
            _put(temporary, path)


def _put(temporary: Path, path: Path) -> None:
    """Flush a file that is written, and rename it."""
    with open(temporary, "rb") as written:
        os.fsync(written.fileno())
    os.replace(temporary, path)


@contextlib.contextmanager
def sole_process(path: Path, *, taken: str | None = None) -> Iterator[None]:
    """Nobody else comes past here with the same `path`, a folder or a file that stays, until the block ends.

    The operating system lets go of it however the process ends. If another process holds it, raises
    UserError(`taken`), or waits where that is None. Where files cannot be locked (Windows, some network
    drives), nothing is held.
    """
    if fcntl is None and path.is_dir():
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    held = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
            except BlockingIOError as error:
                raise UserError(taken) from error
            except OSError:
                pass
        yield
    finally:
        os.close(held)


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Make `folder`; no other process writes into it until the block ends. Raises UserError if one does."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = f"another process is writing into {folder}; wait for it, or choose another --out"
    with sole_process(folder, taken=taken):
        yield


def is_foreign(path: Path, signature: bytes) -> bool:
    """Whether there is a file that is not empty and does not hold `signature`: not to be replaced."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    return bool(data) and signature not in data


def refuse_foreign(path: Path, signature: bytes) -> None:
    """Raises UserError if `is_foreign`."""
    if is_foreign(path, signature):
        raise UserError(
            f"{path} is there and was not written by this command of this version of SPN; move it away, or "
            "choose another place"
        )


def list_files(folder: Path, *, recursive: bool) -> list[Path]:
    """The files in a folder, sorted, hidden ones left out; folders that are links are followed, once each."""
    found: list[Path] = []
    seen: set[str] = set()
    for where, subfolders, names in os.walk(folder, followlinks=True, onerror=_passed_over):
        real = os.path.realpath(where)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        if real in seen or not recursive:
            subfolders.clear()
        if real not in seen:
            found += [Path(where, name) for name in names if not name.startswith(".")]
        seen.add(real)
    return sorted(path for path in found if path.is_file())


def _passed_over(error: OSError) -> None:
    logging.getLogger(__name__).warning("%s cannot be read (%s): passed over", error.filename, error.strerror)


def file_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of the bytes of `path`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(data: bytes | memoryview, *, size: int = 16) -> str:
    """The hexadecimal BLAKE2b of `data`, of `size` bytes: what identifies contents, names and settings."""
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def to_bytes(text: str) -> bytes:
    """`text` as UTF-8; the bytes of file names that are not UTF-8 as they are on disk."""
    return text.encode("utf-8", "surrogateescape")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically; what it cannot hold (of file names) is escaped as in JSON."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_text(path: Path) -> str:
    """A text file that a person wrote, without a byte order mark. Raises UserError unless it is UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (at byte {error.start}); save it again as UTF-8") from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN is refused: absent figures are `null`."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """What the file holds. Raises ValueError for what is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file by name; nothing in it is executed. Raises ValueError if it is damaged."""
    import numpy as np  # no other file needs it

    data = io.BytesIO(path.read_bytes())
    try:
        with np.load(data, allow_pickle=False) as stored:
            return dict(stored)
    except Exception as error:  # zip, deflate and numpy raise many kinds
        raise ValueError(str(error) or type(error).__name__) from error


def encode_json(value: Any) -> bytes:
    """Plain values, and structures of msgspec, in one line; file names that are not UTF-8 are escaped."""
    return json.dumps(msgspec.to_builtins(value, str_keys=True)).encode()


def decode_json(data: bytes | memoryview, kind: Any) -> Any:
    """What `encode_json` was given. Raises ValueError where it is something else."""
    return msgspec.convert(json.loads(bytes(data)), kind, str_keys=True)


def parse_toml(text: str, *, source: object) -> dict[str, Any]:
    """The values in `text`. Raises UserError, which names `source`, for what is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source}: not valid TOML ({error})") from error


def to_toml(table: Mapping[str, Any], *, comments: Mapping[str, str] | None = None) -> str:
    """`table` (nested mappings of plain values, as `to_plain` gives) as TOML.

    comments: text by dotted field name, written at the end of the field's line. A field that is None is a
    comment, and reads back as not given. Raises TypeError for what TOML cannot hold.
    """
    return "\n".join(_lines(table, comments=comments or {}, path=())).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], *, comments: Mapping[str, str], path: tuple[str, ...]) -> list[str]:
    """The table's own fields, then its tables: in TOML a field after a table would belong to that table."""
    lines = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            continue
        line = f"# {key} is not set" if value is None else f"{key} = {_literal(value)}"
        comment = comments.get(".".join((*path, key)))
        lines.append(f"{line}  # {comment}" if comment else line)
    for key, value in table.items():
        if isinstance(value, Mapping):
            below = (*path, key)
            lines += ["", f"[{'.'.join(below)}]", *_lines(value, comments=comments, path=below)]
    return lines


def _literal(value: Any) -> str:
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML basic string
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, Mapping):  # inside a list
        return f"{{{', '.join(f'{key} = {_literal(item)}' for key, item in value.items())}}}"
    raise TypeError(f"cannot write {value!r} ({type(value).__name__}) as TOML")
