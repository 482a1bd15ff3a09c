"""What a network does in one forward pass, and where an encoder's stages end as that shows.

A stage ends before its last activation where that is a layer of its own (in a ResNet, after the sum of a
residual block), otherwise behind the module that the encoder names, as timm's feature hooks see it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CONTAINERS = (nn.Sequential, nn.ModuleList)


class Operation(NamedTuple):
    """module: name of the innermost module that ran it. Inputs and outputs are compared by identity."""

    module: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Finish(NamedTuple):
    """operations: how many there were when the module began and when it was done."""

    module: str
    began: int
    operations: int
    outputs: tuple[Tensor, ...]


class Recording(TorchFunctionMode):
    """operations: in order. finishes: one for each call of a module, inner modules before outer ones."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.finishes: list[Finish] = []
        self._open: list[tuple[str, int]] = [("", 0)]

    def begin(self, name: str) -> None:
        self._open.append((name, len(self.operations)))

    def finish(self, _: nn.Module, inputs: Any, outputs: Any) -> None:
        self.finishes.append(Finish(*self._open.pop(), len(self.operations), tuple(_tensors(outputs))))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        if made := tuple(_tensors(outputs)):
            self.operations.append(Operation(self._open[-1][0], tuple(_tensors((args, kwargs))), made))
        return outputs


def record(network: nn.Module, run: Callable[[], object]) -> Recording:
    """What `network` does while `run` calls it, in evaluation mode and without gradients."""
    recording, training = Recording(), network.training
    network.eval()
    with ExitStack() as stack:
        for name, module in network.named_modules():
            begin = partial(lambda name, *_: recording.begin(name), name)
            stack.enter_context(module.register_forward_pre_hook(begin, prepend=True))
            stack.enter_context(module.register_forward_hook(recording.finish))
        for context in (torch.inference_mode(False), torch.no_grad(), recording):
            stack.enter_context(context)
        run()
    network.train(training)
    return recording


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and tables."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | tuple | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(part)


class Stage(NamedTuple):
    """What a forward pass shows of a stage (or of the stem); modules by name, that which ends it first.

    widths: channels of the maps that it puts out, one or several in parallel. modules: those that run in it,
    in the order they are done. begin: the one that its convolutions begin with, behind pooling, if that alone
    reads what came before. activation: the layer that is its last operation, if it changes each value by
    itself and runs nowhere else; inplace: whether it overwrites what it gets. norm: the batch normalisation
    right before that layer.
    """

    name: str
    widths: tuple[int, ...]
    modules: tuple[str, ...]
    begin: str | None
    activation: str | None
    inplace: bool
    norm: str | None


def outers(name: str) -> list[str]:
    """The names of the modules around a weight or module, outer before inner."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def outline(encoder: nn.Module, names: tuple[str, ...], *, run: Callable[[], object]) -> tuple[Stage, ...]:
    """The stem and the stages of `encoder`, which end with the modules `names`; run: calls it once."""
    seen = record(encoder, run)
    finished = {finish.module: index for index, finish in enumerate(seen.finishes)}
    first = seen.finishes[finished[names[1]]]
    before_first = [
        finish.module
        for finish in seen.finishes
        if finish.operations == first.began and not finish.module.startswith(f"{first.module}.")
    ]
    ends = [-1, *(finished[name] for name in (names[0] or before_first[-1], *names[1:]))]
    return tuple(_stage(encoder, seen, before, end) for before, end in pairwise(ends))


def _begin(encoder: nn.Module, seen: Recording, finishes: list[Finish], *, start: int) -> str | None:
    """The outermost of the modules run from `start` on that convolves first; None if others read the same."""
    convolving = [
        finish
        for finish in reversed(finishes)
        if finish.began >= start
        and any(isinstance(inner, nn.Conv2d) for inner in encoder.get_submodule(finish.module).modules())
    ]
    if not convolving:
        return None
    _, began, done, _ = first = min(convolving, key=lambda finish: (finish.began, -finish.operations))
    made = {id(output) for operation in seen.operations[:began] for output in operation.outputs}
    inside, after = (
        {id(given) for operation in operations for given in operation.inputs}
        for operations in (seen.operations[began:done], seen.operations[done:])
    )
    return None if made & inside & after else first.module


def blocks(encoder: nn.Module, outline: tuple[Stage, ...]) -> dict[str, list[str]]:
    """The modules of each block of these stages by its own name, in the order they are done.

    A block stands right below a stage, through containers. In a stage without any (VGG), every module is one.
    """
    around = {name for stage in outline for name in (stage.name, *outers(stage.name))}
    found: dict[str, list[str]] = {}
    for stage in outline:
        own = {
            name: outer
            for name in stage.modules
            for outer in reversed(outers(name))
            if outer not in around and type(encoder.get_submodule(outer)) not in CONTAINERS
        }
        for name in own or stage.modules:
            found.setdefault(own.get(name, name), []).append(name)
    return found


def _stage(encoder: nn.Module, seen: Recording, previous_end: int, own_end: int) -> Stage:
    finishes, end = seen.finishes[previous_end + 1 : own_end + 1], seen.finishes[own_end]
    start = seen.finishes[previous_end].operations if previous_end >= 0 else 0
    last, before = seen.operations[end.operations - 1], seen.operations[max(end.operations - 2, 0)]
    layer, previous = encoder.get_submodule(last.module), encoder.get_submodule(before.module)
    pointwise = (
        not [*layer.children(), *layer.parameters()]
        and sum(finish.module == last.module for finish in seen.finishes) == 1
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
        begin=_begin(encoder, seen, finishes, start=start),
        activation=last.module if pointwise else None,
        inplace=pointwise and last.inputs[0] is last.outputs[0],
        norm=before.module if pointwise and direct else None,
    )
