"""SPN: the Stochastic Prompt Network for sim-to-real generalised semantic segmentation.

    import spn

    model = spn.load()                      # the model that comes with the package
    scene = model.predict("street.jpg")
    scene.labels, scene.confidence, scene.uncertainty, scene.areas()
    scene.overlay(), scene.save("out/street")

Importing the package loads nothing; what is used is loaded then.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from spn.core.version import __version__ as __version__

if TYPE_CHECKING:
    from spn.api import evaluate, open_dataset
    from spn.core.errors import CheckpointError, DatasetError, UserError
    from spn.evaluation.options import EvaluationOptions
    from spn.inference.model import Model, load
    from spn.inference.scene import Scene
    from spn.inference.tta import TestTimeAugmentation

__all__ = [
    "CheckpointError",
    "DatasetError",
    "EvaluationOptions",
    "Model",
    "Scene",
    "TestTimeAugmentation",
    "UserError",
    "evaluate",
    "load",
    "open_dataset",
]
_MODULES: Final = {
    "spn.api": ("evaluate", "open_dataset"),
    "spn.core.errors": ("CheckpointError", "DatasetError", "UserError"),
    "spn.evaluation.options": ("EvaluationOptions",),
    "spn.inference.model": ("Model", "load"),
    "spn.inference.scene": ("Scene",),
    "spn.inference.tta": ("TestTimeAugmentation",),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """What `__all__` names, from its own module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
