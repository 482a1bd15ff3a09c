"""Runs what the documentation shows: `python documentation_program.py PAGES.json` prints a report as JSON.

Run as a process of its own, because the examples register methods, encoders and decoders, which would stay.
PAGES.json: a list of [page, [[language, text], …]]. The report: for each page a list of failures.

Python blocks of a page are run one after another in one namespace. A block that begins with a comment naming
a file, as `# mine.py`, is written to that file; a Python one also runs. The commands of shell blocks are
parsed by the command's own parser, which knows the options; nothing is carried out.

The examples find in the working folder: street.jpg; data/ with miniatures of all datasets and two frames in
ACDC's layout; runs/baseline and runs/spn, trained for a step and evaluated.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image

NOT_RUN = "# not run:"
_VARIABLE = re.compile(r"\$\{?\w+\}?")


def prepare() -> None:
    """What the examples find in the working folder."""
    _command("simulate", "--out", "data", "--width", "96", "--height", "64", "--train", "4", "--val", "2")
    (frame,) = sorted(Path("data/cityscapes").rglob("*_leftImg8bit.png"))[:1]
    for name in ("street.jpg", "a.jpg", "b.jpg"):
        Image.open(frame).convert("RGB").save(name)
    for weather in ("fog", "night"):
        image = Path(f"data/my_city/camera/{weather}/val/drive1/000041_camera.png")
        label = Path(f"data/my_city/truth/{weather}/val/drive1/000041_labelIds.png")
        for path in (image, label):
            path.parent.mkdir(parents=True)
        shutil.copy(frame, image)
        shutil.copy(next(Path("data/cityscapes").rglob(f"{frame.name[:-16]}_gtFine_labelIds.png")), label)
    for method in ("baseline", "spn"):
        run, data = f"runs/{method}", ("--data", "cityscapes=data/cityscapes:val")
        _command(
            "train", "--preset", "tiny", "--method.kind", method, "--out", run, "--data", "gtav=data/gtav",
            "--schedule.steps", "1", "--augmentation.crop-width", "64", "--augmentation.crop-height", "64",
        )  # fmt: skip
        _command("evaluate", run, *data)
        _command("evaluate", run, *data, "--precision", "bf16", "--out", f"{run}/evaluation_bf16")


def _command(*arguments: str) -> None:
    from spn.cli.main import dispatch

    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = dispatch(arguments)
    if status:
        raise SystemExit(f"spn {shlex.join(arguments)}: exit status {status}\n{said.getvalue()}")


def run_page(blocks: list[tuple[str, str]]) -> list[str]:
    """What fails on a page, in the order of its blocks."""
    os.environ.pop("SPN_PLUGINS", None)  # of the page before
    namespace: dict[str, Any] = {"__name__": "documentation"}
    failures = []
    for number, (language, text) in enumerate(blocks, start=1):
        if text.startswith(NOT_RUN):
            continue
        try:
            named = re.match(r"# ([\w./-]+\.(?:py|toml))\b", text)
            if named:
                path = Path(named[1])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if language == "python":
                with contextlib.redirect_stdout(io.StringIO()):
                    if named:
                        namespace.update(vars(_imported(path)))
                    else:
                        exec(compile(text, "<documentation>", "exec"), namespace)
            elif language == "sh":
                for command in spn_commands(text):
                    parse_command(command)
        except SystemExit as exit_:
            if exit_.code not in (0, None):
                failures.append(f"block {number} ({language}): exit status {exit_.code}\n{text}")
        except BaseException:
            failures.append(f"block {number} ({language}):\n{text}\n{traceback.format_exc(limit=-4)}")
    return failures


def _imported(path: Path) -> types.ModuleType:
    """The file as a module under its own name, as a plugin is."""
    specification = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


def spn_commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `spn …` in a shell block; variables become `spn`."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        words = shlex.split(_VARIABLE.sub("spn", line), comments=True)
        words = words[: next((i for i, w in enumerate(words) if w in ("|", ">", ";", "&&")), len(words))]
        if "spn.cli.main" in words:
            yield words[words.index("spn.cli.main") + 1 :]
        elif words and words[0] == "spn":
            yield words[1:]


def parse_command(arguments: list[str]) -> None:
    """Parse as the command would, and stop before it does anything.

    Raises:
        RuntimeError: for a command or an option that does not exist.
    """
    from spn.cli import main

    said = io.StringIO()
    status: Any = 0
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(said))
            stack.enter_context(contextlib.redirect_stderr(said))
            for name in main.COMMANDS:
                room, _, action = name.partition(" ")
                stack.enter_context(mock.patch(f"spn.cli.{room}.{action or 'run'}", return_value=0))
            status = main.dispatch(arguments)
    except SystemExit as exit_:
        status = exit_.code
    if status not in (0, None):
        raise RuntimeError(f"spn {shlex.join(arguments)}: exit status {status}\n{said.getvalue()}")


if __name__ == "__main__":
    prepare()
    pages = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    report = {page: run_page([(language, text) for language, text in blocks]) for page, blocks in pages}
    print(json.dumps(report))
