"""A dataset as a model of other classes is trained or measured on it, by a mapping that somebody wrote down.

A finer model is measured on coarser classes by adding its probabilities; labels that are finer than the model
are translated. One's own mappings go before those of the dataset's TOML, and these before the package's.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from spn.core.classes import LabelSpace
from spn.core.errors import DatasetError
from spn.core.files import digest_of
from spn.data.base import SegmentationDataset
from spn.data.mapping import ClassMapping, shipped


class View(NamedTuple):
    """groups: the model's classes in each of the dataset's; None where these are the model's own.
    mapping: `ClassMapping.identity` of what joins them."""

    dataset: SegmentationDataset
    groups: tuple[tuple[int, ...], ...] | None = None
    mapping: str = ""


def seen_by(dataset: SegmentationDataset, space: LabelSpace, mappings: Sequence[ClassMapping] = ()) -> View:
    """`dataset` for measuring a model of the classes `space`. Raises DatasetError if no mapping joins them.

    What no class of the model is in is not evaluated.
    """
    own = dataset.label_space
    if set(own.names) == set(space.names) or (mapping := _find(space, own, dataset, mappings)) is None:
        return labelled_as(dataset, space, mappings)
    groups = mapping.groups(space, own)
    kept = {index: index for index, members in enumerate(groups) if members}
    return View(
        dataset if len(kept) == len(groups) else _translated(dataset, own, kept), groups, mapping.identity
    )


def labelled_as(
    dataset: SegmentationDataset, space: LabelSpace, mappings: Sequence[ClassMapping] = ()
) -> View:
    """`dataset` with labels in `space`. Raises DatasetError unless its classes are these, or finer ones."""
    own = dataset.label_space
    if own.names == space.names:
        return View(dataset)
    if set(own.names) == set(space.names):
        return View(_translated(dataset, space, dict(enumerate(map(space.names.index, own.names)))))
    if (mapping := _find(own, space, dataset, mappings)) is None:
        raise DatasetError(
            f"{dataset.key} has the classes {own.key} ({', '.join(own.names)}), wanted {space.key} "
            f"({', '.join(space.names)}), and no mapping joins them. Write one, from the finer classes to "
            "the coarser ones, and name it in the dataset's own TOML or with --mapping of spn evaluate "
            "(docs/datasets.md, Other classes)"
        )
    groups = mapping.groups(own, space)
    table = {index: of for of, members in enumerate(groups) for index in members}
    return View(_translated(dataset, space, table), mapping=mapping.identity)


def _find(
    fine: LabelSpace, coarse: LabelSpace, dataset: SegmentationDataset, mappings: Sequence[ClassMapping]
) -> ClassMapping | None:
    known = (*mappings, *dataset.mappings, *shipped())
    return next((one for one in known if (one.fine, one.coarse) == (fine.key, coarse.key)), None)


def _translated(
    dataset: SegmentationDataset, space: LabelSpace, table: Mapping[int, int]
) -> SegmentationDataset:
    """The same files, labels in `space`. table: by class of `dataset`; what is not in it is not evaluated."""
    twin, stored = copy.copy(dataset), dataset.label_map
    train_ids = {label: table[of] for label, of in stored.train_ids.items() if of in table}
    twin.label_space, twin.label_map = space, replace(stored, train_ids=train_ids)
    facts = dataset.fingerprint(), space.identity, sorted(table.items())
    twin.known_fingerprint = digest_of(repr(facts).encode())
    return twin
