"""`spn predict`: labels, colour overlay and uncertainty for photographs and videos, in their order.

A file that cannot be read is reported and the others go on; the exit status is then 1.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.progress import Progress, TaskID

from spn.core.process import keep_freed_memory, leave_on_sigterm
from spn.core.progress import progress_bar
from spn.core.records import checked
from spn.inference.labelling import Labelled, LabelOptions, label
from spn.inference.legend import write_legend
from spn.inference.photographs import PLUGINS
from spn.inference.places import VIDEO_SUFFIXES, Clip, Photograph, Places
from spn.inference.table import open_table
from spn.inference.tta import Backend, DeviceName, Precision, TestTimeAugmentation
from spn.inference.video import pyav

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

    def load(self, checkpoint: Path | None, *, backend: Backend) -> Model:
        """The model that is to run, by default the one that comes with the package."""
        from spn.inference import weights  # loads torch: not for --help

        keep_freed_memory()
        return weights.load(
            checkpoint,
            device=self.device,
            tta=self.tta,
            precision=self.precision,
            seed=self.seed,
            backend=backend,
        )


@dataclass(frozen=True)
class PredictCommand(ModelOptions):
    """Label photographs and videos. Per photo: NAME_label.png, NAME_overlay.png and NAME_uncertainty.png; per
    video: NAME_overlay.mp4.

    Example: spn predict photos/ --out labelled/

    Example: spn predict drive.mp4 --smooth 0.7 --table drive.csv

    Example: find . -name "*.jpg" | spn predict -
    """

    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Photographs, or folders of them; videos; the number of a camera (0); a list of paths (.txt), or - for
    paths from standard input. Any size: above 2 megapixels the network sees a smaller copy."""
    checkpoint: Path | None = None
    """A run folder, a .safetensors file or an .onnx file of spn export; by default the model that comes with
    the package."""
    out: Path = Path("labelled")
    """Folder for the results, with legend.png and classes.csv."""
    recursive: bool = False
    """Whether folders are searched with all their subfolders, which are kept in the output."""
    table: Path | None = None
    """A file .csv or .json: share of the pixels and mean confidence of each class, per photo and frame."""
    options: tyro.conf.OmitArgPrefixes[LabelOptions] = field(default_factory=LabelOptions)
    backend: Backend | Literal["auto"] = field(default="auto", kw_only=True)
    """What computes the network: PyTorch, or onnxruntime (CPU only, no random draws, extra `onnx`), for which
    it is exported to the cache in your home when first asked for. auto: onnxruntime on a CPU if it is
    installed and the network was exported before, or 1000 photographs are named. A checkpoint that ends in
    .onnx always runs in onnxruntime."""

    def model(self, pictures: int) -> Model:
        """For so many photographs."""
        from spn.inference.export import fastest

        if self.backend != "auto":
            return self.load(self.checkpoint, backend=self.backend)
        return fastest(self.load(self.checkpoint, backend="torch"), pictures=pictures)


def run(command: PredictCommand) -> int:
    options = checked(command.options, where="predict")
    places = Places(command.out, recursive=command.recursive, frame_rate=options.frame_rate)
    named, arriving = places.find(command.images)
    if options.frame_rate or any(isinstance(item, Clip) for item in named):
        pyav()  # that it is missing is said before work begins
    photographs = sum(isinstance(item, Photograph) for item in named)
    films: dict[Path, Labelled] = {}
    parts: set[Path | None] = set()  # films that are not whole
    done, failed, status = 0, 0, 0
    with leave_on_sigterm(), open_table(command.table) as tell:
        model = command.model(photographs)
        write_legend(command.out, model.label_space.classes)
        results = label(model, itertools.chain(named, arriving), options)
        with progress_bar(disable=command.quiet) as progress, contextlib.closing(results):
            advance = _bars(progress, photographs or None)
            film = None
            try:
                for one in results:
                    advance(one)
                    film = one.item.film if isinstance(one.item, Clip) else None
                    if one.scene:
                        tell(one.item.name, one.frame, one.scene)
                    if one.error:
                        failed += 1
                        text = f"spn predict: {one.error}{'' if film in films else '; it is skipped'}"
                        progress.console.print(text, markup=False, soft_wrap=True)
                        parts |= {film} & films.keys()
                    elif film:
                        films[film] = one
                    else:
                        done += 1
            except KeyboardInterrupt:
                status = 130
            except SystemExit as stop:  # SIGTERM
                status = int(str(stop.code))
            if status:
                print("\nspn predict: interrupted; what is written can be opened", file=sys.stderr)
                parts |= {film} & films.keys()
    for path, last in films.items():
        print(f"{last.item.name}: {(last.frame or 0) + 1} frames, {last.rate:.1f} a second, in {path}")
    kinds = ["photographs"] if photographs or done or not films else []
    kind = " and ".join([*kinds, *(["videos"] if films else [])])
    done += len(films.keys() - parts)
    total = max(len(named), done + failed)
    print(f"{done} of {total} {kind} labelled in {command.out} (labels are {options.ids}s)")
    if places.passed:
        print(_said_of(places.passed))
    if failed:
        print(f"spn predict: {failed} of {total} have no result, or not all of it", file=sys.stderr)
    return status or (1 if failed else 0)


def _bars(progress: Progress, photographs: int | None) -> Callable[[Labelled], None]:
    """One bar for all photographs, and one for each video, which counts its frames."""
    tasks: dict[Path | None, TaskID] = {}

    def advance(one: Labelled) -> None:
        clip = one.item if isinstance(one.item, Clip) else None
        key = clip and clip.film
        if key not in tasks:
            name, total = (clip.name, one.expected) if clip else ("predict", photographs)
            tasks[key] = progress.add_task(name, total=total, status="")
        if clip and one.scene:
            progress.update(tasks[key], advance=1, status=f"{one.rate:.1f} frames/s")
        elif not clip:
            progress.advance(tasks[key])

    return advance


def _said_of(passed: Sequence[Path]) -> str:
    endings = Counter(path.suffix.lower() or "no ending" for path in passed)
    text = ", ".join(f"{count} of {ending}" for ending, count in endings.most_common())
    lines = [f"passed over, no photographs by their names: {text}"]
    lines += [advice for kind, advice in PLUGINS.items() if f".{kind.lower()}" in endings]
    if VIDEO_SUFFIXES & endings.keys():
        lines.append("a video is labelled where it is named itself: spn predict drive.mp4")
    return "\n".join(lines)
