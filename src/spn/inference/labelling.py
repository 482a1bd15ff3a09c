"""Photographs and videos labelled in their order: the work of `spn predict`."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.core.ranges import BelowOne, Positive, Share
from spn.inference.legend import with_legend, write_legend
from spn.inference.places import Clip, Photograph
from spn.inference.results import USUAL, Kind, PhotoError, check_free, signature
from spn.inference.scene import Ids, Scene
from spn.inference.video import open_film, open_video

if TYPE_CHECKING:
    from spn.inference.model import Model


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """What is written, and how."""

    ids: Ids = "label-id"
    """Ids in NAME_label.png: Cityscapes labelIds (7 road, 8 sidewalk, …) or trainIds (0 road, …)."""
    save: tuple[Kind, ...] = ()
    """Further files: probabilities (NAME_probabilities.npz, float16, of each class). Of videos, what else is
    wanted of every frame: label, overlay, uncertainty, …, as NAME/000000_label.png."""
    legend: bool = False
    """Whether overlays of photographs name the classes that occur; those of videos always do."""
    min_confidence: Share = 0.0
    """Pixels whose label is less probable than that get 255 instead."""
    smooth: BelowOne = 0.0
    """Of videos: how much the frames before count, from 0 (nothing) to below 1: labels flicker less."""
    frame_rate: Positive | None = None
    """Each folder, list or - is one video of so many frames a second."""


class Labelled(NamedTuple):
    """What became of a photograph or of one frame of a video: what was seen, or what was wrong."""

    item: Photograph | Clip
    scene: Scene | None = None
    frame: int | None = None
    rate: float = 0.0
    """Of a video: frames a second so far."""
    expected: int | None = None
    """Of a video: its number of frames."""
    error: UserError | None = None


class _Writer:
    """One thing written at a time, beside the caller; what fails is raised at the next one, or in the end."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._pending: Future[Any] | None = None

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        self.wait()
        self._pending = self._pool.submit(function, *arguments, **options)

    def wait(self) -> None:
        if (pending := self._pending) is not None:
            try:
                pending.result()
            finally:  # not where Ctrl-C came in between
                self._pending = None if pending.done() else pending


def label(model: Model, items: Iterable[Photograph | Clip], options: LabelOptions) -> Generator[Labelled]:
    """Label each photograph and frame, and save what is asked for.

    The files of one are written while others are being looked at. Closing the generator leaves whole files,
    of a video what there was so far. Raises UserError where unsure pixels would look like a class.
    """
    space = model.label_space
    if "disagreement" in options.save and model.tta.num_samples < 2:
        raise UserError("--save disagreement compares random draws; add --num-samples 8")
    if options.min_confidence and options.ids == "label-id" and IGNORE in space.label_ids:
        name = space.names[space.label_ids.index(IGNORE)]
        raise UserError(
            f"--min-confidence gives unsure pixels the id {IGNORE}, which is the class {name!r} here; add "
            "--ids train-id"
        )
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
        write = _Writer(pool)
        for is_clip, several in itertools.groupby(items, key=lambda item: isinstance(item, Clip)):
            if is_clip:
                for clip in cast("Iterator[Clip]", several):
                    yield from _clip(model, clip, options, write)
            else:
                with contextlib.closing(model.each(partial(_photograph, model, options), several)) as found:
                    for one in found:
                        if one.scene:
                            write(_save, one.scene, one.item, options)
                        yield one
        write.wait()


def _photograph(model: Model, options: LabelOptions, item: Photograph) -> Labelled:
    try:
        check_free(item.target, source=item.source)
        scene = model.predict(item.source, probabilities="probabilities" in options.save)
    except PhotoError as error:
        return Labelled(item, error=error)
    return Labelled(item, _sure(scene, options))


def _save(scene: Scene, item: Photograph, options: LabelOptions) -> None:
    kinds = tuple(dict.fromkeys((*USUAL, *options.save)))
    scene.save(item.target, ids=options.ids, kinds=kinds, legend=options.legend, photograph=item.source)


def _clip(model: Model, item: Clip, options: LabelOptions, write: _Writer) -> Iterator[Labelled]:
    """The frames of one video; what is wrong with it comes last, behind what can be had of it."""
    problem, begun = None, time.perf_counter()
    classes = model.label_space.classes

    def write_frame(scene: Scene, index: int, rate: float) -> None:
        seconds = scene.seconds or 0.0
        caption = f"{int(seconds) // 60}:{seconds % 60:04.1f}   {rate:.1f} frames/s"
        film(with_legend(np.asarray(scene.overlay()), classes, caption=caption), seconds)
        if options.save:
            target = item.target / f"{index:06}"
            scene.save(
                target, ids=options.ids, kinds=options.save, legend=options.legend, photograph=item.file
            )

    try:
        check_free(item.target, source=item.file)
        video = open_video(item.source, frame_rate=options.frame_rate)
        if options.save:
            write_legend(item.target, classes)
        with open_film(item.film, comment=signature(item.file).decode()) as film:
            try:
                keep = "probabilities" in options.save
                scenes = model.video(video, smooth=options.smooth, probabilities=keep)
                with contextlib.closing(scenes):
                    for index, seen in enumerate(scenes):
                        scene, rate = _sure(seen, options), (index + 1) / (time.perf_counter() - begun)
                        write(write_frame, scene, index, rate)
                        yield Labelled(item, scene, frame=index, rate=rate, expected=video.expected)
            except PhotoError as error:  # what there is becomes a whole film
                problem = error
            finally:
                write.wait()
            check_free(item.target, source=item.file)  # another may have written it meanwhile
    except PhotoError as error:
        problem = error
    if problem:
        yield Labelled(item, error=problem)


def _sure(scene: Scene, options: LabelOptions) -> Scene:
    return scene.confident(options.min_confidence) if options.min_confidence else scene
