"""`spn predict`: labels, colour overlay and uncertainty for photographs, one after another.

A file that cannot be read is reported and the others go on; the exit status is then 1.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from spn.core.process import keep_freed_memory
from spn.core.progress import progress_bar
from spn.inference.photographs import find_photographs, label_photographs
from spn.inference.scene import Ids
from spn.inference.tta import DeviceName, Precision, TestTimeAugmentation

if TYPE_CHECKING:
    from spn.inference.model import Model


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What commands that run a model have in common."""

    tta: tyro.conf.OmitArgPrefixes[TestTimeAugmentation] = field(default_factory=TestTimeAugmentation)
    seed: int = 0
    """Of the random draws."""
    device: DeviceName = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    precision: Precision = "32"
    """Arithmetic of the network, part of an evaluation's protocol: float32, or half precision (16: GPU only).
    bf16 is faster on processors with avx512_bf16 or amx_bf16, and slower on others; some pixels along edges
    get another label."""
    quiet: bool = False
    """No progress display."""

    def load(self, checkpoint: Path | None) -> Model:
        """The model that is to run, by default the one that comes with the package."""
        from spn.inference import weights  # loads torch: not for --help

        keep_freed_memory()
        return weights.load(
            checkpoint, device=self.device, tta=self.tta, precision=self.precision, seed=self.seed
        )


@dataclass(frozen=True)
class PredictCommand(ModelOptions):
    """Label photographs: per photo NAME_label.png, NAME_overlay.png and NAME_uncertainty.png.

    Example: spn predict photos/ --out labelled/
    """

    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Photographs, or folders of them. Any size: above 2 megapixels the network sees a smaller copy."""
    checkpoint: Path | None = None
    """A run folder or a .safetensors file; by default the model that comes with the package."""
    out: Path = Path("labelled")
    """Folder for the results."""
    ids: Ids = "label-id"
    """Ids in NAME_label.png: Cityscapes labelIds (7 road, 8 sidewalk, …) or trainIds (0 road, …)."""
    recursive: bool = False
    """Whether folders are searched with all their subfolders, which are kept in the output."""


def run(command: PredictCommand) -> int:
    photographs, passed = find_photographs(command.images, command.out, recursive=command.recursive)
    model = command.load(command.checkpoint)
    failed = 0
    with progress_bar(disable=command.quiet) as progress:
        task = progress.add_task("predict", total=len(photographs), status="")
        for error in label_photographs(model, photographs, ids=command.ids):
            if error:
                failed += 1
                progress.console.print(f"spn predict: {error}; it is skipped", markup=False, soft_wrap=True)
            progress.advance(task)
    done = len(photographs) - failed
    print(f"{done} of {len(photographs)} photographs labelled in {command.out} (labels are {command.ids}s)")
    if passed:
        endings = Counter(path.suffix.lower() or "no ending" for path in passed)
        text = ", ".join(f"{count} of {ending}" for ending, count in endings.most_common())
        print(f"passed over, no photographs by their names: {text}")
        if endings.keys() & {".heic", ".heif"}:
            print("HEIC is read where the package pillow-heif is installed: pip install pillow-heif")
    if failed:
        print(f"spn predict: {failed} of {len(photographs)} have no result", file=sys.stderr)
    return 1 if failed else 0
