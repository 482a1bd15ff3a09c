"""The known ways in which a dataset on disk is not what it seems, by name, each with its way out."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

_LEAVE_OUT: Final = "name them in spn_exclusions.txt with the reason"
_LISTED: Final = 10

TRAPS: Final = {
    "argument": "a split, setting, label map or description that was asked for cannot be used: ask for "
    "another, or mend the file that is named",
    "layout": "no known arrangement of folders fits, or several do: arrange them as docs/datasets.md shows",
    "bdd-package": "the Detection-20 / 100k images of BDD, not the 10k ones that have segmentation labels: "
    "download the packages “10K Images” and “Segmentation”",
    "not-drawn": "polygons or panoptic segments, but no label images yet: let the tool of the dataset's "
    "makers draw them, as docs/datasets.md says",
    "misnamed": "files whose names do not fit the rule: remove or rename them",
    "orphan": f"images without a label: complete the copy, or {_LEAVE_OUT}",
    "unused-label": f"labels without an image: complete the copy, or {_LEAVE_OUT}",
    "shared-label": "two images claim one label: remove one of them",
    "unreadable": "files that cannot be opened: check permissions and the disk",
    "truncated": "files that end early: copy or download these files again",
    "damaged": "files that cannot be decoded: copy or download these files again",
    "colour-map": "labels are colours where ids belong: use the label files that hold ids",
    "bit-depth": "labels of more than 8 bits where ids belong: use the label files that hold ids",
    "lossy-label": "labels that were stored as JPEG or resized with interpolation, so that ids at edges are "
    "none: use the label files as downloaded, and resize by nearest neighbour",
    "synthia-16-bit": "SYNTHIA labels that were read or converted wrong; the class is in red, at 16 bits: "
    "use GT/LABELS as downloaded",
    "trainIds-as-labelIds": "trainIds where labelIds belong: use the original label files",
    "labelIds-as-trainIds": "labelIds where trainIds belong: use the files that hold trainIds (*_train_id, "
    "*_labelTrainIds)",
    "mapillary-release": "labels of the other release of Mapillary Vistas than the map is for: v1.2 needs "
    "the map A or B, v2.0 the map v2.0 (mapillary/v2.0=PATH)",
    "colour-managed": "labels with an ICC profile: a program that manages colours wrote them, and may have "
    "changed ids: use the label files as downloaded, or write their ids again without a profile",
    "impossible-ids": "ids that cannot occur under the map: find out what wrote these files",
    "transposed": f"width and height of image and label are swapped: rotate one, or {_LEAVE_OUT}",
    "size-mismatch": f"image and label differ in size: {_LEAVE_OUT}",
    "single-colour": f"images of one colour: {_LEAVE_OUT}",
    "duplicate": f"images with equal pixels: keep one of each: {_LEAVE_OUT}",
    "split-overlap": "duplicates between the training split and another, under any name, also compressed or "
    f"resized anew, so that results there say little: take them out of one of the two: {_LEAVE_OUT}",
    "implausible-statistics": "labels that do not look like what they should hold: probably other files "
    "under the right names (category ids, another table of ids), or upside down; look at the samples of spn "
    "data stats: use the original label files, or say under [expect] in the declaration what is right",
    "mirrored": "images that were mirrored or turned without their labels, or the other way round: use both "
    "as downloaded, and augment both alike",
    "swapped": "labels that are not those of their images, perhaps since files were numbered anew: pair them "
    "again from the original files",
    "no-ground-truth": "no pixel of any evaluated class: use a split whose ground truth is published",
}
"""What each trap is, and what to do about it."""


class Problem(msgspec.Struct, frozen=True):
    """What fell into `trap`, and which file it is."""

    trap: str
    text: str


class Finding(msgspec.Struct, frozen=True):
    """All problems of one kind. accepted: the user knows, and uses the dataset all the same."""

    trap: str
    items: tuple[str, ...]
    accepted: bool = False

    def __str__(self) -> str:
        return f"{len(self.items)} x {self.trap} ({TRAPS[self.trap]}){listing(self.items)}"


def gather_findings(problems: Iterable[Problem], *, accept: Collection[str] = ()) -> tuple[Finding, ...]:
    """One finding per trap, in the order of `TRAPS`."""
    by_trap: dict[str, list[str]] = {}
    for problem in problems:
        by_trap.setdefault(problem.trap, []).append(problem.text)
    return tuple(Finding(trap, tuple(by_trap[trap]), trap in accept) for trap in TRAPS if trap in by_trap)


def listing(items: Iterable[object]) -> str:
    """The first ten items, one a line, and how many more there are."""
    lines = [str(item) for item in items]
    shown = "".join(f"\n  {line}" for line in lines[:_LISTED])
    return shown + (f"\n  … and {len(lines) - _LISTED} more" if len(lines) > _LISTED else "")
