"""Which layout a folder has, and which image belongs to which label: by rule, or an error that says why not.

A layout applies when both its folders exist and at least one of its images has a label under its naming rule.
Exactly one may apply: two are an ambiguity, none is explained. Then every image must have a label, every
label an image (unless the declaration says that labels are shared), and every file must be named by the rule.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from glob import glob
from itertools import chain
from pathlib import Path
from typing import Final

from spn.core.errors import DatasetError
from spn.core.files import SIMULATION, read_text
from spn.data.base import Pair, SegmentationDataset
from spn.data.configuration import contradictions
from spn.data.declaration import ALL, VARIANT, DatasetDeclaration, Layout, SplitRequest, parse_split
from spn.data.files import IMAGE_SUFFIXES
from spn.data.traps import TRAPS, Problem, listing

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

    matches: images named by its rule. wanted: the key of the label of each. named: keys of labels by name.
    shared: images are variants of frames that share labels, of which there may be more.
    """

    def __init__(self, layout: Layout, images: _Place, labels: _Place) -> None:
        self.layout, self.images, self.labels = layout, images, labels
        image_rule, label_rule = re.compile(layout.image_key), re.compile(layout.label_key)
        variant = image_rule.groupindex.get(VARIANT) if VARIANT not in label_rule.groupindex else None
        self.shared = variant is not None
        self.matches = {name: match for name in images.files if (match := image_rule.fullmatch(name))}
        self.wanted = {name: _key(match, without=variant) for name, match in self.matches.items()}
        self.named = {name: _key(match) for name in labels.files if (match := label_rule.fullmatch(name))}
        self.known = {key: name for name, key in self.named.items()}
        self.hits = sum(key in self.known for key in self.wanted.values())

    def __str__(self) -> str:
        folders = f"{self.images.folder} with {self.labels.folder}"
        return f"{self.layout.name}: {folders} (map {self.layout.map.name}, {self.hits} pairs)"

    def explain(self) -> str:
        """Why no image has a label: what is named otherwise than wanted."""
        place, kind, rule, key = self.images, "image", self.layout.image_key, ""
        if self.matches:
            place, kind, rule = self.labels, "label", self.layout.label_key
            key = f", in groups for example {min(self.wanted.values())}"
        seen = f", for example {place.files[0]}" if place.files else f" with {', '.join(IMAGE_SUFFIXES)}"
        return f"{place.folder} holds {len(place.files)} {kind} file(s){seen}; wanted names as {rule}{key}"

    def problems(self, chosen: list[str], exclusions: Mapping[str, str]) -> Iterator[Problem]:
        """Images that no rule knows or that have no label, labels without an image or of two images."""
        layout, images, labels = self.layout, self.images.folder, self.labels.folder
        for name in self.images.files:
            if name not in self.matches and _reason(name, exclusions) is None:
                yield Problem("misnamed", f"image {images / name} is not named as {layout.image_key}")
        claims = defaultdict(list)
        for name in chosen:
            claims[self.wanted[name]].append(name)
        for key, names in claims.items():
            if key not in self.known:
                place = f"{labels} (wanted {key} as {layout.label_key})"
                yield from (
                    Problem("orphan", f"image {images / name} has no label in {place}") for name in names
                )
            elif names[1:] and not self.shared:
                yield Problem("shared-label", f"label {self.known[key]} is claimed by {' and '.join(names)}")
        used = {self.known.get(key) for key in self.wanted.values()}
        for name in self.named if not self.shared else ():
            if name not in used and _reason(name, exclusions) is None:
                yield Problem("unused-label", f"label {labels / name} has no image in {images}")


def _key(match: re.Match[str], *, without: int | None = None) -> str:
    """What an image and its label have in common in their paths."""
    return "/".join(group for number, group in enumerate(match.groups(), 1) if group and number != without)


