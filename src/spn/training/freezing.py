"""Training a part of a network: the rest keeps its weights and its BatchNorm statistics.

For parts that a trained network was given afterwards (spn.models.growth), and for fine-tuning a decoder
alone. What comes before them needs no backward pass, so a step is faster.
"""

from __future__ import annotations

from torch import nn

from spn.core.errors import UserError


def freeze_all_but(network: nn.Module, parts: tuple[str, ...]) -> None:
    """Take the gradient from every parameter outside `parts`, if there are any.

    parts: names of modules, such as decoder.strips. Raises UserError for one that the network has not.
    """
    names = [name for name, _ in network.named_parameters()]
    for part in parts:
        if not any(_within(name, part) for name in names):
            raise UserError(
                f"optimisation.only names {part!r}, which the network has not; wanted one or more of "
                f"{', '.join(sorted({name.split('.')[0] for name in names}))}, or parts of them such as "
                "decoder.classifier"
            )
    for name, parameter in network.named_parameters():
        if parts and not any(_within(name, part) for part in parts):
            parameter.requires_grad_(False)


def train_mode(network: nn.Module, parts: tuple[str, ...]) -> None:
    """`network.train()`, but what is outside `parts` stays as it is for prediction."""
    network.train()
    for name, module in network.named_modules():
        if parts and name and not any(_within(name, part) or _within(part, name) for part in parts):
            module.eval()


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
