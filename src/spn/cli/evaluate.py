"""`spn evaluate`: per-class IoU and mIoU of one checkpoint on any number of datasets."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from spn.cli.predict import ModelOptions
from spn.evaluation.counts import EvaluationOptions
from spn.inference.hub import hub_address
from spn.inference.tta import Backend


@dataclass(frozen=True)
class EvaluateCommand(ModelOptions):
    """Measure IoU on datasets the network never saw. Repeating the command keeps the domains that are done.

    Example: spn evaluate runs/spn --data cityscapes=PATH:val --data camvid=PATH:train+val
    Several processes share the images under torchrun: torchrun --nproc-per-node 4 -m spn.cli.main evaluate …
    """

    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """A dataset as KEY=PATH[:SPLIT]; repeat the option for more. Several splits are joined by +."""
    checkpoint: tyro.conf.Positional[Path | None] = None
    """A run folder, a checkpoint folder, a .safetensors file, or an .onnx file of spn export; by default the
    model that comes with the package."""
    out: Path | None = None
    """Folder for results.json and pictures; by default `evaluation` beside the weights, or here."""
    mapping: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """A TOML file that says which classes of the model are which of a dataset; repeat the option for more."""
    per_class: bool = True
    """Whether the IoU of every class is printed, too."""
    options: tyro.conf.OmitArgPrefixes[EvaluationOptions] = field(default_factory=EvaluationOptions)
    backend: Backend = field(default="torch", kw_only=True)
    """What computes the network: PyTorch, or onnxruntime (CPU only, no random draws, extra `onnx`), for which
    it is exported to the cache in your home when first asked for. An .onnx file always runs there."""


def run(command: EvaluateCommand) -> int:
    from spn.api import evaluate  # loads torch: not for --help
    from spn.evaluation.run import is_first_process

    model = command.load(command.checkpoint, backend=command.backend)
    own = command.checkpoint and not hub_address(command.checkpoint)
    out = command.out or (model.path.parent if own else Path()) / "evaluation"
    results = evaluate(
        model,
        command.data,
        out=out,
        options=command.options,
        mappings=command.mapping,
        progress=not command.quiet,
    )
    if is_first_process():
        print(results.table(per_class=command.per_class))
        print(f"written: {out / 'results.json'}")
    return 0
