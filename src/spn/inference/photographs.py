"""Photographs: any picture as RGB the way a person sees it, and folders of them labelled in turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spn.core.errors import UserError
from spn.inference.scene import KINDS, Ids

if TYPE_CHECKING:
    from torch import Tensor

    from spn.inference.model import Model

SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"}
)
Picture: TypeAlias = "str | Path | Image.Image | NDArray[Any] | Tensor"


class PhotoError(UserError):
    """An image file that cannot be read."""


class Photograph(NamedTuple):
    """A file, and the start of its results' names, without the endings."""

    path: Path
    target: Path


def as_photo(picture: Picture) -> NDArray[np.uint8]:
    """A file, a PIL image, an array uint8 [H, W, 3] (RGB) or a tensor float [3, H, W] in 0..1 (rounded to 8
    bits) as uint8 [H, W, 3].

    Raises PhotoError for a file that is no whole image, ValueError for an array or tensor of another shape or
    type.
    """
    if isinstance(picture, str | Path):
        return _read(Path(picture))
    if isinstance(picture, Image.Image):
        return _as_rgb(ImageOps.exif_transpose(picture))
    shape = tuple(picture.shape)
    whole = len(shape) == 3 and 0 not in shape
    if isinstance(picture, np.ndarray):
        if whole and picture.dtype == np.uint8 and shape[2] == 3:
            return picture
    elif (
        whole and picture.is_floating_point() and shape[0] == 3 and picture.min() >= 0 and picture.max() <= 1
    ):
        levels: NDArray[np.uint8] = (picture.detach().cpu().float() * 255).round().byte().numpy()
        return np.ascontiguousarray(levels.transpose(1, 2, 0))
    raise ValueError(
        f"the picture is {type(picture).__name__} {picture.dtype} {shape}; wanted a file, a PIL image, "
        "an array uint8 [H, W, 3] or a tensor float [3, H, W] in 0..1, RGB; of several, a list"
    )


def find_photographs(places: Sequence[Path], out: Path, *, recursive: bool) -> list[Photograph]:
    """The photographs in files and folders, in order; recursive: also in the folders' subfolders.

    Of photographs whose results would have the same name (a.jpg and a.png), the second keeps its suffix in it
    (a.png_label.png), and further ones (of other folders) get a number. Results of an earlier run into `out`
    are left out. Raises UserError for a place in which there is none.
    """
    photographs: dict[str, Photograph] = {}
    for place in places:
        if place.is_dir():
            files = place.rglob("*") if recursive else place.glob("*")
            photos = sorted(path for path in files if _is_photograph(path, out))
            if not photos:
                hint = "" if recursive else " (--recursive searches subfolders)"
                endings = ", ".join(sorted(SUFFIXES))
                raise UserError(f"{place}: no photographs in this folder{hint}; wanted {endings}")
        elif place.exists():
            photos = [place]
        else:
            raise UserError(f"{place}: no such file or folder")
        for path in photos:
            name = path.relative_to(place) if place.is_dir() else Path(place.name)
            numbered = (out / f"{name}_{number}" for number in itertools.count(2))
            for target in itertools.chain([out / name.with_suffix(""), out / name], numbered):
                seen = str(target).casefold()  # by a file system that ignores case
                if seen not in photographs:
                    photographs[seen] = Photograph(path, target)
                    break
    return list(photographs.values())


def label_photographs(
    model: Model, photographs: Sequence[Photograph], *, ids: Ids = "label-id"
) -> Iterator[PhotoError | None]:
    """Label each photograph and save its scene; yields for each what was wrong with the file, if anything.

    The files of one photograph are written while the next is being looked at.
    """
    with ThreadPoolExecutor(1) as writer:
        writing: Future[list[Path]] = writer.submit(list)
        for path, target in photographs:
            try:
                scene = model.predict(path)
            except PhotoError as error:
                yield error
                continue
            writing.result()
            writing = writer.submit(scene.save, target, ids=ids)
            yield None
        writing.result()


def _is_photograph(path: Path, out: Path) -> bool:
    """Whether it is one by its name, and was not written by an earlier run into `out`."""
    written = out.absolute() in path.absolute().parents and path.stem.rpartition("_")[2] in KINDS
    return path.suffix.lower() in SUFFIXES and not written and path.is_file()


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as opened:
            opened.load()
            return _as_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError as error:
        raise PhotoError(f"{path}: no such file") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path}: cannot be read as an image ({error})") from error


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Any PIL image as uint8 [H, W, 3]: 16 bits are scaled, palettes expanded, transparency on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _eight_bits(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """One channel of more than 8 bits [H, W] → RGB; full scale is 65535, or 1 for floats within 0..1."""
    values = np.nan_to_num(grey.astype(np.float64))
    top = values.max(initial=0)
    full = 1.0 if grey.dtype.kind == "f" and top <= 1 else 255.0 if top <= 255 else 65535.0
    scaled = np.clip(np.round(values * (255 / full)), 0, 255).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)
