"""Which layout a folder has, and which image belongs to which label: by rule, or an error that says why not.

A layout applies when both its folders exist and at least one of its images has a label under its naming rule.
Exactly one may apply: two are an ambiguity, none is explained. Then every image must have a label, every
label an image (unless the declaration says that labels are shared), and every image file must be named by the
rule.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from spn.core.errors import DatasetError
from spn.core.files import read_text
from spn.core.label_maps import LabelMap
from spn.data.declaration import DatasetDeclaration, Layout, Naming
from spn.data.files import IMAGE_SUFFIXES
from spn.data.pairs import ALL, Pair, PairingProblem, SplitRequest, listing

EXCLUSIONS: Final = "spn_exclusions.txt"


class FoundSplit(NamedTuple):
    """The pairs of one split, the layout and map that were recognised, and what was left out on request."""

    layout: Layout
    label_map: LabelMap
    pairs: tuple[Pair, ...]
    excluded: tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    """A layout whose folders exist, with its images (relative path → label path, variant) and label files."""

    layout: Layout
    naming: Naming
    images: Path
    labels: Path
    matched: Mapping[str, tuple[str, str | None]]
    strays: tuple[str, ...]
    label_files: frozenset[str]

    @property
    def hits(self) -> int:
        return sum(label in self.label_files for label, _ in self.matched.values())


@dataclass
class _Search:
    """One look at one root: folder listings are read once."""

    declaration: DatasetDeclaration
    root: Path
    listings: dict[Path, tuple[str, ...]] = field(default_factory=dict)

    def files(self, folder: Path) -> tuple[str, ...]:
        if folder not in self.listings:
            self.listings[folder] = tuple(_image_files(folder))
        return self.listings[folder]

    def candidates(self, split: str, map_name: str) -> list[_Candidate]:
        found = []
        for layout in self.declaration.layouts:
            if layout.flat:
                folders: tuple[str, ...] = ("",)
            else:
                folders = self.declaration.splits.get(split, ())
            for folder, naming in ((f, n) for f in folders for n in layout.namings if n.map.name == map_name):
                images = self.root / layout.images.format(split=folder)
                labels = self.root / layout.labels.format(split=folder)
                if images.is_dir() and labels.is_dir():
                    found.append(self._candidate(layout, naming, images, labels))
        return found

    def _candidate(self, layout: Layout, naming: Naming, images: Path, labels: Path) -> _Candidate:
        rule = re.compile(layout.image_name)
        matched, strays = {}, []
        for name in self.files(images):
            match = rule.fullmatch(name)
            if match is None:
                strays.append(name)
            else:
                groups = match.groupdict()
                matched[name] = (naming.label_name.format(**groups), groups.get("variant"))
        return _Candidate(
            layout, naming, images, labels, matched, tuple(strays), frozenset(self.files(labels))
        )


def find_split(
    declaration: DatasetDeclaration,
    root: Path,
    *,
    split: SplitRequest,
    map_name: str | None,
    problems: list[PairingProblem] | None = None,
) -> FoundSplit:
    """Recognise the layout under `root` and pair the images of `split`. Raises DatasetError.

    With a list `problems`, files that do not pair up are added to it, and the pairs that do are returned.
    """
    if not root.is_dir():
        raise DatasetError(f"{declaration.key}: {root} is not a folder; wanted the dataset's root folder")
    if map_name is not None and map_name not in declaration.map_names:
        raise DatasetError(
            f"{declaration.key} has no label map {map_name!r}; "
            f"wanted one of {', '.join(declaration.map_names)}"
        )
    search = _Search(declaration, root)
    tried: list[_Candidate] = []
    for name in declaration.map_names if map_name is None else (map_name,):
        candidates = search.candidates(split.name, name)
        applying = [candidate for candidate in candidates if candidate.hits]
        if len(applying) > 1:
            raise DatasetError(
                f"{declaration.key}: {root} fits {len(applying)} layouts at once, and which one is meant "
                f"cannot be told:{listing(_describe(candidate) for candidate in applying)}\n"
                "Keep one of them in this folder."
            )
        if applying:
            return _pair(declaration, root, split=split, candidate=applying[0], collected=problems)
        tried += candidates
    raise DatasetError(_nothing_found(declaration, root, split=split.name, map_name=map_name, tried=tried))


def has_split_list(root: Path, split: str) -> bool:
    """Whether a text list of image names for `split` lies under `root`."""
    return _list_path(root, split) is not None


def _pair(
    declaration: DatasetDeclaration,
    root: Path,
    *,
    split: SplitRequest,
    candidate: _Candidate,
    collected: list[PairingProblem] | None,
) -> FoundSplit:
    layout, key = candidate.layout, declaration.key
    exclusions = read_exclusions(root)
    matched = candidate.matched
    problems = []
    if candidate.strays and not layout.flat:
        text = f"image file(s) in {candidate.images} are not named as {layout.image_name}"
        problems.append(PairingProblem("misnamed", text, candidate.strays))
    chosen = [name for name in sorted(matched) if split.takes(matched[name][1])]
    if not chosen:
        variants = sorted({str(variant) for _, variant in matched.values()})
        raise DatasetError(
            f"{key}: no image of split {split} has that setting; found {', '.join(variants[:40])}"
        )
    if layout.flat and split.name != ALL:
        chosen = _listed(root, split.name, chosen, key=key)
    excluded = [name for name in chosen if Path(name).stem in exclusions]
    chosen = [name for name in chosen if Path(name).stem not in exclusions]
    missing = [name for name in chosen if matched[name][0] not in candidate.label_files]
    if missing:
        files = tuple(f"{candidate.images / name} (wanted {matched[name][0]})" for name in missing)
        problems.append(PairingProblem("orphan", f"image(s) without a label in {candidate.labels}", files))
    if not declaration.label_shared:
        problems += _label_problems(candidate, chosen, exclusions)
    if collected is not None:
        collected += problems
        chosen = [name for name in chosen if matched[name][0] in candidate.label_files]
    elif problems:
        raise DatasetError(
            f"{key}: images and labels of split {split} under {root} do not pair up (layout "
            f"{layout.name!r}, map {candidate.naming.map.name!r}).\n"
            + "\n".join(map(str, problems))
            + "\nComplete the copy, or name images to "
            f"leave out in {root / EXCLUSIONS}, one a line (stem, then # and the reason)."
        )
    prefix = "" if layout.flat else f"{split.name}/"
    pairs = tuple(
        Pair(
            prefix + name.rpartition(".")[0],
            candidate.images / name,
            candidate.labels / matched[name][0],
        )
        for name in chosen
    )
    if not pairs:
        raise DatasetError(f"{key}: split {split} under {root} holds no image once exclusions are taken out")
    return FoundSplit(
        layout,
        candidate.naming.map,
        pairs,
        tuple(f"{name}: {exclusions[Path(name).stem]}" for name in excluded),
    )


def _label_problems(
    candidate: _Candidate, chosen: list[str], exclusions: Mapping[str, str]
) -> list[PairingProblem]:
    """Labels without an image, and labels that two images claim."""
    wanted = {label for label, _ in candidate.matched.values()}
    suffix = candidate.naming.label_name.rpartition("}")[2]
    companions = [re.compile(pattern) for pattern in candidate.naming.companions]
    orphans = [
        str(candidate.labels / name)
        for name in sorted(candidate.label_files - wanted)
        if name.endswith(suffix)
        and Path(name).stem not in exclusions
        and not any(rule.fullmatch(name) for rule in companions)
        and not (candidate.layout.flat and "/" in name)
    ]
    problems = []
    if orphans:
        text = f"label(s) without an image in {candidate.images}"
        problems.append(PairingProblem("orphan", text, tuple(orphans)))
    first: dict[str, str] = {}
    twice = []
    for name in chosen:
        label = candidate.matched[name][0]
        if label in first:
            twice.append(f"{first[label]} and {name} → {label}")
        first[label] = name
    if twice:
        problems.append(PairingProblem("shared-label", "label(s) claimed by two images", tuple(twice)))
    return problems


def read_exclusions(root: Path) -> dict[str, str]:
    """Image stem → reason, from the exclusions file of the root; empty if there is none."""
    path = root / EXCLUSIONS
    if not path.is_file():
        return {}
    exclusions = {}
    for line in read_text(path).splitlines():
        name, _, reason = line.partition("#")
        if name.strip():
            exclusions[Path(name.strip()).stem] = reason.strip() or "no reason given"
    return exclusions


def _list_path(root: Path, split: str) -> Path | None:
    paths = (root / "splits" / f"{split}.txt", root / f"{split}.txt")
    return next((path for path in paths if path.is_file()), None)


def _listed(root: Path, split: str, names: list[str], *, key: str) -> list[str]:
    """The images that the split's text list names, by file name with or without suffix."""
    path = _list_path(root, split)
    if path is None:
        raise DatasetError(
            f"{key}: the layout under {root} has no split folders and no list for {split!r}; write "
            f"{root / 'splits' / (split + '.txt')} with one image name a line, or ask for the split {ALL!r}"
        )
    lines = [line.strip() for line in read_text(path).splitlines()]
    wanted = {Path(line).stem for line in lines if line and not line.startswith("#")}
    absent = sorted(wanted - {Path(name).stem for name in names})
    if absent:
        raise DatasetError(f"{key}: {path} names {len(absent)} image(s) that are not there{listing(absent)}")
    return [name for name in names if Path(name).stem in wanted]


def _image_files(folder: Path) -> list[str]:
    """Relative paths of PNG and JPEG files below `folder`, with forward slashes; hidden files are skipped."""
    names = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = os.path.relpath(place, folder).replace(os.sep, "/")
        prefix = "" if inner == "." else f"{inner}/"
        names += [
            prefix + name
            for name in files
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
        ]
    return names


def _describe(candidate: _Candidate) -> str:
    return (
        f"{candidate.layout.name}: {candidate.images} with {candidate.labels} (map "
        f"{candidate.naming.map.name}, {candidate.hits} pairs)"
    )


def _nothing_found(
    declaration: DatasetDeclaration, root: Path, *, split: str, map_name: str | None, tried: list[_Candidate]
) -> str:
    """Why no layout applies: folders that are missing, images named otherwise, or labels named otherwise."""
    under = "" if map_name is None else f" under map {map_name!r}"
    lines = [f"{declaration.key}: no image with a label for split {split!r}{under} in {root}."]
    if not tried:
        lines.append("Wanted one of these pairs of folders:")
        folder = declaration.splits.get(split, (split,))[0]
        for layout in declaration.layouts:
            if layout.flat or split != ALL:
                images, labels = layout.images.format(split=folder), layout.labels.format(split=folder)
                state = [name for name in (images, labels) if not (root / name).is_dir()]
                lines.append(f"  {images} + {labels}  (missing: {' and '.join(state)})")
        found = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
        lines.append(f"Found in it: {', '.join(found[:12]) or 'nothing'}{' …' if len(found) > 12 else ''}")
    for candidate in {(c.images, c.labels): c for c in tried}.values():
        if not candidate.matched:
            example = f", for example {candidate.strays[0]}" if candidate.strays else ""
            lines.append(
                f"{candidate.images} holds {len(candidate.strays)} image file(s){example}; wanted names "
                f"that fit {candidate.layout.image_name}"
            )
        else:
            label = min(candidate.matched.values())[0]
            files = min(candidate.label_files, default=None)
            example = f", for example {files}" if files else ""
            lines.append(
                f"{candidate.labels} holds {len(candidate.label_files)} file(s){example}; "
                f"wanted for example {label}"
            )
    return "\n".join(lines)
