"""`spn export`: a trained network in one file that runs without this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

if TYPE_CHECKING:
    from spn.inference.model import Model

FRAMES = {"float32": 3, "float16": 3, "int8": 24}
"""Simulated frames: the file is compared with PyTorch on some; int8 takes the ranges of features from all."""
FIRST_SEED = 700_000


@dataclass(frozen=True)
class ExportCommand:
    """Write a trained network as ONNX or as a program of torch.export, and compare the file with PyTorch.

    Example: spn export runs/spn --out street.onnx && spn predict photos/ --checkpoint street.onnx
    Normalisation and class names are inside, for any number of images of any size; random draws and the views
    of test-time augmentation are not (the file names them, and spn uses them). ONNX needs the extra `onnx`.
    """

    checkpoint: tyro.conf.Positional[Path | None] = None
    """A run folder, a checkpoint folder, or a .safetensors file; by default the model that comes with the
    package."""
    format: Literal["onnx", "torch"] = "onnx"
    """For onnxruntime and many others (.onnx), or for torch.export.load (.pt2)."""
    out: Path | None = None
    """The file to write; by default model.onnx or model.pt2, here."""
    precision: Literal["float32", "float16", "int8"] = "float32"
    """Of weights and arithmetic, for ONNX. float16 is for GPUs; int8 is the fastest on processors with
    instructions for it, and gives some pixels another label."""


def run(command: ExportCommand) -> int:
    from spn.inference.export import ENDINGS, check_place, export_model  # these load torch: not for --help
    from spn.inference.weights import load
    from streets.render import render_frame
    from streets.styles import STYLES

    out = command.out or Path(f"model{ENDINGS[command.format]}")
    check_place(out, command.format)
    model = load(command.checkpoint, device="cpu")
    seeds = range(FIRST_SEED, FIRST_SEED + FRAMES[command.precision])
    frames = [render_frame(STYLES["varied"], seed=seed, width=576, height=432).image for seed in seeds]
    found = export_model(
        model,
        out,
        kind=command.format,
        precision=command.precision,
        frames=frames,
        training_data=_training_data(model, shipped=command.checkpoint is None),
    )
    print(
        f"compared with PyTorch at {found.sizes} sizes: probabilities differ by at most {found.largest:.2g}, "
        f"{100 * found.equal:.2f} % of the labels are the same"
    )
    print(f"written: {out} ({out.stat().st_size / (1 << 20):.1f} MiB, {command.precision})")
    if command.format == "onnx":
        print(f"next: spn predict PHOTO --checkpoint {out} --out labelled")
    return 0


def _training_data(model: Model, *, shipped: bool) -> str:
    """What training noted of it."""
    if shipped:
        return (
            "ImageNet (the encoder), then street scenes drawn by the package's own simulator; no real street"
        )
    return ", ".join(model.info.get("trained_on", ()))
