"""Where an encoder's stages end, as one forward pass shows, and how modules are put there.

A stage ends before its last activation where that is a layer of its own (in a ResNet, after the sum of a
residual block), otherwise behind the module that the encoder names, as timm's feature hooks see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from spn.models.recording import Finish, Recording, record


@dataclass(frozen=True)
class Stage:
    """What a forward pass shows of a stage (or of the stem); modules by name."""

    name: str
    """The module that ends it."""
    widths: tuple[int, ...]
    """Channels of the maps that it puts out: one, or several in parallel."""
    modules: tuple[str, ...]
    """Those that run in it, in the order they are done."""
    activation: str | None
    """The layer that is its last operation, if it changes each value by itself and runs nowhere else."""
    inplace: bool
    """Whether that layer overwrites what it gets."""
    norm: str | None
    """The batch normalisation right before that layer."""


@dataclass(frozen=True)
class Place:
    """The end of a stage of `encoder`, on features [B, width, h, w]; number: which of its maps."""

    encoder: nn.Module
    stage: Stage
    number: int = 0

    @property
    def width(self) -> int:
        return self.stage.widths[self.number]

    def insert(self, module: nn.Module, *, replace_norm: bool = False) -> None:
        """Put `module` there. replace_norm: in place of the batch normalisation right before, if any."""
        if replace_norm and self.stage.norm:
            set_module(self.encoder, self.stage.norm, module)
        elif self.stage.activation:
            activation = self.encoder.get_submodule(self.stage.activation)
            set_module(self.encoder, self.stage.activation, nn.Sequential(module, activation))
        else:
            inserted = self.encoder.get_submodule("inserted")  # a stage could run what is added to itself
            inserted.add_module(str(len([*inserted.children()])), module)
            hook = partial(_pass_on, through=module, number=self.number)
            self.encoder.get_submodule(self.stage.name).register_forward_hook(hook, prepend=True)


def _pass_on(stage: nn.Module, _: Any, output: Any, *, through: nn.Module, number: int) -> Any:
    """The output of a stage, its map `number` passed through a module."""
    if isinstance(output, Tensor):
        return through(output)
    maps = list(output)
    maps[number] = through(maps[number])
    return maps


def set_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` where `root` has the submodule `name` (torch's own `set_submodule` came after 2.4)."""
    owner, _, attribute = name.rpartition(".")
    setattr(root.get_submodule(owner), attribute, module)


def outline(encoder: nn.Module, names: tuple[str, ...], *, run: Callable[[], object]) -> tuple[Stage, ...]:
    """The stem and the stages of `encoder`, which end with the modules `names`; run: calls it once."""
    seen = record(encoder, run)
    finished = {finish.module: index for index, finish in enumerate(seen.finishes)}
    first = seen.finishes[finished[names[1]]]
    stem = (
        names[0]
        or [
            finish.module
            for finish in seen.finishes
            if finish.operations == first.began and not finish.module.startswith(f"{first.module}.")
        ][-1]
    )
    ends = [finished[name] for name in (stem, *names[1:])]
    starts = [0, *(end + 1 for end in ends)]
    return tuple(
        _stage(encoder, seen, seen.finishes[start : end + 1])
        for start, end in zip(starts, ends, strict=False)
    )


def blocks(encoder: nn.Module, outline: tuple[Stage, ...]) -> list[list[str]]:
    """The modules of each block of these stages, in the order they are done.

    A block is what stands right below a stage, through containers. In a stage without any (VGG), every module
    is one.
    """
    found: dict[str, list[str]] = {}
    for stage in outline:
        around = {name: _block(encoder, name, outline) for name in stage.modules}
        flat = not any(around.values())
        for name, block in around.items():
            if flat or block:
                found.setdefault(block or name, []).append(name)
    return list(found.values())


def _stage(encoder: nn.Module, seen: Recording, finishes: list[Finish]) -> Stage:
    end = finishes[-1]
    last, before = seen.operations[end.operations - 1], seen.operations[max(end.operations - 2, 0)]
    layer, previous = encoder.get_submodule(last.module), encoder.get_submodule(before.module)
    pointwise = (
        not [*layer.children(), *layer.parameters()]
        and seen.calls()[last.module] == 1
        and len(end.outputs) == 1
        and last.inputs[0].shape == last.outputs[0].shape
    )
    direct = (
        isinstance(previous, nn.BatchNorm2d)
        and last.inputs[0] is before.outputs[0]
        and not last.module.startswith(f"{before.module}.")  # the activation within a norm
    )
    return Stage(
        end.module,
        widths=tuple(output.shape[1] for output in end.outputs),
        modules=tuple(dict.fromkeys(finish.module for finish in finishes)),
        activation=last.module if pointwise else None,
        inplace=pointwise and last.inputs[0] is last.outputs[0],
        norm=before.module if pointwise and direct else None,
    )


def _block(encoder: nn.Module, name: str, outline: tuple[Stage, ...]) -> str | None:
    """The outermost module on the way to `name` that is neither a stage, nor around one, nor a container."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        outer = ".".join(parts[:count])
        around = any(f"{stage.name}.".startswith(f"{outer}.") for stage in outline)
        if not around and type(encoder.get_submodule(outer)) not in (nn.Sequential, nn.ModuleList):
            return outer
    return None
