"""Which layout a folder has, and which image belongs to which label: by rule, or an error that says why not.

A layout applies when both its folders exist and at least one of its images has a label under its naming rule.
Exactly one may apply: two are an ambiguity, none is explained. Then every image must have a label, every
label an image (unless the declaration says that labels are shared), and every file must be named by the rule.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from glob import glob
from itertools import chain
from pathlib import Path
from typing import Final

from spn.core.errors import DatasetError
from spn.core.files import read_text
from spn.data.base import Pair, SegmentationDataset
from spn.data.declaration import ALL, VARIANT, DatasetDeclaration, Layout, SplitRequest, parse_split
from spn.data.files import IMAGE_SUFFIXES
from spn.data.traps import Problem, listing

EXCLUSIONS: Final = "spn_exclusions.txt"


class _Place:
    """Where files lie: the fixed folder of a glob, and the files below it that fit the rest."""

    def __init__(self, root: Path, pattern: str) -> None:
        parts = pattern.split("/")
        fixed = next((number for number, part in enumerate(parts) if set(part) & set("*?")), len(parts))
        self.folder = root.joinpath(*parts[:fixed])
        self._rest = "/".join(parts[fixed:]).replace("[", "[[]") or "**/*"

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths of PNG and JPEG files relative to the folder, sorted; hidden files are passed over."""
        names = {Path(name).as_posix() for name in glob(self._rest, root_dir=self.folder, recursive=True)}
        return tuple(sorted(name for name in names if name.lower().endswith(IMAGE_SUFFIXES)))


class _Candidate:
    """A layout whose folders exist.

    matches: images named by its rule. wanted: what identifies the label of each. known: labels by that.
    """

    def __init__(self, layout: Layout, images: _Place, labels: _Place) -> None:
        self.layout, self.images, self.labels = layout, images, labels
        rule = re.compile(layout.image_name)
        self.matches = {name: match for name in images.files if (match := rule.fullmatch(name))}
        self.wanted = {name: layout.wanted(match) for name, match in self.matches.items()}
        self.known: dict[str | None, str] = {layout.identify(name): name for name in labels.files}
        self.known.pop(None, None)
        self.hits = sum(label in self.known for label in self.wanted.values())

    def __str__(self) -> str:
        folders = f"{self.images.folder} with {self.labels.folder}"
        return f"{self.layout.name}: {folders} (map {self.layout.map.name}, {self.hits} pairs)"

    def explain(self) -> str:
        """Why no image has a label: what is named otherwise than wanted."""
        if self.matches:
            place, kind, wanted = self.labels, "label", f"for example {min(self.wanted.values())}"
        else:
            place, kind, wanted = self.images, "image", f"names that fit {self.layout.image_name}"
        example = f", for example {place.files[0]}" if place.files else ""
        return f"{place.folder} holds {len(place.files)} {kind} file(s){example}; wanted {wanted}"

    def problems(self, chosen: list[str], exclusions: Mapping[str, str], *, shared: bool) -> list[Problem]:
        """Files that no rule knows, images without a label, labels without an image or of two images."""
        layout, wanted, images, labels = self.layout, self.wanted, self.images.folder, self.labels.folder
        claims = defaultdict(list)
        for name in chosen:
            claims[wanted[name]].append(name)
        used = {self.known.get(label) for label in wanted.values()}
        found = {
            ("misnamed", f"image file(s) in {images} are not named as {layout.image_name}"): [
                name for name in self.images.files if name not in self.matches
            ],
            ("misnamed", f"label file(s) in {labels} are not named as {layout.label_key}"): [
                name for name in self.labels.files if layout.identify(name) is None
            ],
            ("orphan", f"image(s) without a label in {labels}"): [
                f"{images / name} (wanted {wanted[name]})"
                for name in chosen
                if wanted[name] not in self.known
            ],
            ("orphan", f"label(s) without an image in {images}"): [
                str(labels / name)
                for name in self.labels.files
                if name not in used
                and layout.is_label(name)
                and Path(name).stem not in exclusions
                and not shared
            ],
            ("shared-label", "label(s) claimed by two images"): [
                f"{' and '.join(names)} → {label}"
                for label, names in claims.items()
                if names[1:] and not shared
            ],
        }
        return [Problem(trap, text, tuple(files)) for (trap, text), files in found.items() if files]


