"""results.json: the contract between evaluation and everything that reads its figures. No torch.

    schema, version            "spn-results", 1
    run                        method, seed, checkpoint, checkpoint_sha256, info (what training noted);
                               method_title, its name in tables, where it is known
    domains[]                  one per key, split and map:
      key, split, layout, map, label_space, class_names
      title, group             of the dataset in tables, where they are known
      protocol                 name, description, precision, tta
      images, fingerprint      how many images; the dataset's content key
      split_hash               of the manifest of spn data check; null or absent without one
      checkpoint_sha256, seed  the weights, and the seed of the draws
      confusion                [C][C] pixel counts, rows ground truth, columns prediction
      class_iou                [C] fractions, null for a class without ground truth
      classes_evaluated        names of the classes that the mean is over
      miou                     mean over those
      miou_all_classes         mean over all C with absent ones as 0 (equal to miou if none is absent)
      samples                  qualitative samples: name, key, index
      predictions              whether every prediction was written
      seconds                  how long it took

All figures follow from `confusion`; reading a file checks that they do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spn.core.errors import UserError
from spn.core.files import read_json, write_json
from spn.evaluation.confusion import class_iou, mean_iou, mean_iou_all_classes
from spn.evaluation.table import results_table

SCHEMA: Final = "spn-results"
VERSION: Final = 1
RESULTS_NAME: Final = "results.json"
SAMPLES_FOLDER: Final = "samples"


class ResultsError(UserError):
    """A results file that is missing, of another version, or contradicts itself."""


@dataclass(frozen=True)
class SampleRecord:
    """One qualitative sample: files `samples/<domain>/<name>_{image,label,prediction,uncertainty}.png`."""

    name: str
    key: str
    index: int


@dataclass(frozen=True)
class DomainResult:
    """What was measured on one domain; the figures are properties, so that they cannot disagree."""

    key: str
    split: str
    map_name: str
    layout: str
    label_space: str
    class_names: tuple[str, ...]
    protocol: Mapping[str, Any]
    images: int
    fingerprint: str
    checkpoint_sha256: str
    seed: int
    confusion: NDArray[np.int64]
    samples: tuple[SampleRecord, ...] = ()
    predictions: bool = False
    seconds: float = 0.0
    split_hash: str | None = None
    title: str | None = None
    group: str | None = None

    @property
    def protocol_name(self) -> str:
        return str(self.protocol["name"])

    @property
    def class_iou(self) -> NDArray[np.float64]:
        """Fractions [C]; NaN for classes without ground truth."""
        return class_iou(self.confusion)

    @property
    def classes_evaluated(self) -> tuple[str, ...]:
        """The classes with ground truth, that `miou` is the mean over."""
        iou = self.class_iou
        return tuple(name for name, value in zip(self.class_names, iou, strict=True) if not math.isnan(value))

    @property
    def miou(self) -> float:
        """Mean IoU (a fraction) over `classes_evaluated`; NaN if the domain has no labelled pixel."""
        return mean_iou(self.class_iou)

    @property
    def miou_all_classes(self) -> float:
        """Mean IoU (a fraction) over all classes, absent ones counted as 0."""
        return mean_iou_all_classes(self.class_iou)

    @property
    def place(self) -> tuple[str, str, str]:
        """What a results file holds one entry of: key, split and map."""
        return self.key, self.split, self.map_name

    @property
    def folder_name(self) -> str:
        """The domain's folder under samples/ and predictions/."""
        return folder_name(*self.place)


@dataclass(frozen=True)
class RunResults:
    """All results of one checkpoint. info: what training noted in the weights (steps, data, …)."""

    method: str
    seed: int
    checkpoint: str
    checkpoint_sha256: str
    info: Mapping[str, Any] = field(default_factory=dict)
    domains: tuple[DomainResult, ...] = ()
    method_title: str | None = None

    def domain(self, key: str, split: str | None = None) -> DomainResult | None:
        """The first result of dataset `key` (and `split`, if given), or None."""
        return next(
            (d for d in self.domains if d.key == key and (split is None or d.split == split)),
            None,
        )

    def table(self, *, per_class: bool = False) -> str:
        """One line of text per domain; per_class: the IoU of every class in percent, too."""
        return results_table(self, per_class=per_class)

    def with_domain(self, result: DomainResult) -> RunResults:
        """A copy in which `result` replaces the entry of its place or comes last."""
        kept = [result if domain.place == result.place else domain for domain in self.domains]
        if result.place not in {domain.place for domain in self.domains}:
            kept.append(result)
        return replace(self, domains=tuple(kept))


def folder_name(key: str, split: str, map_name: str) -> str:
    """`cityscapes_val_labelIds`, `mapillary_val_A`: one folder per domain, split and map."""
    return f"{key}_{split}_{map_name}"


def find_results(path: Path) -> Path:
    """The results file that `path` (the file, its folder, or a run folder) stands for."""
    for candidate in (path, path / RESULTS_NAME, path / "evaluation" / RESULTS_NAME):
        if candidate.is_file():
            return candidate
    raise ResultsError(f"{path}: no evaluation/{RESULTS_NAME} here; run spn evaluate on it first")


