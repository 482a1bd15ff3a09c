"""How common the classes are where a network was trained, and where it is used.

    power = 0.5                # of the correction; 1: all of it

    [trained]                  # shares of the labelled pixels, in any unit
    road = 25.7
    sidewalk = 2.8

    [used]
    road = 27.5
    sidewalk = 4.1

Drawings show rare classes often, so that they are learned; the network then expects them as often in
photographs. Bayes' rule moves the logit of a class c by log(used_c / trained_c) (Saerens et al., Neural
Computation 2002), here times `power`: sampling and weights of the training had their own share in it.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from spn.core.classes import LabelSpace
from spn.core.errors import UserError
from spn.core.files import read_text

Share = Annotated[float, Meta(ge=0)]
LEAST = 1e-4
"""The part of all pixels that a class counts with at least."""


@dataclass(frozen=True)
class ClassShares:
    """Shares by the names of the classes. power: how much of the correction is made."""

    trained: dict[str, Share]
    used: dict[str, Share]
    power: Annotated[float, Meta(ge=0, le=1)] = 1.0

    def shift(self, classes: LabelSpace) -> Tensor:
        """What is added to the logits, [C]. Raises UserError unless both tables name each class once."""
        logs = []
        for title, table in (("trained", self.trained), ("used", self.used)):
            total = sum(table.values())
            wrong = classes.misnamed(table) or ("" if 0 < total < math.inf else f"adds up to {total}")
            if wrong:
                raise UserError(
                    f"[{title}] of the class shares {wrong}; wanted a share for each of "
                    f"{', '.join(classes.names)}"
                )
            shares = torch.tensor([table[name] for name in classes.names], dtype=torch.float64)
            logs.append((shares / total).clamp(min=LEAST).log())
        trained, used = logs
        return (self.power * (used - trained)).float()


def read_class_shares(path: Path) -> ClassShares:
    """Raises UserError that names the file."""
    try:
        return msgspec.toml.decode(read_text(path), type=ClassShares)
    except (OSError, ValueError, UserError) as error:
        raise UserError(
            f"{path} cannot be used as class shares: {error}; wanted the tables [trained] and [used], a "
            "number for each class, and power from 0 to 1"
        ) from error


@torch.no_grad()
def correct(network: nn.Module, shift: Tensor) -> None:
    """Add `shift` [C] to the logits, for good. Raises UserError for a decoder without `classifier.bias`."""
    decoder = network.get_submodule("decoder")
    bias = getattr(getattr(decoder, "classifier", None), "bias", None)
    if not isinstance(bias, Tensor) or bias.shape != shift.shape:
        raise UserError(
            f"the decoder {type(decoder).__name__} has no classifier.bias with one number per class; "
            "class shares cannot be corrected"
        )
    bias.add_(shift.to(bias))
