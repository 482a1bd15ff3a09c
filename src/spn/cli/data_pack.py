"""`spn data pack`: a split in one file that is faster to read than its PNGs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.cli.data_check import parse_data_arguments
from spn.core.errors import UserError
from spn.core.progress import progress_bar
from spn.data.pack import ImageStorage, is_pack
from spn.data.packing import pack_dataset


@dataclass(frozen=True)
class DataPackCommand:
    """Pack a split into one checksummed file, without loss. Training crops then read only their tiles.

    Name the file wherever the folder would stand: --data gtav=FILE.sqlite. An interrupted packing continues
    when repeated; repeated after that, the command verifies every tile of the pack.

    Example: spn data pack gtav=data/gtav:train --out data/gtav_train.sqlite
    """

    data: tyro.conf.Positional[str]
    """The split as KEY=PATH[:SPLIT]; several splits are joined by +, as train+val."""
    out: Path
    """The file to write; its name ends in .sqlite."""
    images: ImageStorage = "compressed"
    """compressed: about as large as PNG files. raw: 3 bytes a pixel, read fastest."""
    workers: int | None = None
    """Threads; as many as cores if not given."""
    quiet: bool = False
    """No progress display."""


def run(command: DataPackCommand) -> int:
    (argument,) = parse_data_arguments([command.data], workers=command.workers)
    if is_pack(argument.root):
        raise UserError(f"{argument.root} is a pack already; wanted the folder of the dataset")
    with progress_bar(disable=command.quiet) as progress:
        dataset, out = argument.open(), command.out
        now = pack_dataset(dataset, out, images=command.images, workers=command.workers, progress=progress)
    done = f"{now:,} packed now" if now else "complete, every checksum verified"
    print(f"{out}: {len(dataset):,} pairs, {out.stat().st_size:,} bytes, {done}")
    print(f"next: --data {argument.key}={out} wherever the folder would stand")
    return 0