def write_results(path: Path, results: RunResults) -> None:
    """Write `results` to the file `path`, atomically."""
    write_json(path, to_dict(results))


def read_results(path: Path) -> RunResults:
    """Read and check a results file. Raises ResultsError where it is damaged or contradicts itself."""
    try:
        return from_dict(read_json(path))
    except FileNotFoundError as error:
        raise ResultsError(f"{path}: no such file; run spn evaluate first") from error
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(
            f"{path}: not a results file of spn evaluate ({type(error).__name__}: {error}); "
            "move it away and evaluate again"
        ) from error


def to_dict(results: RunResults) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "run": {
            "method": results.method,
            "method_title": results.method_title,
            "seed": results.seed,
            "checkpoint": results.checkpoint,
            "checkpoint_sha256": results.checkpoint_sha256,
            "info": dict(results.info),
        },
        "domains": [_domain_to_dict(domain) for domain in results.domains],
    }


def from_dict(values: Mapping[str, Any]) -> RunResults:
    """The inverse of `to_dict`, with every check."""
    if values.get("schema") != SCHEMA or values.get("version") != VERSION:
        raise ResultsError(
            f"schema {values.get('schema')!r} version {values.get('version')!r}; "
            f"this spn reads {SCHEMA!r} version {VERSION}"
        )
    run = values["run"]
    return RunResults(
        method=str(run["method"]),
        seed=int(run["seed"]),
        checkpoint=str(run["checkpoint"]),
        checkpoint_sha256=str(run["checkpoint_sha256"]),
        info=dict(run["info"]),
        domains=tuple(_domain_from_dict(domain) for domain in values["domains"]),
        method_title=run.get("method_title"),
    )


def _domain_to_dict(domain: DomainResult) -> dict[str, Any]:
    return {
        "key": domain.key,
        "title": domain.title,
        "group": domain.group,
        "split": domain.split,
        "layout": domain.layout,
        "map": domain.map_name,
        "label_space": domain.label_space,
        "class_names": list(domain.class_names),
        "protocol": dict(domain.protocol),
        "images": domain.images,
        "fingerprint": domain.fingerprint,
        "split_hash": domain.split_hash,
        "checkpoint_sha256": domain.checkpoint_sha256,
        "seed": domain.seed,
        "miou": _number(domain.miou),
        "miou_all_classes": _number(domain.miou_all_classes),
        "classes_evaluated": list(domain.classes_evaluated),
        "class_iou": [_number(value) for value in domain.class_iou],
        "confusion": domain.confusion.tolist(),
        "samples": [{"name": s.name, "key": s.key, "index": s.index} for s in domain.samples],
        "predictions": domain.predictions,
        "seconds": round(domain.seconds, 2),
    }


def _domain_from_dict(values: Mapping[str, Any]) -> DomainResult:
    names = tuple(str(name) for name in values["class_names"])
    where = f"domain {values['key']!r}"
    confusion = np.asarray(values["confusion"])
    if confusion.shape != (len(names), len(names)) or confusion.dtype.kind not in "iu" or confusion.min() < 0:
        raise ResultsError(
            f"{where}: confusion has shape {confusion.shape} and type {confusion.dtype}; "
            f"wanted counts of {len(names)} x {len(names)} classes"
        )
    domain = DomainResult(
        key=str(values["key"]),
        split=str(values["split"]),
        map_name=str(values["map"]),
        layout=str(values["layout"]),
        label_space=str(values["label_space"]),
        class_names=names,
        protocol=dict(values["protocol"]),
        images=int(values["images"]),
        fingerprint=str(values["fingerprint"]),
        checkpoint_sha256=str(values["checkpoint_sha256"]),
        seed=int(values["seed"]),
        confusion=confusion.astype(np.int64),
        samples=tuple(
            SampleRecord(str(s["name"]), str(s["key"]), int(s["index"])) for s in values["samples"]
        ),
        predictions=bool(values["predictions"]),
        seconds=float(values["seconds"]),
        split_hash=values.get("split_hash"),
        title=values.get("title"),
        group=values.get("group"),
    )
    _check_figures(domain, values, where)
    return domain


def _check_figures(domain: DomainResult, values: Mapping[str, Any], where: str) -> None:
    if "name" not in domain.protocol or "description" not in domain.protocol:
        raise ResultsError(f"{where}: its protocol has no name or description")
    stored: Sequence[float | None] = [*values["class_iou"], values["miou"], values["miou_all_classes"]]
    derived = [*domain.class_iou, domain.miou, domain.miou_all_classes]
    same = len(stored) == len(derived) and all(
        math.isnan(b) if a is None else math.isclose(a, b, abs_tol=1e-9)
        for a, b in zip(stored, derived, strict=True)
    )
    if not same or tuple(values["classes_evaluated"]) != domain.classes_evaluated:
        raise ResultsError(
            f"{where}: its IoU figures do not follow from its confusion matrix; was it edited?"
        )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
