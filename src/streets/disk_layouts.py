"""Where each dataset keeps its files and how it stores labels: the simulator writes exactly that.

Layouts are those of the authors' README; encodings those of the real datasets. Weather variants share one
clear frame, its ground truth, and the frame's place in Cityscapes.
"""

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CITYSCAPES_19, CLASSES, IGNORE
from spn.core.label_maps import MAPILLARY_A, OTHER_LABEL_COLOURS
from spn.core.seeding import derive_seed, numpy_generator
from streets.frame import Frame
from streets.weather import FOG_BETAS, RAIN_SETTINGS, add_fog, add_rain

_JPEG_QUALITY: Final = 94
_FIRST_THING: Final = 24
"""labelIds from here on are countable things, with instance ids `labelId * 1000 + n`."""
_CITIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"train": ("simburg", "simdorf", "simheim"), "val": ("simfurt", "simdau"), "test": ("simlin",)}
)
_RAIN_PATTERNS: Final = 12


@dataclass(frozen=True)
class FrameId:
    """One frame of a plan. number: its place in a numbering that runs through all splits."""

    key: str
    seed: int
    split: str
    index: int
    number: int


class FrameNames(NamedTuple):
    """Files of one frame, relative to the root, with forward slashes."""

    labels: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class DiskLayout:
    """style: key of the simulator's style. scene: key that seeds the scenes. encode_*: file contents in the
    order of the names."""

    style: str
    scene: str
    names: Callable[[FrameId], FrameNames]
    encode_labels: Callable[[Frame], tuple[bytes, ...]]
    encode_images: Callable[[Frame, FrameId], tuple[bytes, ...]]


def _gtav_names(frame: FrameId) -> FrameNames:
    folder = {"val": "valid"}.get(frame.split, frame.split)
    name = f"{folder}/simulated/{frame.number + 1:05d}.png"
    return FrameNames((f"labels/{name}",), (f"images/{name}",))


def _cityscapes_names(frame: FrameId) -> FrameNames:
    return _city_names(frame, ("",))


def _foggy_names(frame: FrameId) -> FrameNames:
    return _city_names(frame, tuple(f"_foggy_beta_{beta:g}" for beta in FOG_BETAS))


def _rain_names(frame: FrameId) -> FrameNames:
    return _city_names(
        frame,
        tuple(
            f"_rain_alpha_{rain.alpha:g}_beta_{rain.beta:g}_dropsize_{rain.drop_size:g}_pattern_"
            f"{(len(RAIN_SETTINGS) * frame.index + place) % _RAIN_PATTERNS + 1}"
            for place, rain in enumerate(RAIN_SETTINGS)
        ),
    )


def _city_names(frame: FrameId, variants: tuple[str, ...]) -> FrameNames:
    cities = _CITIES[frame.split]
    city = cities[frame.index % len(cities)]
    stem = f"{frame.split}/{city}/{city}_{frame.index // len(cities):06d}_000019"
    truth = f"gtFine_trainvaltest/gtFine/{stem}_gtFine"
    return FrameNames(
        (f"{truth}_labelIds.png", f"{truth}_instanceIds.png"),
        tuple(
            f"leftImg8bit_trainvaltest/leftImg8bit/{stem}_leftImg8bit{variant}.png" for variant in variants
        ),
    )


def _bdd_names(frame: FrameId) -> FrameNames:
    token = f"{derive_seed(frame.seed, frame.key, frame.split, frame.index, 'name'):016x}"
    name = f"{token[:8]}-{token[8:]}"
    return FrameNames((f"labels/{frame.split}/{name}_train_id.png",), (f"images/{frame.split}/{name}.jpg",))


def _mapillary_names(frame: FrameId) -> FrameNames:
    folder = {"train": "training", "val": "validation", "test": "test"}[frame.split]
    words = [derive_seed(frame.seed, frame.key, frame.split, frame.index, part) for part in ("name", "rest")]
    token = base64.urlsafe_b64encode(b"".join(word.to_bytes(8, "big") for word in words)).decode().rstrip("=")
    return FrameNames((f"{folder}/labels/{token}.png",), (f"{folder}/images/{token}.jpg",))


def _synthia_names(frame: FrameId) -> FrameNames:
    return FrameNames((f"GT/LABELS/{frame.number:07d}.png",), (f"RGB/{frame.number:07d}.png",))


def _clear_png(frame: Frame, identity: FrameId) -> tuple[bytes, ...]:
    return (_png(frame.image),)


def _clear_jpeg(frame: Frame, identity: FrameId) -> tuple[bytes, ...]:
    colours = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    return (_encoded(".jpg", colours, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)),)


def _foggy_images(frame: Frame, identity: FrameId) -> tuple[bytes, ...]:
    return tuple(_png(add_fog(frame.image, frame.distance, beta=beta)) for beta in FOG_BETAS)


