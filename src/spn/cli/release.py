"""`spn release`: one small file from a run, for `spn predict` and for other people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.core.errors import UserError
from spn.inference.shipped import released_info
from spn.inference.views import Views


@dataclass(frozen=True)
class ReleaseCommand:
    """Write a run's weights in half precision, with the views in which they see photographs best.

    Example: spn release runs/streets --out streets.safetensors --input-height 288 --scales 0.75 1 1.5
    """

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """A run folder, a checkpoint folder, or a .safetensors file; of several, the weights are averaged, which
    suits trainings that went on from one another."""
    out: Path
    """The file to write."""
    input_height: int | None = None
    """Height in pixels to which spn predict and spn evaluate resize a photograph; none: its own size."""
    scales: tuple[float, ...] | None = None
    """Sizes relative to that height, each of which they show to the network; none: 1 alone."""
    flip: bool = False
    """Whether they show it each of them mirrored as well."""
    alternate_flip: bool = False
    """Whether they show it every second of them mirrored only."""
    own_statistics: float = 0.0
    """Share of a photograph's own statistics in the normalisation of shallow features; ResNets only."""


def run(command: ReleaseCommand) -> int:
    from spn.inference.weights import load_average, save_network  # loads torch: not for --help

    if not command.checkpoints:
        raise UserError("no run was named; wanted one or more run folders, checkpoint folders or weights")
    if command.input_height is not None and command.input_height < 32:
        raise UserError(f"--input-height is {command.input_height}; wanted at least 32 pixels, or none")
    views = Views(  # refuses what no image can be shown at
        command.input_height,
        command.scales,
        flip=command.flip,
        alternate_flip=command.alternate_flip,
        own_statistics=command.own_statistics,
    )
    if views.input_height is None and views != Views():
        raise UserError(
            "--scales, a flip or --own-statistics without --input-height; wanted the height they go with"
        )
    if command.out.suffix != ".safetensors":
        raise UserError(f"--out is {command.out}; wanted a file that ends in .safetensors")
    loaded = load_average(command.checkpoints)
    info = released_info(loaded.info, views)
    save_network(command.out, loaded.network, model_config=loaded.model_config, info=info, half=True)
    size = command.out.stat().st_size / (1 << 20)
    print(f"written: {command.out} ({size:.1f} MiB, half precision)")
    print(f"next: spn predict PHOTO --checkpoint {command.out} --out labelled")
    return 0
