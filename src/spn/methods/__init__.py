"""Methods: what each changes in the network and what it trains on.

The package can be called, as `spn.methods()` is one of the names of `spn`, and Python puts the package there.
"""

import sys
from types import ModuleType


class _Methods(ModuleType):
    def __call__(self) -> tuple[str, ...]:
        """The methods, as spn.api.methods."""
        from spn.methods.options import METHODS

        return METHODS.names()


sys.modules[__name__].__class__ = _Methods
