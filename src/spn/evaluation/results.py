"""results.json: the contract between evaluation and everything that reads its figures. No torch.

Its fields are those of `RunResults` (under "run") and `DomainResult` (under "domains"; `map_name` is called
"map"); docs/reference/file-formats.md explains each. All figures follow from `confusion`; reading a file
checks that they do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from spn.core.errors import UserError
from spn.core.files import read_json, write_json
from spn.core.records import to_plain
from spn.evaluation.grid import Grid, one_line

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
    """What was measured on one domain; the figures are properties, so that they cannot disagree.

    Attributes:
        key, split, map_name, layout: which dataset, and how its labels were read.
        label_space, class_names: the classes, in order.
        mapping: a user's own file that joins them and the model's, and a digest of it; else empty.
        protocol: name, description, and every value of the protocol.
        images, fingerprint, split_hash: how many; what identifies the data; the hash of the manifest of
            spn data check, if there is one.
        checkpoint_sha256, seed: the weights, and the seed of the random prompts.
        confusion: pixels, int64 [C, C]; rows are ground truth, columns predictions.
        samples, predictions: the pictures saved; whether every prediction was.
        title, group: the dataset's name in tables, and the section that it stands in.
    """

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
    mapping: str = ""

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
        present = zip(self.class_names, self.class_iou, strict=True)
        return tuple(name for name, iou in present if not math.isnan(iou))

    @property
    def miou(self) -> float:
        """Mean IoU (a fraction) over `classes_evaluated`; NaN if the domain has no labelled pixel."""
        present = self.class_iou[~np.isnan(self.class_iou)]
        return float(present.mean()) if present.size else math.nan

    @property
    def miou_all_classes(self) -> float:
        """Mean IoU (a fraction) over all classes, absent ones counted as 0."""
        return float(np.nan_to_num(self.class_iou).mean())

    @property
    def place(self) -> tuple[str, str, str]:
        """What a results file holds one entry of: key, split and map."""
        return self.key, self.split, self.map_name

    @property
    def folder_name(self) -> str:
        """`cityscapes_val_labelIds`: the domain's folder under samples/ and predictions/."""
        return "_".join(self.place)


@dataclass(frozen=True)
class RunResults:
    """All results of one checkpoint. info: what training noted in the weights (steps, method options, …).
    network: the configuration that it was built from; empty in older results. folder: where they stand."""

    method: str
    seed: int
    checkpoint: str
    checkpoint_sha256: str
    info: Mapping[str, Any] = field(default_factory=dict)
    domains: tuple[DomainResult, ...] = ()
    method_title: str | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    def at(self, place: tuple[str, str, str]) -> DomainResult | None:
        """The result of this key, split and map, if there is one."""
        return next((domain for domain in self.domains if domain.place == place), None)

    def table(self, *, per_class: bool = False) -> str:
        """One line of text per domain, and under them what each protocol means.

        per_class: the IoU of every class in percent, too.
        """
        headings = ("domain", "split", "map", "protocol", "images", "classes", "mIoU")
        rows = [
            (
                *d.place,
                d.protocol_name,
                str(d.images),
                f"{len(d.classes_evaluated)}/{len(d.class_names)}",
                _percent(d.miou),
            )
            for d in self.domains
        ]
        parts = [
            one_line(f"{self.method_title or self.method}, seed {self.seed}"),
            Grid(headings, rows, left=4).text(),
        ]
        if per_class:
            keys = [d.key for d in self.domains]
            heads = [d.key if keys.count(d.key) == 1 else d.folder_name for d in self.domains]
            found = [dict(zip(d.class_names, d.class_iou, strict=True)) for d in self.domains]
            names = dict.fromkeys(name for iou in found for name in iou)
            ious = [(name, *(_percent(iou.get(name, math.nan)) for iou in found)) for name in names]
            parts.append(Grid(("IoU", *heads), ious).text())
        protocols = {d.protocol_name: d.protocol["description"] for d in self.domains}
        parts += [one_line(f"protocol {name}: {description}") for name, description in protocols.items()]
        return "\n".join(parts)

    def with_domain(self, result: DomainResult) -> RunResults:
        """A copy in which `result` replaces the entry of its place or comes last."""
        by_place = {domain.place: domain for domain in (*self.domains, result)}
        return replace(self, domains=tuple(by_place.values()))