def find_dataset(
    declaration: DatasetDeclaration, root: Path, split: str | None, *, map_name: str | None
) -> tuple[SegmentationDataset, list[Problem]]:
    """Recognise the layout under `root`, pair the images of `split`, and say what does not pair up.

    Raises DatasetError where there is nothing to pair.
    """
    key, maps = declaration.key, tuple(dict.fromkeys(layout.map.name for layout in declaration.layouts))
    if not root.is_dir():
        hint = "; a setting follows the split, as in PATH:val@fog" if "@" in root.name else ""
        raise DatasetError(
            f"{key}: {root} is not a folder; wanted the dataset's root folder{hint}", trap="layout"
        )
    if map_name not in (None, *maps):
        raise DatasetError(f"{key} has no label map {map_name!r}; wanted one of {', '.join(maps)}")
    requests = parse_split(declaration, split or _default_split(declaration, root))
    split = "+".join(map(str, requests))
    found = [
        _recognise(declaration, root, request.name, maps=maps if map_name is None else (map_name,))
        for request in requests
    ]
    recognised = sorted({f"{one.layout.name} with map {one.layout.map.name}" for one in found})
    if len(recognised) > 1:
        text = f"the parts of split {split!r} under {root} differ in layout or map: {', '.join(recognised)}"
        raise DatasetError(f"{key}: {text}", trap="layout")
    layout, exclusions = found[0].layout, _read_exclusions(root)
    problems = contradictions(root, declaration.configurations.get(layout.map.name, ()), layout.map)
    pairs: list[Pair] = []
    excluded: list[str] = []
    for request, one in zip(requests, found, strict=True):
        names = _images_of(declaration, request, one, root)
        reasons = {name: _reason(name, exclusions) for name in names}
        excluded += [f"{name}: {reason}" for name, reason in reasons.items() if reason]
        chosen = [name for name, reason in reasons.items() if not reason]
        problems += one.problems(chosen, exclusions)
        prefix = "" if layout.flat else f"{request.name}/"
        paired = [name for name in chosen if one.wanted[name] in one.known]
        if not paired:
            raise DatasetError(
                f"{key}: split {request} under {root} holds no image once exclusions are taken out"
            )
        if 2 * len(paired) < len(chosen) and declaration.other_package_trap:
            text = f"{len(chosen) - len(paired)} of {len(chosen)} images have no segmentation label"
            problems.append(Problem(declaration.other_package_trap, text))
        pairs += [
            Pair(
                f"{prefix}{name.rpartition('.')[0]}",
                one.images.folder / name,
                one.labels.folder / one.known[one.wanted[name]],
            )
            for name in paired
        ]
    if not problems and min(len({pair.key for pair in pairs}), len({pair.image for pair in pairs})) != len(
        pairs
    ):
        raise DatasetError(f"{key}: the parts of split {split!r} overlap; wanted disjoint parts")
    dataset = SegmentationDataset(
        key=key,
        root=root,
        title=(declaration.title or key) + (" (simulated)" if (root / SIMULATION).is_file() else ""),
        group=declaration.group,
        split=split,
        layout=layout.name,
        label_space=declaration.label_space,
        label_map=layout.map,
        encoding=declaration.encoding,
        pairs=tuple(pairs),
        exclusions=tuple(excluded),
        expect=declaration.expect,
        mappings=declaration.mappings,
    )
    return dataset, list(dict.fromkeys(problems))


def _default_split(declaration: DatasetDeclaration, root: Path) -> str:
    """The evaluation split; every image, where only a flat layout is there and no list makes that split."""
    default = "val" if "val" in declaration.splits else next(iter(declaration.splits))
    there = [
        layout.flat
        for layout in declaration.layouts
        for images, _ in _folders_of(layout, declaration, default)
        if _Place(root, images).folder.is_dir()
    ]
    return ALL if there and all(there) and _split_list(declaration, root, default) is None else default


def _folders_of(layout: Layout, declaration: DatasetDeclaration, split: str) -> list[tuple[str, str]]:
    """Globs of images and labels that may hold `split` under `layout`."""
    if layout.flat or layout.split == split:
        return [(layout.images, layout.labels)]
    folders = () if layout.split else declaration.splits.get(split, ())
    stands = "{split}"
    return [(layout.images.replace(stands, name), layout.labels.replace(stands, name)) for name in folders]


