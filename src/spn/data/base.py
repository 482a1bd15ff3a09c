"""A dataset that was recognised: it reads images and labels, and refuses ids that cannot be right."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import LabelSpace
from spn.core.errors import DatasetError
from spn.core.files import to_bytes
from spn.core.label_maps import LabelMap
from spn.core.sample import RegionSource, Sample
from spn.data.expectations import Expectation
from spn.data.files import LabelEncoding, decode_rgb, read_bytes
from spn.data.mapping import ClassMapping
from spn.data.traps import Problem


@dataclass(frozen=True)
class Pair:
    """One image with its label file; `key` is unique and stable within the dataset."""

    key: str
    image: Path
    label: Path


def size_problem(pair: Pair, image: tuple[int, ...], label: tuple[int, ...]) -> Problem | None:
    """What is wrong if these sizes (width and height) of an image and its label differ."""
    if image == label:
        return None
    sizes = ["{}x{}".format(*size) for size in (image, label)]
    text = f"image {pair.image} is {sizes[0]}, its label {pair.label} is {sizes[1]}"
    return Problem("transposed" if image == label[::-1] else "size-mismatch", text)


@dataclass(eq=False, repr=False)
class SegmentationDataset:
    """Images with ground truth in one label space. Knows no torch; safe to send to worker processes.

    key: the dataset's key ("gtav"; the declared name for a custom one). title, group: its name in tables, and
    the section that it stands in. split: canonical, as "train+val". exclusions: images left out on the user's
    request, each with its reason. split_hash: of the manifest that `spn data check` left, None without one.
    expect: what its labels look like.
    mappings: from or to other classes, that its TOML names. known_fingerprint: where it is not that of files.
    """

    key: str
    root: Path
    title: str
    group: str
    split: str
    layout: str
    label_space: LabelSpace
    label_map: LabelMap
    encoding: LabelEncoding
    pairs: tuple[Pair, ...]
    exclusions: tuple[str, ...] = ()
    split_hash: str | None = None
    expect: Expectation = field(default_factory=Expectation)
    mappings: tuple[ClassMapping, ...] = ()
    known_fingerprint: str | None = None

    @property
    def map_name(self) -> str:
        return self.label_map.name

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        where = f"{self.key}={self.root}:{self.split}"
        return f"{type(self).__name__}({where}, {len(self)} pairs, map {self.map_name})"

    def __getitem__(self, index: int) -> Sample:
        """Image and label of one pair. Raises DatasetError where a file is damaged or sizes differ."""
        pair = self.pairs[index]
        image, label = self.read_image(index), self.read_label(index)
        if problem := size_problem(pair, image.shape[1::-1], label.shape[1::-1]):
            raise DatasetError(problem.text, trap=problem.trap)
        return Sample(image, label, self.key, pair.key, pair.image, pair.label)

    def open_regions(self, index: int) -> RegionSource:
        """The pair for reading in part; files are decoded as a whole, a pack (`pack.py`) by tiles."""
        return self[index]

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """uint8 [H, W, 3], RGB, as stored (EXIF orientation is not applied: labels do not have it)."""
        path = self.pairs[index].image
        return decode_rgb(read_bytes(path), path)

    def read_ids(self, index: int) -> NDArray[np.uint8]:
        """uint8 [H, W]: the ids as stored in the label file, before the map."""
        path = self.pairs[index].label
        return self.encoding.decode(read_bytes(path), path)

    def read_label(self, index: int) -> NDArray[np.uint8]:
        """uint8 [H, W] in `label_space`, 255 where not evaluated. Raises DatasetError for impossible ids."""
        return self.map_ids(self.read_ids(index), self.pairs[index].label)

    def map_ids(self, ids: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        """Stored ids to ids of `label_space`. Raises DatasetError, naming `path`, for impossible ids."""
        if cv2.hasNonZero(cv2.LUT(ids, self.label_map.invalid())):
            raise DatasetError(f"label {path}: {self.label_map.explain(np.unique(ids).tolist())}")
        return cv2.LUT(ids, self.label_map.table())

    def fingerprint(self) -> str:
        """A content key: changes with the files' names, sizes and times, the map and the label space."""
        if self.known_fingerprint is not None:
            return self.known_fingerprint
        digest = hashlib.blake2b(digest_size=16)
        mapping = (sorted(self.label_map.train_ids.items()), sorted(self.label_map.valid))
        space = self.label_space.identity
        digest.update(repr((self.key, self.map_name, mapping, space, self.encoding)).encode())
        for pair in self.pairs:
            for path in (pair.image, pair.label):
                status = path.stat()
                digest.update(to_bytes(f"{pair.key}\0{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
        return digest.hexdigest()
