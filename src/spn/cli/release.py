"""`spn release`: one small file from a run, for `spn predict` and for other people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.core.errors import UserError
from spn.inference.shipped import INPUT_HEIGHT


@dataclass(frozen=True)
class ReleaseCommand:
    """Write a run's weights in half precision, with the height at which they see a photograph best.

    Example: spn release runs/streets --out streets.safetensors --input-height 288
    """

    checkpoint: tyro.conf.Positional[Path]
    """A run folder, a checkpoint folder, or a .safetensors file."""
    out: Path
    """The file to write."""
    input_height: int | None = None
    """Height in pixels to which `spn predict` resizes a photograph first; none: its own size."""


def run(command: ReleaseCommand) -> int:
    from spn.inference.weights import load_network, save_network  # loads torch: not for --help

    if command.input_height is not None and command.input_height < 32:
        raise UserError(f"--input-height is {command.input_height}; wanted at least 32 pixels, or none")
    if command.out.suffix != ".safetensors":
        raise UserError(f"--out is {command.out}; wanted a file that ends in .safetensors")
    loaded = load_network(command.checkpoint)
    info = {name: value for name, value in loaded.info.items() if name != INPUT_HEIGHT}
    if command.input_height is not None:
        info[INPUT_HEIGHT] = command.input_height
    save_network(command.out, loaded.network, model_config=loaded.model_config, info=info, half=True)
    size = command.out.stat().st_size / (1 << 20)
    print(f"written: {command.out} ({size:.1f} MiB, half precision)")
    print(f"next: spn predict PHOTO --checkpoint {command.out} --out labelled")
    return 0
