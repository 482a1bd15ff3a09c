"""From files to training crops: images per second and core, against Pillow and torchvision v2.

    python benchmarks/data_path.py
    python benchmarks/data_path.py --images 12 --repeats 5

1914x1052 images in GTAV's layout, rendered by the simulator, to crops of 768x768 with the default
augmentation: scale 0.5 to 2, crop, mirror, colour jitter, blur. The plain way decodes with Pillow and does
these steps in this order with torchvision v2 on uint8 tensors. Ours reads the same folder, or packs of it
(`spn data pack`). Targets: 2.3x from the folder, 6x from the pack. The two draw from the same distributions,
but not the same random numbers.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from common import fastest, rendered_gtav, use_one_thread
from spn.core.classes import IGNORE
from spn.core.seeding import numpy_generator
from spn.data.base import SegmentationDataset
from spn.data.pack import ImageStorage, PackedDataset
from spn.data.packing import pack_dataset
from spn.transforms.config import AugmentationConfig
from spn.transforms.geometric import PADDING_COLOUR
from spn.transforms.pipeline import TrainTransform

STORAGES: tuple[ImageStorage, ...] = ("raw", "compressed")


@dataclass(frozen=True)
class DataPathBenchmark:
    """Training crops per second and core: torchvision, ours from the folder, ours from packs."""

    images: int = 6
    crops: int = 4
    """Crops of each image per round."""
    repeats: int = 3


def main() -> int:
    benchmark = tyro.cli(DataPathBenchmark)
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        dataset = rendered_gtav(Path(folder) / "gtav", images=benchmark.images)
        sources = {"ours, folder": dataset}
        sizes = {"ours, folder": sum(p.image.stat().st_size + p.label.stat().st_size for p in dataset.pairs)}
        for images in STORAGES:
            path = Path(folder) / f"{images}.sqlite"
            pack_dataset(dataset, path, images=images)
            sources[f"ours, pack ({images})"] = PackedDataset(path)
            sizes[f"ours, pack ({images})"] = path.stat().st_size
        ways: dict[str, Callable[[], None]] = {"plain": plain_way(dataset, crops=benchmark.crops)}
        ways |= {name: our_way(source, crops=benchmark.crops) for name, source in sources.items()}
        seconds = fastest(ways, repeats=benchmark.repeats)
    count = benchmark.images * benchmark.crops
    print("                    images/s per core   ms per image   ratio   MB per image")
    for name, value in seconds.items():
        ratio, size = (
            seconds["plain"] / value,
            sizes.get(name, sizes["ours, folder"]) / benchmark.images / 1e6,
        )
        print(f"{name:<20}{count / value:17.1f}{1000 * value / count:15.1f}{ratio:7.2f}x{size:15.2f}")
    return 0


def our_way(dataset: SegmentationDataset, *, crops: int) -> Callable[[], None]:
    """One round over the dataset as training reads it."""
    transform = TrainTransform(AugmentationConfig())

    def run() -> None:
        for index in range(len(dataset)):
            for crop in range(crops):
                transform(dataset.open_regions(index), generator=numpy_generator(0, index, crop))

    return run


def plain_way(dataset: SegmentationDataset, *, crops: int) -> Callable[[], None]:
    """The same steps with Pillow and torchvision."""
    config = AugmentationConfig()
    jitter, table = config.jitter, torch.from_numpy(dataset.label_map.table())
    steps = v2.Compose(
        [
            v2.RandomCrop(
                (config.crop_height, config.crop_width),
                pad_if_needed=True,
                fill={tv_tensors.Image: list(PADDING_COLOUR), tv_tensors.Mask: IGNORE},
            ),
            v2.RandomHorizontalFlip(config.flip),
            v2.RandomApply(
                [v2.ColorJitter(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)],
                jitter.probability,
            ),
            v2.RandomApply([v2.GaussianBlur(9, config.blur.sigma)], config.blur.probability),
        ]
    )

    def read(index: int) -> tuple[torch.Tensor, torch.Tensor]:
        pair = dataset.pairs[index]
        image = v2.functional.pil_to_tensor(Image.open(pair.image).convert("RGB"))
        ids = torch.from_numpy(np.array(Image.open(pair.label)))
        return tv_tensors.Image(image), tv_tensors.Mask(table[ids.long()])

    def run() -> None:
        torch.manual_seed(0)
        for index in range(len(dataset)):
            for _ in range(crops):
                image, label = read(index)
                factor = float(torch.empty(1).uniform_(config.scale_min, config.scale_max))
                size = [round(factor * side) for side in image.shape[-2:]]
                steps(v2.functional.resize(image, size), v2.functional.resize(label, size))

    return run


if __name__ == "__main__":
    sys.exit(main())
