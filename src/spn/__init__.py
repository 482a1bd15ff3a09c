"""SPN: the Stochastic Prompt Network for sim-to-real generalised semantic segmentation.

    import spn

    model = spn.load()                      # the model that comes with the package
    scene = model.predict("street.jpg")
    scene.labels, scene.confidence, scene.uncertainty, scene.areas()
    scene.overlay(), scene.save("out/street")

Importing the package loads nothing; what is used is loaded then.
"""

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
    from spn.evaluation.counts import EvaluationOptions
    from spn.inference.model import Model
    from spn.inference.scene import Scene
    from spn.inference.tta import TestTimeAugmentation
    from spn.inference.weights import load
    from spn.methods.base import Baseline

__all__ = [
    "Baseline", "Built", "CheckpointError", "DatasetError", "EvaluationOptions", "Model", "Scene",
    "TestTimeAugmentation", "UserError", "build", "configure", "datasets", "decoders", "encoders", "evaluate",
    "load", "methods", "open_dataset", "presets", "register_decoder", "register_encoder", "register_method",
    "train",
]  # fmt: skip
_PLACES: Final = (
    "core.errors", "api", "evaluation.counts", "inference.tta", "inference.scene", "inference.model",
    "inference.weights", "methods.base",
)  # fmt: skip
"""The modules that define them; only the last load torch."""


def __getattr__(name: str) -> Any:
    """What `__all__` names, from the first module that has it (PEP 562)."""
    for place in _PLACES if name in __all__ else ():
        module = importlib.import_module(f"spn.{place}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