def margins(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """[3, C] of [C, C]: the diagonal, and the sums of rows and of columns."""
    return np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """TP / (TP + FN + FP) of each class, [C]; NaN without ground truth, even where it was predicted."""
    hits, truth, predicted = margins(confusion)
    return np.where(truth > 0, hits / np.maximum(truth + predicted - hits, 1), np.nan)


def find_results(path: Path, *, below: bool = False) -> tuple[Path, ...]:
    """The results file that `path` (the file, its folder, or a run folder) stands for.

    below: or else those of all run folders below `path`, by name.
    """
    for candidate in (path, path / RESULTS_NAME, path / "evaluation" / RESULTS_NAME):
        if candidate.is_file():
            return (candidate,)
    if below and (found := sorted(path.glob(f"**/evaluation/{RESULTS_NAME}"))):
        return tuple(found)
    raise ResultsError(f"{path}: no evaluation/{RESULTS_NAME} here or below; run spn evaluate on it first")


def write_results(path: Path, results: RunResults) -> None:
    """Write to the file `path`, atomically: the fields, and of a domain the figures that follow from them."""
    run = {name: value for name, value in vars(results).items() if name not in ("domains", "folder")}
    domains = []
    for domain in results.domains:
        plain = {**vars(domain), **_figures(domain), "map": domain.map_name}
        plain |= {"confusion": domain.confusion.tolist(), "seconds": round(domain.seconds, 2)}
        domains.append({name: value for name, value in plain.items() if name != "map_name"})
    write_json(path, to_plain({"schema": SCHEMA, "version": VERSION, "run": run, "domains": domains}))


def read_results(path: Path) -> RunResults:
    """Read and check what `find_results` finds; fields that there are not are passed over.

    Raises ResultsError where it is damaged or contradicts itself.
    """
    (path,) = find_results(path)
    try:
        values = read_json(path)
        if (values.get("schema"), values.get("version")) != (SCHEMA, VERSION):
            raise ResultsError(
                f"schema {values.get('schema')!r} version {values.get('version')!r}; "
                f"this spn reads {SCHEMA!r} version {VERSION}"
            )
        run = msgspec.convert({**values["run"], "domains": ()}, RunResults, dec_hook=_counts)
        domains = tuple(_domain(plain) for plain in values["domains"])
        return replace(run, domains=domains, folder=path.parent)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(
            f"{path}: not a results file of spn evaluate ({type(error).__name__}: {error}); "
            "move it away and evaluate again"
        ) from error


def _domain(values: Mapping[str, Any]) -> DomainResult:
    where = f"domain {values['key']!r}"
    domain = msgspec.convert({**values, "map_name": values["map"]}, DomainResult, dec_hook=_counts)
    shape, wanted = domain.confusion.shape, (len(domain.class_names),) * 2
    if shape != wanted:
        raise ResultsError(f"{where}: confusion has shape {shape}; wanted counts of classes {wanted}")
    if not {"name", "description"} <= set(domain.protocol):
        raise ResultsError(f"{where}: its protocol has no name or description")
    stored, derived = (
        [d["miou"], d["miou_all_classes"], *d["class_iou"]] for d in (values, _figures(domain))
    )
    same = len(stored) == len(derived) and np.allclose(
        np.array(stored, float), np.array(derived, float), rtol=0, atol=1e-9, equal_nan=True
    )
    if not same or tuple(values["classes_evaluated"]) != domain.classes_evaluated:
        raise ResultsError(f"{where}: its figures do not follow from its confusion matrix; was it edited?")
    return domain


def _counts(kind: type[Any], value: Any) -> NDArray[np.int64]:
    """The confusion matrix: the only field that msgspec does not know."""
    counts = np.asarray(value)
    if counts.dtype.kind not in "iu" or counts.min(initial=0) < 0:
        raise ResultsError(f"confusion holds {counts.dtype} from {counts.min(initial=0)}; wanted counts")
    return counts.astype(np.int64)


def _figures(domain: DomainResult) -> dict[str, Any]:
    """What follows from the confusion matrix; None for NaN."""
    values = domain.miou, domain.miou_all_classes, *domain.class_iou.tolist()
    mean, mean_of_all, *each = (None if math.isnan(value) else value for value in values)
    evaluated = list(domain.classes_evaluated)
    return {"miou": mean, "miou_all_classes": mean_of_all, "classes_evaluated": evaluated, "class_iou": each}


def _percent(fraction: float) -> str:
    """– where the domain has no such class."""
    return "–" if math.isnan(fraction) else f"{100 * fraction:.2f}"
