"""Starts the page: on this computer alone unless asked otherwise, without telemetry, keeping nothing."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from spn.core.errors import UserError
from spn.core.process import leave_on_sigterm
from spn.inference.tta import DeviceName
from spn.inference.weights import find_weights
from spn.web import LOOPBACK
from spn.web.look import Limits


def serve(
    runs: Sequence[Path] = (),
    *,
    host: str | None = LOOPBACK,
    port: int | None = None,
    limits: Limits | None = None,
    device: DeviceName = "auto",
    open_browser: bool = False,
) -> None:
    """Show the page until interrupted.

    Args:
        runs: run folders or weights among which it lets choose; by default the shipped model.
        host: the address that it listens on; None for what GRADIO_SERVER_NAME says.
        port: of several that are free from 7860 on, the first, if None.

    Raises:
        UserError: Gradio is not installed, or host and port cannot be listened at.
        CheckpointError: weights that are not there.
    """
    check_address(host, port)
    named = named_runs(runs)
    # Gradio reads these when it is imported. What it asks the network for is its own version's number.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with leave_on_sigterm(), tempfile.TemporaryDirectory(prefix="spn-web-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = tempfile.tempdir = folder
        try:
            from spn.web.page import CSS, THEME, Answers, build_page
        except ImportError as error:
            if error.name != "gradio":
                raise
            install = "pip install 'spn-segmentation[web]'"
            raise UserError(f"the page needs Gradio, which is not installed: {install}") from error
        limits = limits or Limits()
        answers = Answers(named, Path(folder), limits=limits, device=device)
        page = build_page(answers)
        try:
            _, address, _ = page.launch(
                server_name=host, server_port=port, inbrowser=open_browser, prevent_thread_lock=True,
                quiet=True, share=False, max_file_size=f"{limits.megabytes:g}mb", theme=THEME, css=CSS,
                footer_links=[], run_history=False, enable_monitoring=False, ssr_mode=False, pwa=False,
                mcp_server=False,
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"{error}; choose another port with --port") from error
        print(f"open {address} in a browser; Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(60)
                answers.forget()
        finally:
            page.close(verbose=False)
            tempfile.tempdir = None


def check_address(host: str | None, port: int | None) -> None:
    """Raises UserError if nothing can be listened at there."""
    try:
        with socket.create_server((host or LOOPBACK, port or 0)):
            pass
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "ports end at 65535"
        raise UserError(
            f"--host {host} --port {port}: {why}; wanted an address of this computer, and a free port from "
            "1024 to 65535"
        ) from error


def named_runs(runs: Sequence[Path]) -> dict[str, Path | None]:
    """By the names of their folders, or where these are the same by their paths. Raises CheckpointError."""
    for run in runs:
        find_weights(run)
    names = [run.stem if run.is_file() else run.resolve().name for run in runs]
    unique = [name if names.count(name) == 1 else str(run) for name, run in zip(names, runs, strict=True)]
    return dict(zip(unique, runs, strict=True)) or {"the shipped model": None}