def _rain_images(frame: Frame, identity: FrameId) -> tuple[bytes, ...]:
    return tuple(
        _png(
            add_rain(
                frame.image,
                frame.distance,
                alpha=rain.alpha,
                beta=rain.beta,
                drop_size=rain.drop_size,
                generator=numpy_generator(identity.seed, "rain", identity.split, identity.index, place),
            )
        )
        for place, rain in enumerate(RAIN_SETTINGS)
    )


def _label_id_palette(frame: Frame) -> tuple[bytes, ...]:
    """GTAV: labelIds as the index of a palette that holds the label table's colours."""
    return (_palette_png(CITYSCAPES_19.to_label_ids()[frame.label], _label_id_colours()),)


def _cityscapes_truth(frame: Frame) -> tuple[bytes, ...]:
    """Cityscapes: labelIds, and instance ids (labelId * 1000 + n for things, else the labelId)."""
    label_ids = CITYSCAPES_19.to_label_ids()[frame.label]
    return _png(label_ids), _png(instance_ids(label_ids, frame.instance))


def instance_ids(label_ids: NDArray[np.uint8], instance: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Cityscapes instance ids [H, W] from labelIds and object numbers; n counts within each class from 0."""
    result = label_ids.astype(np.uint16)
    things = (label_ids >= _FIRST_THING) & (instance > 0)
    for label_id in np.unique(label_ids[things]):
        own = things & (label_ids == label_id)
        _, order = np.unique(instance[own], return_inverse=True)
        result[own] = int(label_id) * 1000 + np.minimum(order, 999)
    return result


def _train_id_png(frame: Frame) -> tuple[bytes, ...]:
    return (_png(frame.label),)


def _mapillary_palette(frame: Frame) -> tuple[bytes, ...]:
    """Mapillary v1.2 ids: for each class the id that map A lists first for it, 65 (unlabeled) for void."""
    table = np.full(256, 65, np.uint8)
    for label, train_id in reversed(list(MAPILLARY_A.train_ids.items())):
        table[train_id] = label
    table[1] = 15  # sidewalk rather than curb
    colours = np.zeros((256, 3), np.uint8)
    by_class = CITYSCAPES_19.palette()
    for label, train_id in MAPILLARY_A.train_ids.items():
        colours[label] = by_class[train_id]
    return (_palette_png(table[frame.label], colours),)


def _synthia_png(frame: Frame) -> tuple[bytes, ...]:
    """SYNTHIA: 16-bit RGB, class in red, instance in green.

    It has no terrain, truck or train: grass is vegetation there; trucks and trains become void, as
    no class of its own fits them.
    """
    table = np.zeros(256, np.uint16)
    for train_id, label in enumerate((3, 4, 2, 21, 5, 7, 15, 9, 6, 6, 1, 10, 17, 8, 0, 19, 0, 12, 11)):
        table[train_id] = label
    stored = np.zeros((*frame.label.shape, 3), np.uint16)
    stored[..., 2] = table[frame.label]
    stored[..., 1] = frame.instance
    return (_encoded(".png", stored, (cv2.IMWRITE_PNG_COMPRESSION, 1)),)


def _label_id_colours() -> NDArray[np.uint8]:
    colours = np.zeros((256, 3), np.uint8)
    for label_id, colour in OTHER_LABEL_COLOURS:
        colours[label_id] = colour
    for info in CLASSES:
        colours[info.label_id] = info.colour
    return colours


def _png(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Lossless; colour images are RGB."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    return _encoded(".png", stored, (cv2.IMWRITE_PNG_COMPRESSION, 1))


def _encoded(suffix: str, image: NDArray[np.uint8] | NDArray[np.uint16], options: tuple[int, ...]) -> bytes:
    done, data = cv2.imencode(suffix, image, options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode {image.dtype} {image.shape} as {suffix}")
    return data.tobytes()


def _palette_png(index: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(index)
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


DISK_LAYOUTS: Final[Mapping[str, DiskLayout]] = MappingProxyType(
    {
        "gtav": DiskLayout("gtav", "gtav", _gtav_names, _label_id_palette, _clear_png),
        "cityscapes": DiskLayout(
            "cityscapes", "cityscapes", _cityscapes_names, _cityscapes_truth, _clear_png
        ),
        "bdd100k": DiskLayout("bdd100k", "bdd100k", _bdd_names, _train_id_png, _clear_jpeg),
        "synthia": DiskLayout("synthia", "synthia", _synthia_names, _synthia_png, _clear_png),
        "mapillary": DiskLayout("mapillary", "mapillary", _mapillary_names, _mapillary_palette, _clear_jpeg),
        "rain_cityscapes": DiskLayout(
            "cityscapes", "cityscapes", _rain_names, _cityscapes_truth, _rain_images
        ),
        "foggy_cityscapes": DiskLayout(
            "cityscapes", "cityscapes", _foggy_names, _cityscapes_truth, _foggy_images
        ),
    }
)
"""By dataset key. The weather variants show the very frames of the clear dataset of the same seed."""


def valid_train_ids(label: NDArray[np.uint8]) -> bool:
    """Whether a rendered label holds only train ids and 255."""
    return bool(((label < len(CLASSES)) | (label == IGNORE)).all())
