"""How heavy rain and fog are, read from splits (val@beta_0.02) and from names of images (…_foggy_beta_0.02).

Of fog the attenuation β in 1/m (Sakaridis et al., IJCV 2018), of rain the coefficient α of the rain layer (Hu
et al., CVPR 2019).
"""

import re
from typing import Final, NamedTuple


class Weather(NamedTuple):
    """word: before the number in names. symbol, axis: in figures."""

    word: str
    symbol: str
    axis: str


WEATHERS: Final = {
    "foggy_cityscapes": Weather("beta", "β", "fog: attenuation β (1/m)"),
    "rain_cityscapes": Weather("alpha", "α", "rain: coefficient α"),
}
"""By dataset."""


def severity(dataset: str, name: str) -> float | None:
    """What `name`, of a split or an image of `dataset`, says; None if it says nothing, or several things."""
    if dataset not in WEATHERS or "+" in name:
        return None
    found = re.search(rf"(?:[@_]|^){WEATHERS[dataset].word}_(\d+(?:\.\d+)?)(?=_|$)", name)
    return float(found[1]) if found else None


def severity_text(dataset: str, name: str) -> str:
    """`β = 0.02`; empty if the name does not say it."""
    value = severity(dataset, name)
    return "" if value is None else f"{WEATHERS[dataset].symbol} = {value:g}"
