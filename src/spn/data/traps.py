"""The known ways in which a dataset on disk is not what it seems, by name, each with its way out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from spn.core.label_maps import LabelMap

_COPY: Final = "copy or download these files again"
_LEAVE_OUT: Final = "name them in spn_exclusions.txt with the reason"


class Trap(NamedTuple):
    """What a trap is, and what to do about it."""

    meaning: str
    remedy: str


TRAPS: Final[Mapping[str, Trap]] = MappingProxyType(
    {
        "layout": Trap(
            "no known arrangement of folders fits, or several do",
            "arrange the folders as docs/datasets.md shows",
        ),
        "bdd-package": Trap(
            "the Detection-20 / 100k images of BDD, not the 10k ones that have segmentation labels",
            "download the packages “10K Images” and “Segmentation”",
        ),
        "misnamed": Trap("image files whose names do not fit the rule", "remove or rename them"),
        "orphan": Trap(
            "an image without its label, or a label without its image", f"complete the copy, or {_LEAVE_OUT}"
        ),
        "shared-label": Trap("two images claim one label", "remove one of them"),
        "unreadable": Trap("files that cannot be opened", "check permissions and the disk"),
        "truncated": Trap("files that end early", _COPY),
        "damaged": Trap("files that cannot be decoded", _COPY),
        "colour-map": Trap("labels are colours where ids belong", "use the label files that hold ids"),
        "bit-depth": Trap("labels of more than 8 bits where ids belong", "use the label files that hold ids"),
        "synthia-16-bit": Trap(
            "SYNTHIA labels that were read or converted wrong; the class is in red, at 16 bits",
            "use GT/LABELS as downloaded",
        ),
        "trainIds-as-labelIds": Trap("trainIds where labelIds belong", "use the original label files"),
        "labelIds-as-trainIds": Trap(
            "labelIds where trainIds belong", "use the files that hold trainIds (*_train_id, *_labelTrainIds)"
        ),
        "mapillary-release": Trap(
            "labels of the other release of Mapillary Vistas than the map is for",
            "v1.2 needs the map A or B, v2.0 the map v2.0 (mapillary/v2.0=PATH)",
        ),
        "impossible-ids": Trap("ids that cannot occur under the map", "find out what wrote these files"),
        "transposed": Trap("width and height of image and label are swapped", f"rotate one, or {_LEAVE_OUT}"),
        "size-mismatch": Trap("image and label differ in size", _LEAVE_OUT),
        "single-colour": Trap("images of one colour", _LEAVE_OUT),
        "duplicate": Trap("images with equal pixels", f"keep one of each: {_LEAVE_OUT}"),
        "no-ground-truth": Trap(
            "no pixel of any evaluated class", "use a split whose ground truth is published"
        ),
    }
)  # fmt: skip


class Problem(NamedTuple):
    """One file, or one pair, that fell into `trap`."""

    trap: str
    text: str


@dataclass(frozen=True)
class Finding:
    """All problems of one kind. accepted: the user knows, and uses the dataset all the same."""

    trap: str
    items: tuple[str, ...]
    accepted: bool = False


def gather_findings(problems: Collection[Problem], *, accept: Collection[str] = ()) -> tuple[Finding, ...]:
    """One finding per trap, in the order of `TRAPS`."""
    by_trap: dict[str, list[str]] = {}
    for problem in problems:
        by_trap.setdefault(problem.trap, []).append(problem.text)
    return tuple(
        Finding(trap, tuple(by_trap[trap]), accepted=trap in accept) for trap in TRAPS if trap in by_trap
    )


def trap_of_ids(ids: Collection[int], label_map: LabelMap) -> str | None:
    """The trap that the ids of one label are in under `label_map`; None if they are in none.

    trainIds are also recognised without their 255: no road (7) nor anything above 18, but unlabelled pixels
    and several of the ids that trainIds use for vegetation, sky and cars, which are rare in labelIds.
    """
    present = set(ids)
    wrong = present - label_map.valid
    if label_map.name == "labelIds":
        if 255 in wrong and max(present - {255}, default=0) <= 18:
            return "trainIds-as-labelIds"
        if not wrong and _looks_like_train_ids(present):
            return "trainIds-as-labelIds"
    if not wrong:
        return None
    if label_map.name == "trainIds" and max(wrong) <= 34:
        return "labelIds-as-trainIds"
    if label_map.name in ("A", "B") and max(wrong) <= 123:
        return "mapillary-release"
    if label_map.name == "synthia":
        return "synthia-16-bit"
    return "impossible-ids"


def _looks_like_train_ids(present: set[int]) -> bool:
    return (
        0 in present
        and 7 not in present
        and max(present) <= 18
        and len(present - {0}) >= 3
        and bool(present & {8, 10, 13})
    )
