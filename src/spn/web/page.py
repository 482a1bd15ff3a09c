"""The page: what stands where, and what happens when something is dropped, chosen or moved (Gradio)."""

from __future__ import annotations

import contextlib
import functools
import html
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gradio as gr

from spn.core.errors import UserError
from spn.inference.model import Model
from spn.inference.tta import DeviceName
from spn.inference.weights import load
from spn.web.look import PICTURES, Limits, Look, look

KEPT: Final = 600
"""Seconds after which photographs and results are deleted."""
MOST_DRAWS: Final = 16
THEME: Final = gr.themes.Base(  # Gradio's own fonts would be fetched
    font=["system-ui", "Liberation Sans", "sans-serif"], font_mono=["monospace"]
)
CSS: Final = """
.classes { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.classes th, .classes td { padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--border-color-primary); }
.classes th { text-align: left; } .classes td, .classes th + th { text-align: right; }
.classes span { display: inline-block; width: 1em; height: 1em; margin-right: 0.5em; vertical-align: -0.1em; }
"""
ABOUT: Final = """# What is where in a street
Drop a photograph, or a short video: every pixel gets a class. Files are deleted after ten minutes."""
DOWNLOADS: Final = {"label": "Labels (PNG)", "overlay": "Overlay (PNG)", "table": "Table (CSV)"}


class Answers:
    """What the page asks for: the networks `runs` by their names (None: the shipped one), and what they see.

    All files are in `folder`, and what was seen is known by the folder in it that holds its files.
    """

    def __init__(
        self, runs: Mapping[str, Path | None], folder: Path, *, limits: Limits, device: DeviceName
    ) -> None:
        self.names = list(runs)
        self._folder = folder
        self._seen: dict[str, Look] = {}
        self._seconds = limits.seconds
        self._model = functools.lru_cache(maxsize=2)(lambda name: load(runs[name], device=device))

    def classes(self, run: str) -> list[str]:
        model: Model = self._model(run)
        return list(model.classes)

    def offered(self, run: str) -> Any:
        """All classes of this network, to choose from and chosen."""
        return gr.update(choices=self.classes(run), value=self.classes(run))

    def labelled(
        self,
        file: str | None,
        run: str,
        draws: float,
        before: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio looks for it among the defaults
    ) -> list[Any]:
        """Where it is known, a note (or what is wrong), the table, the video and the `DOWNLOADS`."""
        if before:
            shutil.rmtree(before, ignore_errors=True)
            self._seen.pop(before, None)
        hidden = gr.update(visible=False)
        empty = ["", hidden, *[hidden] * len(DOWNLOADS)]
        if file is None:
            return [None, "", *empty]
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            model: Model = self._model(run)
            model = replace(model, tta=replace(model.tta, num_samples=int(draws)))
            tell = functools.partial(progress, desc="labelling")
            seen = look(model, Path(file), folder, seconds=self._seconds, progress=tell)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not isinstance(error, UserError):
                raise
            return [None, f'<p role="alert"><strong>{html.escape(str(error))}</strong></p>', *empty]
        note = f'<p role="status">{html.escape(seen.note)}</p>'
        files = [seen.downloads.get(name) for name in ("video", *DOWNLOADS)]
        self._seen[str(folder)] = seen
        return [
            str(folder),
            note,
            seen.table(),
            *(gr.update(value=file, visible=bool(file)) for file in files),
        ]

    def compared(self, place: str | None, left: str, right: str, shown: Sequence[str]) -> Any:
        """The two pictures of the slider."""
        seen = self._seen.get(place or "")
        return seen and (seen.picture(left, shown), seen.picture(right, shown))

    def forget(self, *, age: float = KEPT) -> None:
        """Delete files in whose folder nothing was written for `age` seconds, and what was seen with them."""
        for place in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if max(path.stat().st_mtime for path in (place, *place.rglob("*"))) < time.time() - age:
                    shutil.rmtree(place) if place.is_dir() else place.unlink()
        for gone in [place for place in self._seen if not Path(place).exists()]:
            self._seen.pop(gone, None)


def build_page(answers: Answers) -> gr.Blocks:
    """What stands where, and what is asked when."""
    first = answers.names[0]
    with gr.Blocks(title="SPN", analytics_enabled=False) as page:
        seen = gr.State(None)
        gr.Markdown(ABOUT)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                upload = gr.File(label="Photograph or short video", type="filepath", height=160)
                run = gr.Dropdown(answers.names, value=first, label="Network", visible=len(answers.names) > 1)
                draws = gr.Slider(
                    0, MOST_DRAWS, 0, step=1, label="Draws of the prompt",
                    info="0: the mean prompt. Several show where they disagree.",
                )  # fmt: skip
            with gr.Column(scale=3, min_width=320):
                note = gr.HTML()
                with gr.Row():
                    left = gr.Dropdown(list(PICTURES), value="photograph", label="Left")
                    right = gr.Dropdown(list(PICTURES), value="labels", label="Right")
                slider = gr.ImageSlider(
                    label="Two pictures, one over the other", interactive=False, format="jpeg", max_height=700
                )
                names = answers.classes(first)
                shown = gr.CheckboxGroup(list(names), value=list(names), label="Classes shown")
                with gr.Row():
                    everything = gr.Button("All classes", size="sm")
                    nothing = gr.Button("No class", size="sm")
                film = gr.Video(label="Overlay", visible=False)
                table = gr.HTML()
                with gr.Row():
                    buttons = [gr.DownloadButton(text, visible=False) for text in DOWNLOADS.values()]

        private = {"api_visibility": "private"}
        alone = {"concurrency_limit": 1, "concurrency_id": "network"}
        inputs, outputs = [upload, run, draws, seen], [seen, note, table, film, *buttons]
        compare = {"fn": answers.compared, "inputs": [seen, left, right, shown], "outputs": slider}
        for event in (upload.upload, upload.clear, run.input, draws.release):
            event(answers.labelled, inputs, outputs, **alone, **private).success(**compare, **private)
        for event in (left.input, right.input, shown.change):
            event(**compare, show_progress="hidden", **private)
        for event in (run.input, everything.click):
            event(answers.offered, run, shown, **private)
        nothing.click(list, None, shown, **private)
    return page