def _recognise(
    declaration: DatasetDeclaration, root: Path, split: str, *, maps: tuple[str, ...]
) -> _Candidate:
    """The one layout that applies to `split`, under the first of `maps` that has one."""
    key, place = declaration.key, cache(lambda pattern: _Place(root, pattern))
    tried = []
    for name in maps:
        candidates = [
            _Candidate(layout, place(images), place(labels))
            for layout in declaration.layouts
            if layout.map.name == name
            for images, labels in _folders_of(layout, declaration, split)
            if place(images).folder.is_dir() and place(labels).folder.is_dir()
        ]
        applying = [candidate for candidate in candidates if candidate.hits]
        if len(applying) > 1:
            raise DatasetError(
                f"{key}: {root} fits {len(applying)} layouts at once, and which one is meant cannot be told:"
                f"{listing(applying)}\nKeep one of them in this folder.",
                trap="layout",
            )
        if applying:
            return applying[0]
        tried += candidates
    lines = [f"{key}: no image with a label for split {split!r} in {root}, under map {' or '.join(maps)}."]
    signs = {
        path.relative_to(root).as_posix() for sign in declaration.other_package for path in root.glob(sign)
    }
    if signs:
        lines.append(f"{', '.join(sorted(signs)[:3])} in it: {TRAPS[declaration.other_package_trap]}.")
    if not tried:
        lines.append("Wanted one of these pairs of folders:")
        folders = [_folders_of(layout, declaration, split)[:1] for layout in declaration.layouts]
        for globs in dict.fromkeys(chain.from_iterable(folders)):
            missing = " and ".join(pattern for pattern in globs if not place(pattern).folder.is_dir())
            lines.append(f"  {' + '.join(globs)}  (missing: {missing})")
        there = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
        lines.append(f"Found in it: {', '.join(there[:12]) or 'nothing'}{' …' if len(there) > 12 else ''}")
    lines += dict.fromkeys(candidate.explain() for candidate in tried)
    raise DatasetError("\n".join(lines), trap=declaration.other_package_trap if signs else "layout")


def _images_of(
    declaration: DatasetDeclaration, split: SplitRequest, candidate: _Candidate, root: Path
) -> list[str]:
    """The images of the wanted setting, and in a flat layout those that the split's text list names."""
    key = declaration.key
    variants = {name: match.groupdict().get(VARIANT) for name, match in candidate.matches.items()}
    names = [name for name, variant in variants.items() if split.takes(variant)]
    if not names:
        shown = ", ".join(sorted(map(str, set(variants.values())))[:40])
        raise DatasetError(f"{key}: no image of split {split} has that setting; found {shown}")
    if not candidate.layout.flat or split.name == ALL:
        return names
    path = _split_list(declaration, root, split.name)
    if path is None:
        raise DatasetError(
            f"{key}: the layout under {root} has no split folders and no list for {split.name!r}; write "
            f"{root / 'splits' / split.name}.txt with one image name a line, or ask for the split {ALL!r}"
        )
    lines = [line.strip() for line in read_text(path).splitlines()]
    wanted = {Path(_without_suffix(line)).name for line in lines if line and not line.startswith("#")}
    stems = {name: Path(_without_suffix(name)).name for name in names}
    if absent := sorted(wanted - set(stems.values())):
        raise DatasetError(f"{key}: {path} names {len(absent)} image(s) that are not there{listing(absent)}")
    return [name for name in names if stems[name] in wanted]


def _read_exclusions(root: Path) -> dict[str, str]:
    """Image → reason, from the exclusions file of the root; empty if there is none."""
    path = root / EXCLUSIONS
    lines = read_text(path).splitlines() if path.is_file() else []
    named = [(name.strip(), reason.strip()) for name, _, reason in (line.partition("#") for line in lines)]
    return {_without_suffix(name): reason or "no reason given" for name, reason in named if name}


def _reason(name: str, exclusions: Mapping[str, str]) -> str | None:
    """Why an image is left out: it is excluded by its name, or by its name and folders above it."""
    parts = _without_suffix(name).split("/")
    tails = ("/".join(parts[first:]) for first in range(len(parts)))
    return next((exclusions[tail] for tail in tails if tail in exclusions), None)


def _without_suffix(name: str) -> str:
    """A name may hold dots, and be given with its suffix or without."""
    return re.sub(rf"({'|'.join(map(re.escape, IMAGE_SUFFIXES))})$", "", name, flags=re.IGNORECASE)


def _split_list(declaration: DatasetDeclaration, root: Path, split: str) -> Path | None:
    """The text list of image names for `split` under `root`, if there is one."""
    names = (split, *declaration.splits.get(split, ()))
    paths = [root / text.replace("{split}", name) for text in declaration.lists for name in names]
    return next((path for path in paths if path.is_file()), None)
