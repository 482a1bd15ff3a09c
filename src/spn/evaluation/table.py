"""Results as text for a terminal: one row per domain and, if wanted, the IoU of every class. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spn.evaluation.results import RunResults


def results_table(results: RunResults, *, per_class: bool) -> str:
    """The table of all domains, and under it what each protocol means."""
    rows = [["domain", "split", "map", "images", "classes", "mIoU", "protocol"]]
    for d in results.domains:
        classes = f"{len(d.classes_evaluated)}/{len(d.class_names)}"
        rows.append([*d.place, str(d.images), classes, _percent(d.miou), d.protocol_name])
    parts = [
        f"{results.method_title or results.method}, seed {results.seed}",
        _aligned(rows, right=(3, 4, 5)),
    ]
    if per_class:
        keys = [d.key for d in results.domains]
        heads = [d.key if keys.count(d.key) == 1 else d.folder_name for d in results.domains]
        found = [dict(zip(d.class_names, d.class_iou, strict=True)) for d in results.domains]
        names = dict.fromkeys(name for iou in found for name in iou)
        rows = [["IoU", *heads]]
        rows += [[name, *(_percent(iou.get(name, math.nan)) for iou in found)] for name in names]
        parts += ["", _aligned(rows, right=range(1, len(rows[0])))]
    protocols = {d.protocol_name: d.protocol["description"] for d in results.domains}
    parts += [f"protocol {name}: {description}" for name, description in protocols.items()]
    return "\n".join(parts)


def _percent(fraction: float) -> str:
    """– where the domain has no such class."""
    return "–" if math.isnan(fraction) else f"{100 * fraction:.2f}"


def _aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{'>' if at in right else '<'}{widths[at]}}" for at, cell in enumerate(row))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
