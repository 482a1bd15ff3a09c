"""Photographs: any picture as RGB the way a person sees it, and folders of them labelled in turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spn.core.errors import UserError
from spn.core.files import list_files
from spn.inference.scene import Ids, PhotoError, check_free, is_result

if TYPE_CHECKING:
    from torch import Tensor

    from spn.inference.model import Model

_SUFFIXES: Final = "png jpg jpeg jfif jpe mpo jp2 bmp tif tiff webp ppm pgm pbm pnm gif avif avifs heic heif"
SUFFIXES: Final = frozenset(f".{name}" for name in _SUFFIXES.split()) & Image.registered_extensions().keys()
"""Of photographs; those of AVIF and HEIC where Pillow, or a plug-in that was imported, reads them."""
Picture: TypeAlias = "str | Path | Image.Image | NDArray[Any] | Tensor"


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


def find_photographs(
    places: Sequence[Path], out: Path, *, recursive: bool
) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """The photographs in files and folders, in order; recursive: also in the folders' subfolders.

    Of photographs whose results would have the same name (a.jpg and a.png), the second keeps its suffix in it
    (a.png_label.png), and further ones (of other folders) get a number.

    Returns:
        The photographs, each with the start of its results' names; and the files in folders that were passed
        over, no photographs by their names. Hidden files and results of earlier runs are in neither.

    Raises:
        UserError: no place was named, or there is no photograph in one.
    """
    if not places:
        raise UserError("no photograph was named; name files or folders, for example: spn predict photos/")
    photographs: dict[str, tuple[Path, Path]] = {}
    passed: list[Path] = []
    for place in places:
        if place.is_dir():
            files = [path for path in list_files(place, recursive=recursive) if not is_result(path)]
            photos = [path for path in files if path.suffix.lower() in SUFFIXES]
            passed += [path for path in files if path.suffix.lower() not in SUFFIXES]
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
            targets = itertools.chain([out / name.with_suffix(""), out / name], numbered)
            target = next(one for one in targets if str(one).casefold() not in photographs)
            photographs[str(target).casefold()] = path, target  # as a file system that ignores case sees it
    return list(photographs.values()), passed


def label_photographs(
    model: Model, photographs: Sequence[tuple[Path, Path]], *, ids: Ids = "label-id"
) -> Iterator[UserError | None]:
    """Label each photograph and save its scene; yields for each what was wrong with the file, if anything.

    The files of one photograph are written while the next is being looked at.
    """
    with ThreadPoolExecutor(1) as writer:
        writing: Future[list[Path]] = writer.submit(list)
        for path, target in photographs:
            try:
                check_free(target, photograph=path)
                scene = model.predict(path)
            except PhotoError as error:
                yield error
                continue
            writing.result()
            writing = writer.submit(scene.save, target, ids=ids, photograph=path)
            yield None
        writing.result()


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
    """Any PIL image as uint8 [H, W, 3]: palettes are expanded, transparency is put on white, and more than 8
    bits scaled, from 65535 or, for floats within 0..1, from 1."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = np.nan_to_num(np.asarray(image, np.float64))
        top = grey.max(initial=0)
        full = 1 if image.mode == "F" and top <= 1 else 255 if top <= 255 else 65535
        levels = np.clip(np.round(grey * (255 / full)), 0, 255).astype(np.uint8)
        return np.repeat(levels[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))
