"""Ranges of options, stated with the field; `spn.core.records` checks them."""

from typing import Annotated

from msgspec import Meta

MOST = 2**32 - 1
"""Of any count, and the highest seed: numpy takes no larger one."""

Count = Annotated[int, Meta(ge=1, le=MOST)]
NotNegativeInt = Annotated[int, Meta(ge=0, le=MOST)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Share = Annotated[float, Meta(ge=0, le=1)]
BelowOne = Annotated[float, Meta(ge=0, lt=1)]
