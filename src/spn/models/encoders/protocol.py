"""What every encoder offers, so that prompts, decoders and methods can be built on any of them."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.encoders.outline import Stage, outline

Pyramid = list[Tensor]
"""Features by level, shallow to deep; level i is [B, widths[i], H / strides[i], W / strides[i]]."""


class Encoding(NamedTuple):
    """pyramids: one, or one per draw where the encoder itself is random. kl: scalar, the divergence of its
    own stochastic prompts from their prior; None where it has none.
    """

    pyramids: list[Pyramid]
    kl: Tensor | None


class Encoder(nn.Module):
    """Base of all encoders: normalised images [B, 3, H, W] in, pyramids out. H and W are multiples of 32.

    A new one sets `widths`, `strides`, `mean`, `std` and `stages`, and writes `forward(images, noise=None) ->
    Encoding`. noise: N(0, 1) numbers [n, B, noise_width], which give n pyramids; None gives the mean one.
    """

    widths: tuple[int, ...]
    """Channels of each level."""
    strides: tuple[int, ...]
    """Stride of each level; they do not fall."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """The normalisation it expects of RGB in 0..1; ImageNet's, if nothing else is said."""
    stages: tuple[str, ...] = ()
    """Names of the submodules whose outputs end the stem and each of four stages after it, shallow to deep.
    An empty name for the stem: what runs right before the first stage. None: nothing can be changed."""
    noise_width: int = 0
    """How many random numbers a draw takes per image; 0 for an encoder with nothing random in it."""
    spans_exactly: bool = False
    """Whether a level's grid spans the image exactly; convolutions round its last cells up."""

    def __init__(self) -> None:
        super().__init__()
        self.inserted = nn.ModuleList()
        """What was put behind stages that do not end with an activation."""

    @torch.no_grad()
    def fits(self, size: int) -> bool:
        """Whether it takes images of size x size pixels; some join maps that must fit (DLA, HRNet)."""
        training = self.training
        self.eval()
        try:
            self(next(self.parameters()).new_zeros(1, 3, size, size))
        except RuntimeError:
            return False
        finally:
            self.train(training)
        return True

    @cached_property
    def outline(self) -> tuple[Stage, ...]:
        """The stem, then the stages, seen before anything is inserted. Raises UserError if it states none."""
        if not self.stages:
            raise UserError(
                f"{type(self).__name__} states no stages (a frozen encoder has none), so nothing in it can "
                "be changed; wanted a convolutional one (encoder.kind timm), or a method and options that "
                "change none"
            )
        example = next(self.parameters())
        return outline(self, self.stages, run=lambda: self(example.new_zeros(1, 3, 96, 96)))

    def insert(self, make: Callable[[int, Stage], nn.Module], *, replace_norm: bool = False) -> None:
        """Put modules at the ends of the stem and two stages, where features still hold the image's style.

        make: gives a module for features [B, width, h, w] of a stage; one for each of its maps (HRNet).
        replace_norm: in place of the batch normalisation right before the activation, if there is one.
        """
        for stage in self.outline[:3]:
            for number, width in enumerate(stage.widths):
                module = make(width, stage)
                if replace_norm and stage.norm:
                    self.set_submodule(stage.norm, module)
                elif stage.activation:
                    activation = self.get_submodule(stage.activation)
                    self.set_submodule(stage.activation, nn.Sequential(module, activation))
                else:
                    self.inserted.append(module)  # a stage could run what is added to itself
                    hook = partial(_pass_on, through=module, number=number)
                    self.get_submodule(stage.name).register_forward_hook(hook, prepend=True)

    def parts(self, *, stages: int) -> list[nn.Module]:
        """The modules, inner and outer, that run in the stem and this many stages."""
        named = dict(self.named_modules())
        names = [name for stage in self.outline[: 1 + stages] for name in stage.modules]
        return [named[name] for name in names if name in named]  # what was replaced is in an outer one

    def norms(self, *, stages: int) -> list[nn.BatchNorm2d]:
        """Every batch normalisation of the stem and of this many stages, in the order they run."""
        found = dict.fromkeys(inner for part in self.parts(stages=stages) for inner in part.modules())
        return [module for module in found if isinstance(module, nn.BatchNorm2d)]


def _pass_on(stage: nn.Module, _: Any, output: Any, *, through: nn.Module, number: int) -> Any:
    """The output of a stage, its map `number` passed through a module."""
    if isinstance(output, Tensor):
        return through(output)
    return [through(features) if place == number else features for place, features in enumerate(output)]
