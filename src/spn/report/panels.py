"""Qualitative panels: image, every method's prediction, ground truth, uncertainty; a row per sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.evaluation.results import DomainResult
from spn.report.comparison import Comparison, Domain, Run
from spn.report.pictures import PictureRow, compose, reduced
from spn.report.style import VOID


def draw_panels(comparison: Comparison, domains: Sequence[Domain], *, samples: int = 2) -> Figure | None:
    """The figure of `domains`; None without samples.

    The first `samples` of the evenly spaced samples of each domain are shown: nothing is picked by its looks.
    """
    runs = [method.runs[0] for method in comparison.methods]
    rows = [
        _read_row(runs, domain, name, title=comparison.title(domain))
        for domain in domains
        for name in _shared_samples(runs, domain)[:samples]
    ]
    if not rows:
        return None
    titles = [method.title for method in comparison.methods]
    columns = ["Image", *titles, "Ground truth", f"Uncertainty of {titles[-1]}"]
    return compose(rows, columns, _class_colours(runs, domains), uncertainty=True)


def _shared_samples(runs: Sequence[Run], domain: Domain) -> list[str]:
    """Names of the samples that every run has, with the same image under them."""
    results = [run.result(domain) for run in runs]
    first, *others = [{s.name: s.key for s in result.samples} if result else {} for result in results]
    return [name for name, key in first.items() if all(other.get(name) == key for other in others)]


def _read_row(runs: Sequence[Run], domain: Domain, name: str, *, title: str) -> PictureRow:
    folders = [run.sample_folder(result) for run in runs if (result := run.result(domain))]
    image = reduced(_open(folders[0] / f"{name}_image.png").convert("RGB"))
    predictions = [_coloured(folder / f"{name}_prediction.png") for folder in folders]
    truth = _coloured(folders[0] / f"{name}_label.png")
    uncertainty = reduced(_open(folders[-1] / f"{name}_uncertainty.png"))
    return PictureRow((np.asarray(image), *predictions, truth, np.asarray(uncertainty)), title)


def _coloured(path: Path) -> NDArray[np.uint8]:
    """A palette PNG as RGB, void in its own pale grey."""
    picture = reduced(_open(path), smooth=False)
    colours = _palette(picture)
    colours[IGNORE] = VOID
    return colours[np.asarray(picture)]


def _palette(picture: Image.Image) -> NDArray[np.uint8]:
    colours = np.zeros((256, 3), np.uint8)
    stored = np.array(picture.getpalette() or [], np.uint8).reshape(-1, 3)
    colours[: len(stored)] = stored
    return colours


def _class_colours(runs: Sequence[Run], domains: Sequence[Domain]) -> dict[str, list[int]]:
    """Colours of all classes of the domains, as the first label of each has them in its palette."""
    colours: dict[str, list[int]] = {}
    for domain in domains:
        found: list[tuple[Run, DomainResult]] = [(run, r) for run in runs if (r := run.result(domain))]
        for run, result in (pair for pair in found[:1] if pair[1].samples):
            palette = _palette(_open(run.sample_folder(result) / f"{result.samples[0].name}_label.png"))
            colours |= dict(zip(result.class_names, palette.tolist(), strict=False))
    return colours


def _open(path: Path) -> Image.Image:
    if not path.is_file():
        raise UserError(f"{path}: the sample image is gone; repeat spn evaluate with --again to write it")
    return Image.open(path)