def find_dataset(
    declaration: DatasetDeclaration,
    root: Path,
    split: str | None,
    *,
    map_name: str | None,
    problems: list[Problem] | None,
) -> SegmentationDataset:
    """Recognise the layout under `root` and pair the images of `split`. Raises DatasetError.

    With a list `problems`, files that do not pair up are added to it, and the pairs that do are returned.
    """
    requests = parse_split(declaration, split or _default_split(declaration, root))
    parts = [_find_split(declaration, root, r, map_name=map_name, problems=problems) for r in requests]
    first, key, split = parts[0], declaration.key, "+".join(part.split for part in parts)
    recognised = sorted({f"{part.layout} with map {part.map_name}" for part in parts})
    if len(recognised) > 1:
        text = f"the parts of split {split!r} under {root} differ in layout or map: {', '.join(recognised)}"
        raise DatasetError(f"{key}: {text}")
    if contradiction := declaration.check_root and declaration.check_root(root, first.label_map):
        if problems is None:
            raise DatasetError(str(contradiction))
        problems.append(contradiction)
    pairs = tuple(pair for part in parts for pair in part.pairs)
    if min(len({pair.key for pair in pairs}), len({pair.image for pair in pairs})) != len(pairs):
        raise DatasetError(f"{key}: the parts of split {split!r} overlap; wanted disjoint parts")
    exclusions = tuple(line for part in parts for line in part.exclusions)
    return replace(first, split=split, pairs=pairs, exclusions=exclusions)


def _default_split(declaration: DatasetDeclaration, root: Path) -> str:
    """The evaluation split; every image, where only a flat layout is there and no list makes that split."""
    default = "val" if "val" in declaration.splits else next(iter(declaration.splits))
    there = [
        layout.flat
        for layout in declaration.layouts
        for images, _ in _folders_of(layout, declaration, default)
        if _Place(root, images).folder.is_dir()
    ]
    return ALL if there and all(there) and _split_list(root, default) is None else default


def _folders_of(layout: Layout, declaration: DatasetDeclaration, split: str) -> list[tuple[str, str]]:
    """Globs of images and labels that may hold `split` under `layout`."""
    if layout.flat or layout.split == split:
        return [(layout.images, layout.labels)]
    folders = () if layout.split else declaration.splits.get(split, ())
    return [(layout.images.format(split=name), layout.labels.format(split=name)) for name in folders]


def _find_split(
    declaration: DatasetDeclaration,
    root: Path,
    split: SplitRequest,
    *,
    map_name: str | None,
    problems: list[Problem] | None,
) -> SegmentationDataset:
    """One part of a split, under the one layout that applies."""
    key, known = declaration.key, tuple(dict.fromkeys(layout.map.name for layout in declaration.layouts))
    if not root.is_dir():
        hint = "; a setting follows the split, as in PATH:val@fog" if "@" in root.name else ""
        raise DatasetError(f"{key}: {root} is not a folder; wanted the dataset's root folder{hint}")
    if map_name not in (None, *known):
        raise DatasetError(f"{key} has no label map {map_name!r}; wanted one of {', '.join(known)}")
    place = cache(lambda pattern: _Place(root, pattern))
    tried = []
    for name in known if map_name is None else (map_name,):
        candidates = [
            _Candidate(layout, place(images), place(labels))
            for layout in declaration.layouts
            if layout.map.name == name
            for images, labels in _folders_of(layout, declaration, split.name)
            if place(images).folder.is_dir() and place(labels).folder.is_dir()
        ]
        applying = [candidate for candidate in candidates if candidate.hits]
        if len(applying) > 1:
            raise DatasetError(
                f"{key}: {root} fits {len(applying)} layouts at once, and which one is meant cannot be told:"
                f"{listing(applying)}\nKeep one of them in this folder."
            )
        if applying:
            return _pair(declaration, root, split, applying[0], collected=problems)
        tried += candidates
    lines = [f"{key}: no image with a label for split {split.name!r} in {root}."]
    if map_name is not None:
        lines.append(f"Looked for labels under map {map_name!r}.")
    if not tried:
        lines.append("Wanted one of these pairs of folders:")
        folders = [_folders_of(layout, declaration, split.name)[:1] for layout in declaration.layouts]
        for globs in dict.fromkeys(chain.from_iterable(folders)):
            missing = " and ".join(pattern for pattern in globs if not place(pattern).folder.is_dir())
            lines.append(f"  {' + '.join(globs)}  (missing: {missing})")
        there = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
        lines.append(f"Found in it: {', '.join(there[:12]) or 'nothing'}{' …' if len(there) > 12 else ''}")
    raise DatasetError("\n".join([*lines, *dict.fromkeys(candidate.explain() for candidate in tried)]))


