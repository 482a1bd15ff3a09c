"""`spn release`: one small file from a run, or a folder for the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from spn.core.errors import UserError
from spn.core.files import refuse_foreign, sole_writer, write_json, write_text
from spn.core.records import to_plain
from spn.inference.tta import TestTimeAugmentation, protocol

if TYPE_CHECKING:
    from spn.evaluation.results import DomainResult
    from spn.inference.model import Model

_CARD, _CONFIGURATION = "README.md", "config.json"
_SIGNATURES = {_CARD: b"library_name: spn", _CONFIGURATION: b'"library_name": "spn"'}


@dataclass(frozen=True)
class ReleaseCommand:
    """Write a run's weights in half precision, with the test-time augmentation in which they see best.

    That is what is given here, or else what the run was trained with (`spn train --tta.input-height`).

    Examples: spn release runs/streets --out streets.safetensors --input-height 288 --scales 0.75 1 1.5;
    spn release runs/streets --out streets
    """

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """A run folder, a checkpoint folder, or a .safetensors file; of several, the weights are averaged, which
    suits trainings that went on from one another."""
    out: Path
    """A .safetensors file; or else a folder for the Hugging Face hub: model.safetensors, config.json, and a
    model card with what spn evaluate measured."""
    class_shares: Path | None = None
    """A TOML file that says how common each class is where the network was trained and where it will be used:
    its logits are corrected for that (docs/how-to/publish.md)."""
    tta: tyro.conf.OmitArgPrefixes[TestTimeAugmentation] = field(default_factory=TestTimeAugmentation)


def run(command: ReleaseCommand) -> int:
    from spn.inference.class_shares import read_class_shares  # loads torch: not for --help
    from spn.inference.weights import WEIGHTS_NAME, load, release

    out = command.out
    shares = read_class_shares(command.class_shares) if command.class_shares else None
    if out.suffix in (".bin", ".ckpt", ".onnx", ".pt", ".pth"):  # a file was meant, and would become a folder
        raise UserError(f"--out is {out}; wanted a file that ends in .safetensors, or a folder")
    file = out if out.suffix == ".safetensors" else out / WEIGHTS_NAME
    if file != out:
        domains = () if shares else _measured(command.checkpoints)
        for name, signature in _SIGNATURES.items():
            refuse_foreign(out / name, signature)
    release(command.checkpoints, file, tta=command.tta, shares=shares)
    print(f"written: {file} ({file.stat().st_size / (1 << 20):.1f} MiB, half precision)")
    if file != out:
        with sole_writer(out):
            _describe(load(file, device="cpu", fold=False), out, domains)
        print(f"written: {out / _CONFIGURATION}\nwritten: {out / _CARD}")
        print(f"next: read and complete {out / _CARD}, then: hf upload OWNER/{out.resolve().name} {out}")
    print(f"next: spn predict PHOTO --checkpoint {out} --out labelled")
    return 0


def _measured(checkpoints: Sequence[Path]) -> tuple[DomainResult, ...]:
    """What spn evaluate measured with these weights of a single run; means of several are others."""
    from spn.evaluation.results import ResultsError, find_results, read_results
    from spn.inference.weights import file_sha256, find_weights

    if len(checkpoints) > 1:
        return ()
    try:
        (file,) = find_results(checkpoints[0])
    except ResultsError:
        return ()
    of = file_sha256(find_weights(checkpoints[0]))
    return tuple(domain for domain in read_results(file).domains if domain.checkpoint_sha256 == of)


def _describe(model: Model, folder: Path, domains: Sequence[DomainResult]) -> None:
    """The configuration for programs and the card for people."""
    from spn.report.model_card import model_card

    config = {
        "library_name": "spn",
        "model": to_plain(model.model_config),
        "tta": to_plain(model.tta),
        "info": dict(model.info),
        "classes": list(model.classes),
    }
    write_json(folder / _CONFIGURATION, config)
    info = model.info
    facts = {
        "method": info.get("method_title") or info.get("method"),
        "encoder": model.model_config and model.model_config.encoder.name,
        "parameters": f"{sum(weight.numel() for weight in model.network.parameters()) / 1e6:.1f} million",
        "trained on": ", ".join(info.get("trained_on", ())),
        "steps, seed": f"{info.get('steps', 'unknown')}, {info.get('seed', 'unknown')}",
        "classes": ", ".join(model.classes),
        "one photograph": protocol(model.tta)["description"],
    }
    known = {heading: str(fact or "not recorded") for heading, fact in facts.items()}
    write_text(folder / _CARD, model_card(folder.resolve().name, known, domains))
