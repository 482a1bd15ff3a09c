"""`spn release`: one small file from a run, for `spn predict` and for other people."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from spn.inference.tta import TestTimeAugmentation


@dataclass(frozen=True)
class ReleaseCommand:
    """Write a run's weights in half precision, with the test-time augmentation in which they see best.

    Example: spn release runs/streets --out streets.safetensors --input-height 288 --scales 0.75 1 1.5
    """

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """A run folder, a checkpoint folder, or a .safetensors file; of several, the weights are averaged, which
    suits trainings that went on from one another."""
    out: Path
    """The file to write."""
    tta: tyro.conf.OmitArgPrefixes[TestTimeAugmentation] = field(default_factory=TestTimeAugmentation)


def run(command: ReleaseCommand) -> int:
    from spn.inference.weights import release  # loads torch: not for --help

    release(command.checkpoints, command.out, tta=command.tta)
    size = command.out.stat().st_size / (1 << 20)
    print(f"written: {command.out} ({size:.1f} MiB, half precision)")
    print(f"next: spn predict PHOTO --checkpoint {command.out} --out labelled")
    return 0
