"""For mkdocs: `<!-- output: spn … -->` in a page becomes what that command prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

_MARKER = re.compile(r"<!-- output: spn (.*?) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    return _MARKER.sub(lambda match: f"```text\n{_output(match[1])}```", markdown)


def _output(arguments: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "spn.cli.main", *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout
