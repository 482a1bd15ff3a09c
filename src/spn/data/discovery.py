"""Which layout a folder has, and which image belongs to which label: by rule, or an error that says why not.

A layout applies when both its folders exist and at least one of its images has a label under its naming rule.
Exactly one may apply: two are an ambiguity, none is explained. Then every image must have a label, every
label an image (unless the declaration says that labels are shared), and every file must be named by the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from spn.core.errors import DatasetError
from spn.core.files import read_text
from spn.core.label_maps import LabelMap
from spn.data.candidates import Candidate, Place
from spn.data.declaration import VARIANT, DatasetDeclaration, Layout
from spn.data.pairs import ALL, Pair, SplitRequest
from spn.data.traps import Problem, listing

EXCLUSIONS: Final = "spn_exclusions.txt"


class FoundSplit(NamedTuple):
    """The pairs of one split, the layout and map that were recognised, and what was left out on request."""

    layout: Layout
    label_map: LabelMap
    pairs: tuple[Pair, ...]
    excluded: tuple[str, ...]


@dataclass
class _Search:
    """One look at one root: folder listings are read once."""

    declaration: DatasetDeclaration
    root: Path
    places: dict[str, Place] = field(default_factory=dict)

    def place(self, glob: str) -> Place:
        return self.places.setdefault(glob, Place(self.root, glob))

    def candidates(self, split: str, map_name: str) -> list[Candidate]:
        found = []
        for layout in self.declaration.layouts:
            for images, labels in folders_of(layout, self.declaration, split):
                places = self.place(images), self.place(labels)
                if all(place.folder.is_dir() for place in places):
                    found += [Candidate(layout, n, *places) for n in layout.namings if n.map.name == map_name]
        return found


def folders_of(layout: Layout, declaration: DatasetDeclaration, split: str) -> list[tuple[str, str]]:
    """Globs of images and labels that may hold `split` under `layout`."""
    if layout.flat or layout.split == split:
        return [(layout.images, layout.labels)]
    folders = () if layout.split else declaration.splits.get(split, ())
    return [(layout.images.format(split=name), layout.labels.format(split=name)) for name in folders]


def find_split(
    declaration: DatasetDeclaration,
    root: Path,
    *,
    split: SplitRequest,
    map_name: str | None,
    problems: list[Problem] | None = None,
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
    tried: list[Candidate] = []
    for name in declaration.map_names if map_name is None else (map_name,):
        candidates = search.candidates(split.name, name)
        applying = [candidate for candidate in candidates if candidate.hits]
        if len(applying) > 1:
            raise DatasetError(
                f"{declaration.key}: {root} fits {len(applying)} layouts at once, and which one is meant "
                f"cannot be told:{listing(applying)}\nKeep one of them in this folder."
            )
        if applying:
            return _pair(declaration, root, split=split, candidate=applying[0], collected=problems)
        tried += candidates
    raise DatasetError(_nothing_found(declaration, root, split=split.name, map_name=map_name, tried=tried))


def split_list(root: Path, split: str) -> Path | None:
    """The text list of image names for `split` under `root`, if there is one."""
    paths = (root / "splits" / f"{split}.txt", root / f"{split}.txt")
    return next((path for path in paths if path.is_file()), None)


def _pair(
    declaration: DatasetDeclaration,
    root: Path,
    *,
    split: SplitRequest,
    candidate: Candidate,
    collected: list[Problem] | None,
) -> FoundSplit:
    layout, naming, key = candidate.layout, candidate.naming, declaration.key
    exclusions = read_exclusions(root)
    matched, wanted, labels = candidate.matched, candidate.wanted, candidate.identified
    variants = {name: match.groupdict().get(VARIANT) for name, match in matched.items()}
    chosen = [name for name in matched if split.takes(variants[name])]
    if not chosen:
        shown = ", ".join(sorted(map(str, set(variants.values())))[:40])
        raise DatasetError(f"{key}: no image of split {split} has that setting; found {shown}")
    if layout.flat and split.name != ALL:
        chosen = _listed(root, split.name, chosen, key=key)
    excluded = [name for name in chosen if Path(name).stem in exclusions]
    chosen = [name for name in chosen if Path(name).stem not in exclusions]
    problems = _problems(candidate, chosen, exclusions, shared=declaration.label_shared)
    if collected is not None:
        collected += problems
        chosen = [name for name in chosen if wanted[name] in labels]
    elif problems:
        raise DatasetError(
            f"{key}: images and labels of split {split} under {root} do not pair up (layout {layout.name!r}, "
            f"map {naming.map.name!r}).\n" + "\n".join(map(str, problems)) + "\nComplete the copy, or name "
            f"images to leave out in {root / EXCLUSIONS}, one a line (stem, then # and the reason)."
        )
    if not chosen:
        raise DatasetError(f"{key}: split {split} under {root} holds no image once exclusions are taken out")
    keys = {name: naming.pair_key(matched[name]) for name in chosen}
    if naming.label_key:
        chosen.sort(key=keys.__getitem__)
    prefix, images, truth = (
        "" if layout.flat else f"{split.name}/",
        candidate.images.folder,
        candidate.labels.folder,
    )
    return FoundSplit(
        layout,
        naming.map,
        tuple(Pair(prefix + keys[name], images / name, truth / labels[wanted[name]]) for name in chosen),
        tuple(f"{name}: {exclusions[Path(name).stem]}" for name in excluded),
    )


def _problems(
    candidate: Candidate, chosen: list[str], exclusions: Mapping[str, str], *, shared: bool
) -> list[Problem]:
    """Files that the rules do not know, images without a label, labels without an image or of two images."""
    naming, wanted, labels = candidate.naming, candidate.wanted, candidate.identified
    images, truth = candidate.images.folder, candidate.labels.folder
    expected = "" if naming.label_key else " (wanted {})"
    unused = set(labels) - set(wanted.values())
    claims: dict[str, list[str]] = {}
    for name in chosen:
        claims.setdefault(wanted[name], []).append(name)
    found = (
        (
            "misnamed",
            f"image file(s) in {images} are not named as {candidate.layout.image_name}",
            [name for name in candidate.images.files if name not in candidate.matched],
        ),
        (
            "misnamed",
            f"label file(s) in {truth} are not named as {naming.label_key}",
            [name for name in candidate.labels.files if naming.identify(name) is None],
        ),
        (
            "orphan",
            f"image(s) without a label in {truth}",
            [f"{images / n}{expected.format(wanted[n])}" for n in chosen if wanted[n] not in labels],
        ),
        (
            "orphan",
            f"label(s) without an image in {images}",
            [
                str(truth / labels[key])
                for key in sorted(unused)
                if not shared and naming.is_label(labels[key]) and Path(labels[key]).stem not in exclusions
            ],
        ),
        (
            "shared-label",
            "label(s) claimed by two images",
            [
                f"{' and '.join(names)} → {label}"
                for label, names in claims.items()
                if len(names) > 1 and not shared
            ],
        ),
    )
    return [Problem(trap, text, tuple(files)) for trap, text, files in found if files]


def read_exclusions(root: Path) -> dict[str, str]:
    """Image stem → reason, from the exclusions file of the root; empty if there is none."""
    path = root / EXCLUSIONS
    lines = read_text(path).splitlines() if path.is_file() else []
    named = [(name.strip(), reason.strip()) for name, _, reason in (line.partition("#") for line in lines)]
    return {Path(name).stem: reason or "no reason given" for name, reason in named if name}


def _listed(root: Path, split: str, names: list[str], *, key: str) -> list[str]:
    """The images that the split's text list names, by file name with or without suffix."""
    path = split_list(root, split)
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