def _pair(
    declaration: DatasetDeclaration,
    root: Path,
    split: SplitRequest,
    candidate: _Candidate,
    *,
    collected: list[Problem] | None,
) -> SegmentationDataset:
    layout, key = candidate.layout, declaration.key
    exclusions = _read_exclusions(root)
    variants = {name: match.groupdict().get(VARIANT) for name, match in candidate.matches.items()}
    chosen = [name for name, variant in variants.items() if split.takes(variant)]
    if not chosen:
        shown = ", ".join(sorted(map(str, set(variants.values())))[:40])
        raise DatasetError(f"{key}: no image of split {split} has that setting; found {shown}")
    if layout.flat and split.name != ALL:
        chosen = _listed(root, split.name, chosen, key=key)
    excluded = [f"{name}: {exclusions[Path(name).stem]}" for name in chosen if Path(name).stem in exclusions]
    chosen = [name for name in chosen if Path(name).stem not in exclusions]
    problems = candidate.problems(chosen, exclusions, shared=declaration.label_shared)
    if problems and collected is None:
        raise DatasetError(
            f"{key}: images and labels of split {split} under {root} do not pair up (layout {layout.name!r}, "
            f"map {layout.map.name!r}).\n" + "\n".join(map(str, problems)) + "\nComplete the copy, or name "
            f"images to leave out in {root / EXCLUSIONS}, one a line (stem, then # and the reason)."
        )
    if collected is not None:
        collected += problems
    prefix = "" if layout.flat else f"{split.name}/"
    pairs = [
        Pair(
            prefix + layout.pair_key(candidate.matches[name]),
            candidate.images.folder / name,
            candidate.labels.folder / candidate.known[candidate.wanted[name]],
        )
        for name in chosen
        if candidate.wanted[name] in candidate.known
    ]
    if not pairs:
        raise DatasetError(f"{key}: split {split} under {root} holds no image once exclusions are taken out")
    if layout.label_key:
        pairs.sort(key=lambda pair: pair.key)
    return SegmentationDataset(
        key=key,
        root=root,
        title=declaration.title or key,
        group=declaration.group,
        split=str(split),
        layout=layout.name,
        label_space=declaration.label_space,
        label_map=layout.map,
        encoding=declaration.encoding,
        pairs=tuple(pairs),
        exclusions=tuple(excluded),
    )


def _read_exclusions(root: Path) -> dict[str, str]:
    """Image stem → reason, from the exclusions file of the root; empty if there is none."""
    path = root / EXCLUSIONS
    lines = read_text(path).splitlines() if path.is_file() else []
    named = [(name.strip(), reason.strip()) for name, _, reason in (line.partition("#") for line in lines)]
    return {Path(name).stem: reason or "no reason given" for name, reason in named if name}


def _split_list(root: Path, split: str) -> Path | None:
    """The text list of image names for `split` under `root`, if there is one."""
    paths = (root / "splits" / f"{split}.txt", root / f"{split}.txt")
    return next((path for path in paths if path.is_file()), None)


def _listed(root: Path, split: str, names: list[str], *, key: str) -> list[str]:
    """The images that the split's text list names, by file name with or without suffix."""
    path = _split_list(root, split)
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
