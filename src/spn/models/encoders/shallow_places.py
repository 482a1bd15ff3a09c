"""The shallow parts of a timm ResNet, its stem and first two stages, and where styles are normalised."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from spn.core.errors import UserError

STAGES = ("layer1", "layer2")


@dataclass(frozen=True)
class Place:
    """Before the activation called `activation` of `owner`, on features of `width` channels."""

    owner: nn.Module
    activation: str
    width: int

    def insert(self, module: nn.Module) -> None:
        follows = self.owner.get_submodule(self.activation)
        setattr(self.owner, self.activation, nn.Sequential(module, follows))


def shallow_norms(backbone: nn.Module) -> list[nn.BatchNorm2d]:
    """Every batch normalisation of the stem and of the first two stages; none in a backbone without them."""
    if not all(hasattr(backbone, stage) for stage in STAGES):
        return []
    parts = [module for name, module in backbone.named_children() if not name.startswith("layer")]
    parts += [backbone.get_submodule(stage) for stage in STAGES]
    return [norm for part in parts for norm in part.modules() if isinstance(norm, nn.BatchNorm2d)]


def shallow_places(backbone: nn.Module, *, name: str, option: str) -> list[Place]:
    """The ends of the stem and of the first two stages. Raises UserError for a backbone that is no ResNet."""
    owners = [backbone]
    owners += [
        [*backbone.get_submodule(stage).children()][-1] for stage in STAGES if hasattr(backbone, stage)
    ]
    numbers = [3 if hasattr(owner, "bn3") else 2 if hasattr(owner, "bn2") else 1 for owner in owners]
    norms = [getattr(owner, f"bn{number}", None) for owner, number in zip(owners, numbers, strict=True)]
    if len(owners) != 1 + len(STAGES) or not all(isinstance(norm, nn.BatchNorm2d) for norm in norms):
        raise UserError(f"{option} needs a ResNet of timm with BatchNorm; {name!r} is none")
    return [
        Place(owner, f"act{number}", norm.num_features)  # type: ignore[union-attr]
        for owner, number, norm in zip(owners, numbers, norms, strict=True)
    ]
