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
    from spn.api import (
        Built,
        build,
        configure,
        datasets,
        decoders,
        encoders,
        evaluate,
        open_dataset,
        presets,
        register_decoder,
        register_encoder,
        register_method,
        train,
    )
    from spn.api import methods as methods
    from spn.core.errors import CheckpointError, DatasetError, UserError
    from spn.evaluation.protocol import EvaluationOptions
    from spn.inference.model import Model, load
    from spn.inference.scene import Scene
    from spn.inference.tta import TestTimeAugmentation
    from spn.methods.base import Baseline

__all__ = [
    "Baseline", "Built", "CheckpointError", "DatasetError", "EvaluationOptions", "Model", "Scene",
    "TestTimeAugmentation", "UserError", "build", "configure", "datasets", "decoders", "encoders", "evaluate",
    "load", "methods", "open_dataset", "presets", "register_decoder", "register_encoder", "register_method",
    "train",
]  # fmt: skip
_ELSEWHERE: Final = {
    "Baseline": "spn.methods.base",
    "CheckpointError": "spn.core.errors",
    "DatasetError": "spn.core.errors",
    "EvaluationOptions": "spn.evaluation.protocol",
    "Model": "spn.inference.model",
    "Scene": "spn.inference.scene",
    "TestTimeAugmentation": "spn.inference.tta",
    "UserError": "spn.core.errors",
    "load": "spn.inference.model",
}
"""What is not in spn.api."""


def __getattr__(name: str) -> Any:
    """What `__all__` names, from its own module (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "spn.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
