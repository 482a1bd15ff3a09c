"""`spn web`: a page in the browser that labels photographs and short videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from spn.core.records import checked
from spn.inference.tta import DeviceName
from spn.web import LOOPBACK
from spn.web.look import Limits


@dataclass(frozen=True)
class WebCommand:
    """Open a page that labels what is dropped on it: photographs and short videos. Nothing is kept.

    Example: spn web runs/baseline runs/spn
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders or .safetensors files to choose from; by default the model that comes with the package."""
    host: str = LOOPBACK
    """The address that it listens on: by default this computer alone; 0.0.0.0 is everyone who reaches it."""
    port: int | None = None
    """By default the first free one from 7860."""
    limits: tyro.conf.OmitArgPrefixes[Limits] = field(default_factory=Limits)
    device: DeviceName = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    open_browser: bool = False
    """Open the page in the usual browser."""


def run(command: WebCommand) -> int:
    from spn.web.serve import serve  # loads torch: not for --help

    limits = checked(command.limits, where="web")
    serve(
        command.runs, host=command.host, port=command.port, limits=limits, device=command.device,
        open_browser=command.open_browser,
    )  # fmt: skip
    return 0
