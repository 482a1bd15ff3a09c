"""`spn predict`: labels, colour overlay and uncertainty for photographs, one after another.

A file that cannot be read is reported and the others go on; the exit status is then 1.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

from spn.core.classes import palette, train_id_to_label_id
from spn.core.errors import UserError
from spn.core.files import atomic_path
from spn.core.memory import keep_freed_memory
from spn.core.progress import progress_bar
from spn.inference.devices import DeviceName, choose_device
from spn.inference.photo import SUFFIXES, PhotoError, read_photo
from spn.inference.precision import Precision, check_precision
from spn.inference.shipped import shipped_weights
from spn.inference.views import Views

if TYPE_CHECKING:
    from spn.inference.predictor import Scene

KINDS = ("label", "overlay", "uncertainty", "disagreement")
OVERLAY_STRENGTH = 0.55
"""Share of the class colour in the overlay."""


@dataclass(frozen=True)
class PredictCommand:
    """Label photographs: per photo NAME_label.png, NAME_overlay.png and NAME_uncertainty.png.

    Example: spn predict photos/ --out labelled/
    """

    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Photographs, or folders of them. Any size: above 2 megapixels the network sees a smaller copy."""
    checkpoint: Path | None = None
    """A run folder or a .safetensors file; by default the model that comes with the package."""
    out: Path = Path("labelled")
    """Folder for the results."""
    ids: Literal["label-id", "train-id"] = "label-id"
    """Ids in NAME_label.png: Cityscapes labelIds (7 road, 8 sidewalk, …) or trainIds (0 road, …)."""
    recursive: bool = False
    """Whether folders are searched with all their subfolders, which are kept in the output."""
    views: tyro.conf.OmitArgPrefixes[Views] = field(default_factory=Views)
    seed: int = 0
    """Of the draws."""
    device: DeviceName = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    precision: Precision = "32"
    """Arithmetic of the network: float32, or half precision (16: GPU only). bf16 is faster on processors with
    avx512_bf16 or amx_bf16, and slower on others; some pixels along edges get another label."""
    quiet: bool = False
    """No progress display."""


@dataclass(frozen=True)
class Job:
    """One photo and the start of its output files' names, without the endings."""

    photo: Path
    target: Path


def run(command: PredictCommand) -> int:
    from spn.inference.predictor import Predictor  # loads torch: not for --help

    jobs = plan_jobs(command.images, command.out, recursive=command.recursive)
    device = choose_device(command.device)
    check_precision(command.precision, device)
    if device.type == "cpu":
        keep_freed_memory()
    predictor = Predictor.from_checkpoint(
        command.checkpoint or shipped_weights(),
        device=device,
        views=command.views,
        precision=command.precision,
        seed=command.seed,
    )
    failed = []
    with ThreadPoolExecutor(1) as writer, progress_bar(disable=command.quiet) as progress:
        writing: Future[None] | None = None  # of the photo before: one at a time, beside the network
        task = progress.add_task("predict", total=len(jobs), status="")
        for job in jobs:
            try:
                image = read_photo(job.photo)
            except PhotoError as error:
                failed.append(job.photo)
                progress.console.print(f"spn predict: {error}; it is skipped", markup=False, soft_wrap=True)
            else:
                scene = predictor.predict(image)
                if writing is not None:
                    writing.result()
                writing = writer.submit(write_scene, job.target, image, scene, ids=command.ids)
            progress.advance(task)
        if writing is not None:
            writing.result()
    done = len(jobs) - len(failed)
    print(f"{done} of {len(jobs)} photographs labelled in {command.out} (labels are {command.ids}s)")
    if failed:
        print(f"spn predict: {len(failed)} could not be read", file=sys.stderr)
    return 1 if failed else 0


def plan_jobs(images: Sequence[Path], out: Path, *, recursive: bool) -> list[Job]:
    """Which photos, in order, and where their results go.

    Photos whose results would have the same name (a.jpg and a.png) keep their suffix in it (a.jpg_label.png).
    Raises UserError if nothing is found.
    """
    found: list[tuple[Path, Path]] = []
    for place in images:
        if place.is_dir():
            files = place.rglob("*") if recursive else place.glob("*")
            photos = sorted(
                path
                for path in files
                if path.suffix.lower() in SUFFIXES and not _is_result(path, out) and path.is_file()
            )
            if not photos:
                hint = "" if recursive else " (--recursive searches subfolders)"
                raise UserError(f"{place}: no photographs in this folder{hint}; wanted {_endings()}")
            found += [(path, path.relative_to(place)) for path in photos]
        elif place.exists():
            found.append((place, Path(place.name)))
        else:
            raise UserError(f"{place}: no such file or folder")
    stems = Counter(_folded(name.with_suffix("")) for _, name in found)
    taken: set[str] = set()
    jobs = []
    for photo, name in found:
        alone = stems[_folded(name.with_suffix(""))] == 1
        target = first = out / (name.with_suffix("") if alone else name)
        number = 1
        while _folded(target) in taken:  # files of one name from several folders
            number += 1
            target = first.with_name(f"{first.name}_{number}")
        taken.add(_folded(target))
        jobs.append(Job(photo, target))
    return jobs


def write_scene(target: Path, image: NDArray[np.uint8], scene: Scene, *, ids: str) -> None:
    """Write the results of one photo uint8 [H, W, 3] RGB beside `target`, each file atomically."""
    label = cv2.LUT(scene.labels, train_id_to_label_id()) if ids == "label-id" else scene.labels
    colours = cv2.LUT(cv2.merge([scene.labels] * 3), palette()[None])
    overlay = cv2.addWeighted(image, 1 - OVERLAY_STRENGTH, colours, OVERLAY_STRENGTH, 0)
    pictures = {
        "label": label,
        "overlay": cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR),
        "uncertainty": heat(scene.uncertainty),
    }
    if scene.disagreement is not None:
        pictures["disagreement"] = heat(scene.disagreement)
    for kind, picture in pictures.items():
        path = target.parent / f"{target.name}_{kind}.png"
        with atomic_path(path) as temporary:
            if not cv2.imwrite(str(temporary), picture):
                raise OSError(f"could not write {path}")


def heat(fraction: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 [H, W] as BGR colours from dark (sure) to bright (unsure)."""
    return cv2.applyColorMap(cv2.convertScaleAbs(fraction, alpha=255), cv2.COLORMAP_INFERNO)


def _is_result(path: Path, out: Path) -> bool:
    """Whether a file was written by an earlier run into the same place."""
    inside = out.absolute() in path.absolute().parents
    return inside and path.stem.rpartition("_")[2] in KINDS


def _folded(name: Path) -> str:
    """The name as a file system that ignores case sees it."""
    return str(name).casefold()


def _endings() -> str:
    return ", ".join(sorted(SUFFIXES))
