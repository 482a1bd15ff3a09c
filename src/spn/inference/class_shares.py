"""How common the classes are where a network was trained, where it is used, and in one image.

    power = 0.5                # of the correction; 1: all of it
    image_prior = 0.3          # of that for each image's own classes; 0: none

    [trained]                  # shares of the labelled pixels, in any unit
    road = 25.7
    sidewalk = 2.8

    [used]
    road = 27.5
    sidewalk = 4.1

    [usual]                    # in one image, predicted: exp of the mean of the logarithms; for image_prior
    road = 28.1
    sidewalk = 1.9

Drawings show rare classes often, so that they are learned; the network then expects them as often in
photographs. Bayes' rule moves the logit of a class c by log(used_c / trained_c) (Saerens et al., Neural
Computation 2002), here times `power`: sampling and weights of the training had their own share in it.

An image shows few of the classes, and what it shows of one is likely to be there again: a street with a tram
has rails and more trams, a motorway no pavement. The same rule with the shares of the image itself, as they
were first predicted, moves the log-probability of c by image_prior · log(share_c / usual_c) (`expected`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from spn.core.classes import LabelSpace
from spn.core.errors import UserError
from spn.core.files import read_text
from spn.inference.tta import TestTimeAugmentation

Share = Annotated[float, Meta(ge=0)]
LEAST = 1e-4
"""The part of all pixels that a class counts with at least."""


@dataclass(frozen=True)
class ClassShares:
    """Shares by the names of the classes. power, image_prior: how much of each correction is made."""

    trained: dict[str, Share]
    used: dict[str, Share]
    power: Annotated[float, Meta(ge=0, le=1)] = 1.0
    usual: dict[str, Share] = field(default_factory=dict)
    image_prior: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def shift(self, classes: LabelSpace) -> Tensor:
        """What is added to the logits, [C]. Raises UserError unless both tables name each class once."""
        trained, used = (
            _shares(title, table, classes).log()
            for title, table in (("trained", self.trained), ("used", self.used))
        )
        return (self.power * (used - trained)).float()

    def seen_with(self, tta: TestTimeAugmentation, classes: LabelSpace) -> TestTimeAugmentation:
        """`tta` with the image prior. Raises UserError unless the table of usual shares names each class."""
        if not self.image_prior:
            return tta
        usual = tuple(_shares("usual", self.usual, classes).tolist())
        return replace(tta, image_prior=self.image_prior, usual_shares=usual)


def _shares(title: str, table: Mapping[str, float], classes: LabelSpace) -> Tensor:
    """Of all pixels, [C], in the order of the classes."""
    total = sum(table.values())
    wrong = classes.misnamed(table) or ("" if 0 < total < math.inf else f"adds up to {total}")
    if wrong:
        raise UserError(
            f"[{title}] of the class shares {wrong}; wanted a share for each of {', '.join(classes.names)}"
        )
    shares = torch.tensor([table[name] for name in classes.names], dtype=torch.float64)
    return (shares / total).clamp(min=LEAST)


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


def expected(maps: Tensor, usual: Sequence[float], power: float) -> Tensor:
    """Probabilities [B, C, h, w] where each image's own classes are expected more than others.

    p_c · (s_c / u_c)^power, scaled to add up to 1: s_c is the share of the image's pixels in which c is the
    most probable, at least `LEAST`, and u_c the usual one.
    """
    shown = torch.count_nonzero(maps == maps.amax(dim=1, keepdim=True), dim=(2, 3))
    shares = (shown / maps[0, 0].numel()).clamp(min=LEAST)
    weights = (shares / shares.new_tensor(usual)) ** power
    maps = maps * weights[:, :, None, None]
    return maps.div_(maps.sum(dim=1, keepdim=True))
