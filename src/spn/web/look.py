"""What the page tells of one photograph or video: pictures, a table and files. No Gradio."""

from __future__ import annotations

import contextlib
import html
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.core.ranges import Positive
from spn.inference.legend import with_legend
from spn.inference.places import VIDEO_SUFFIXES
from spn.inference.results import FILM, Kind, PhotoError, result_path, signature
from spn.inference.scene import ClassArea, Scene
from spn.inference.table import open_table
from spn.inference.video import open_film, open_video

if TYPE_CHECKING:
    from spn.inference.model import Model

MAPS: Final[tuple[Kind, ...]] = ("uncertainty", "disagreement")
PICTURES: Final = ("photograph", "labels", "overlay", *MAPS)
LONGEST_SIDE: Final = 1600
"""Pixels of a picture on the page; files have the photograph's size."""


@dataclass(frozen=True)
class Limits:
    """Of what the page takes."""

    megabytes: Positive = 50.0
    """Larger files are refused."""
    seconds: Positive = 10.0
    """Of a video, this much is labelled from its start."""


@dataclass(frozen=True, eq=False)
class Look:
    """scene: the photograph, or the first frame of a video. areas: of all frames. maps: PNGs of those `MAPS`
    that there are. downloads: files by what they hold: label, overlay, table, video."""

    scene: Scene
    areas: list[ClassArea]
    note: str
    maps: dict[str, Path]
    downloads: dict[str, Path]

    def picture(self, kind: str, shown: Sequence[str]) -> Image.Image:
        """One of `PICTURES`, with the colours of the classes `shown`; the photograph where there is none."""
        scene = self.scene
        if kind in self.maps:
            with Image.open(self.maps[kind]) as opened:
                picture = opened.convert("RGB")
        elif kind in ("labels", "overlay"):
            hidden = [index for index, name in enumerate(scene.classes) if name not in shown]
            labels = np.where(np.isin(scene.labels, hidden), np.uint8(IGNORE), scene.labels)
            strength = 1.0 if kind == "labels" else 0.55
            picture = replace(scene, labels=labels).overlay(strength=strength)
        else:
            picture = Image.fromarray(scene.image)
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        return picture

    def table(self) -> str:
        """The classes that occur, the largest first, in HTML."""
        colours = {one.name: one.colour for one in self.scene.label_space.classes}
        rows = [
            f'<tr><th scope="row"><span style="background: rgb{colours[one.name]}"></span>'
            f"{html.escape(one.name)}</th><td>{one.share:.1%}</td><td>{one.confidence:.1%}</td></tr>"
            for one in sorted(self.areas, key=lambda one: -one.share)
            if one.confidence is not None
        ]
        heads = "".join(f'<th scope="col">{name}</th>' for name in ("class", "share", "mean confidence"))
        return f'<table class="classes"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def look(
    model: Model,
    file: Path,
    folder: Path,
    *,
    seconds: float,
    progress: Callable[[float], None] = lambda share: None,
) -> Look:
    """Label a file, of a video so many seconds, and write results into the empty `folder`.

    Raises UserError, without the file's place, for what is no photograph or video.
    """
    try:
        if file.suffix.lower() in VIDEO_SUFFIXES:
            return _video(model, file, folder, seconds, progress)
        return _photograph(model, file, folder)
    except PhotoError as error:
        text = str(error).replace(str(file), file.name)
        raise UserError(f"{text}. Wanted a photograph (JPEG, PNG, WebP, …) or a video") from error


def _photograph(model: Model, file: Path, folder: Path) -> Look:
    scene = model.predict(file)
    target = folder / file.stem
    table = result_path(target, "classes", ".csv")
    with open_table(table) as write:
        write(file.name, None, scene)
    height, width = scene.labels.shape
    note = f"{file.name}, {width} × {height} pixels"
    downloads = {**_saved(scene, target, "label", "overlay"), "table": table}
    return Look(scene, scene.table(), note, _saved(scene, target, *MAPS), downloads)


def _video(model: Model, file: Path, folder: Path, seconds: float, progress: Callable[[float], None]) -> Look:
    """Every frame up to `seconds`; of a file that is damaged further on, what there is."""
    classes = model.label_space.classes
    video = open_video(file)
    frames = itertools.takewhile(lambda frame: frame.seconds < seconds, video.frames)
    target = folder / file.stem
    films, table = result_path(target, "overlay", FILM), result_path(target, "classes", ".csv")
    first, tables, problem = None, list[list[ClassArea]](), ""
    with (
        open_film(films, comment=signature(None).decode()) as film,
        open_table(table) as write,
        contextlib.closing(model.video(frames)) as scenes,
    ):
        try:
            for index, scene in enumerate(scenes):
                first = first or scene
                film(with_legend(np.asarray(scene.overlay()), classes), scene.seconds or 0.0)
                write(file.name, index, scene)
                tables.append(scene.table())
                progress(
                    min(1.0, max((scene.seconds or 0.0) / seconds, index / (video.expected or math.inf)))
                )
        except PhotoError as error:
            if first is None:
                raise
            problem = f" ({str(error).replace(str(file), file.name)})"
    if first is None:
        raise PhotoError(f"{file}: this video has no frame")
    cut = f"the first {seconds:g} seconds, " if (video.expected or 0) > len(tables) and not problem else ""
    note = f"{file.name}: {cut}{len(tables)} frames{problem}; the pictures are of the first one"
    maps = _saved(first, target, *MAPS)
    return Look(first, mean_areas(tables), note, maps, {"video": films, "table": table})


def _saved(scene: Scene, target: Path, *kinds: Kind) -> dict[str, Path]:
    """Of these kinds of files those that the scene has."""
    written = scene.save(target, kinds=kinds)
    return {kind: path for kind in kinds if (path := result_path(target, kind)) in written}


def mean_areas(tables: Sequence[Sequence[ClassArea]]) -> list[ClassArea]:
    """Over frames: the mean share of each class, and the mean confidence of all its pixels."""
    found = []
    for frames in zip(*tables, strict=True):
        share = sum(one.share for one in frames) / len(frames)
        sure = sum(one.share * (one.confidence or 0.0) for one in frames) / len(frames)
        found.append(frames[0]._replace(share=share, confidence=sure / share if share else None))
    return found
