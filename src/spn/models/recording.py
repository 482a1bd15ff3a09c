"""What a network does in one forward pass: its operations in order, and the module that each of them ran in.

So what follows what is seen, not guessed from the names of attributes or the classes of modules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


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


class Recording:
    """operations: in order. finishes: one for each call of a module, inner modules before outer ones."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.finishes: list[Finish] = []
        self._open: list[tuple[str, int]] = [("", 0)]

    def calls(self) -> Counter[str]:
        """How often each module was called, by name."""
        return Counter(finish.module for finish in self.finishes)

    def begin(self, name: str) -> None:
        self._open.append((name, len(self.operations)))

    def finish(self, outputs: Any) -> None:
        name, began = self._open.pop()
        self.finishes.append(Finish(name, began, len(self.operations), tuple(_tensors(outputs))))

    def operate(self, inputs: Any, outputs: Any) -> None:
        if made := tuple(_tensors(outputs)):
            self.operations.append(Operation(self._open[-1][0], tuple(_tensors(inputs)), made))


def record(network: nn.Module, run: Callable[[], object]) -> Recording:
    """What `network` does while `run` calls it, in evaluation mode and without gradients."""
    recording = Recording()
    training = network.training
    network.eval()
    with ExitStack() as stack:
        for name, module in network.named_modules():
            stack.enter_context(
                module.register_forward_pre_hook(lambda *_, name=name: recording.begin(name), prepend=True)
            )
            stack.enter_context(module.register_forward_hook(lambda *call: recording.finish(call[-1])))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(_Operations(recording))
        run()
    network.train(training)
    return recording


class _Operations(TorchFunctionMode):
    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        self._recording.operate((args, kwargs), outputs)
        return outputs


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and tables."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
