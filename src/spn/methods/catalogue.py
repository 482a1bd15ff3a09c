"""All methods by name; a new one joins every table by one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from spn.core.errors import UserError
from spn.methods.base import Method
from spn.methods.baseline import Baseline
from spn.methods.config import MethodConfig
from spn.methods.dsu import DSU
from spn.methods.ibn import IBN
from spn.methods.isw import ISW
from spn.methods.mixstyle import MixStyle
from spn.methods.pasta import PASTA
from spn.methods.randconv import RandConv
from spn.methods.shade import SHADE
from spn.methods.spn import StochasticPrompts

METHODS: Final[Mapping[str, Callable[[MethodConfig], Method]]] = {
    Baseline.name: Baseline,
    StochasticPrompts.name: StochasticPrompts,
    IBN.name: IBN,
    MixStyle.name: MixStyle,
    DSU.name: DSU,
    RandConv.name: RandConv,
    PASTA.name: PASTA,
    ISW.name: ISW,
    SHADE.name: SHADE,
}


def build_method(config: MethodConfig) -> Method:
    """The method that `config` names. Raises UserError with the names there are."""
    if config.name not in METHODS:
        raise UserError(f"there is no method {config.name!r}; the methods are {sorted(METHODS)}")
    return METHODS[config.name](config)
