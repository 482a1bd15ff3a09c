"""Parts of one's own: Python files or modules that register methods, encoders, decoders or datasets.

They are named by `spn --plugin FILE_OR_MODULE COMMAND …`, by `plugins = [...]` in a benchmark plan, or by an
installed package's entry point of the group `spn.plugins`. Processes that a command starts get them, too.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from spn.core.errors import UserError

VARIABLE: Final = "SPN_PLUGINS"
"""Plugins of this process and of those it starts, separated as in PATH."""


def load_plugins(names: Sequence[str] = ()) -> None:
    """Import installed plugins, those of the environment and `names`; the latter are passed on to children.

    Raises UserError for one that cannot be found or fails to import.
    """
    inherited = [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    absolute = [str(Path(name).resolve()) if name.endswith(".py") else name for name in names]
    wanted = list(dict.fromkeys([*inherited, *absolute]))
    if wanted:
        os.environ[VARIABLE] = os.pathsep.join(wanted)
    for name in (*(entry.value for entry in entry_points(group="spn.plugins")), *wanted):
        _imported(name)


def _imported(name: str) -> None:
    module = Path(name).stem if name.endswith(".py") else name
    if module in sys.modules:
        return
    try:
        if not name.endswith(".py"):
            importlib.import_module(name)
            return
        loader = SourceFileLoader(module, name)
        specification = importlib.util.spec_from_file_location(module, name, loader=loader)
        assert specification is not None
        loaded = importlib.util.module_from_spec(specification)
        sys.modules[module] = loaded
        loader.exec_module(loaded)
    except Exception as error:  # whatever the plugin's own code raises
        sys.modules.pop(module, None)
        if isinstance(error, UserError):
            raise
        raise UserError(f"the plugin {name} cannot be imported: {type(error).__name__}: {error}") from error