def _nothing_found(
    declaration: DatasetDeclaration, root: Path, *, split: str, map_name: str | None, tried: list[Candidate]
) -> str:
    """Why no layout applies: folders that are missing, images named otherwise, or labels named otherwise."""
    under = "" if map_name is None else f" under map {map_name!r}"
    lines = [f"{declaration.key}: no image with a label for split {split!r}{under} in {root}."]
    if not tried:
        lines.append("Wanted one of these pairs of folders:")
        for layout in declaration.layouts:
            for globs in folders_of(layout, declaration, split)[:1]:
                missing = [glob for glob in globs if not Place(root, glob).folder.is_dir()]
                lines.append(f"  {' + '.join(globs)}  (missing: {' and '.join(missing)})")
        found = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
        lines.append(f"Found in it: {', '.join(found[:12]) or 'nothing'}{' …' if len(found) > 12 else ''}")
    for candidate in {(c.images, c.labels): c for c in tried}.values():
        if candidate.matched:
            place, kind, wanted = candidate.labels, "label", f"for example {min(candidate.wanted.values())}"
        else:
            place, kind, wanted = candidate.images, "image", f"names that fit {candidate.layout.image_name}"
        example = f", for example {place.files[0]}" if place.files else ""
        lines.append(f"{place.folder} holds {len(place.files)} {kind} file(s){example}; wanted {wanted}")
    return "\n".join(lines)
