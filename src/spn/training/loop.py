"""The training loop, to be read from top to bottom.

Everything random in step s follows from (seed, s, rank): the crops (data.py), the prompts, dropout. There is
no random state to save, and a training that was stopped anywhere and resumed gives the same weights, bit for
bit on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from spn.core.errors import UserError
from spn.core.seeding import derive_seed
from spn.methods.base import Method
from spn.training.average import WeightAverage
from spn.training.config import TrainConfig
from spn.training.data import BatchPlan, LoadedPart, move_batch
from spn.training.freezing import train_mode
from spn.training.optimisation import rate_factor, set_learning_rate
from spn.training.window import LossWindow


@dataclass
class Progress:
    """What changes while training besides weights and optimiser; part of every checkpoint.

    step: steps done. seconds: time spent in steps, over all starts. best_score, best_step: the best
    validation so far and its step (0: none).
    """

    step: int = 0
    seconds: float = 0.0
    best_score: float = float("-inf")
    best_step: int = 0


@dataclass(frozen=True)
class Training:
    """What is being trained. `wrapped` is what Fabric made of `network`: the same parameters."""

    fabric: Fabric
    network: nn.Module
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    method: Method
    average: WeightAverage | None
    plan: BatchPlan
    progress: Progress


@dataclass(frozen=True)
class Hooks:
    """What the loop asks of its surroundings.

    report: figures of the steps since the last report. validate: score the current weights. checkpoint: write
    one. name_files: the image files of a step.
    """

    report: Callable[[dict[str, float]], None]
    validate: Callable[[], None]
    checkpoint: Callable[[], None]
    name_files: Callable[[int], list[str]]


def run_steps(
    training: Training, config: TrainConfig, *, loader: DataLoader[LoadedPart], hooks: Hooks
) -> None:
    """Train from `training.progress.step`, where `loader` begins, to `config.schedule.steps`.

    Raises UserError for a file that cannot be read and for a loss or weights that are not finite.
    """
    fabric, progress, optimizer = training.fabric, training.progress, training.optimizer
    schedule, average = config.schedule, training.average
    on_cpu = fabric.device.type == "cpu"
    generator = torch.Generator(device=fabric.device)
    window = LossWindow(name_files=hooks.name_files)
    parts = iter(loader)
    train_mode(training.network, config.optimisation.only)
    clock, reported = _Clock(), progress.step

    for step in range(progress.step, schedule.steps):
        torch.manual_seed(derive_seed(config.seed, "step", step, fabric.global_rank))
        generator.manual_seed(derive_seed(config.seed, "method", step, fabric.global_rank))
        set_learning_rate(optimizer, rate_factor(step, schedule))

        terms: dict[str, Tensor] = {}
        for number in range(training.plan.accumulation):
            part = next(parts)
            if part.failure:
                raise UserError(f"step {step + 1} needs a file that cannot be used: {part.failure}")
            batch = move_batch(
                part,
                device=fabric.device,
                channels_last=config.runtime.channels_last,
                progress=step / schedule.steps,
            )
            accumulating = number < training.plan.accumulation - 1
            with fabric.no_backward_sync(training.wrapped, enabled=accumulating):  # type: ignore[arg-type]
                loss = training.method.training_loss(training.wrapped, batch, generator=generator)
                fabric.backward(loss.total / training.plan.accumulation)
            for name, value in {"loss": loss.total, **loss.terms}.items():
                share = value.detach() / training.plan.accumulation
                terms[name] = terms[name] + share if name in terms else share
        if config.optimisation.clip_norm > 0:
            terms["gradient_norm"] = _clip_gradients(training, config.optimisation.clip_norm)
        window.add(step, terms)
        if on_cpu:
            window.check()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if average is not None:
            average.update_parameters(training.network)
        progress.step = step + 1

        report_due = _due(progress.step, config.runtime.log_every, schedule.steps)
        validate_due = _due(progress.step, schedule.validate_every, schedule.steps)
        checkpoint_due = _due(progress.step, schedule.checkpoint_every, schedule.steps)
        if not (report_due or validate_due or checkpoint_due):
            continue
        window.check()  # waits for the device
        clock.pause()
        if report_due:
            seconds = clock.take()
            progress.seconds += seconds
            figures = window.take_means()
            figures["learning_rate"] = float(optimizer.param_groups[0]["lr"])
            figures["images_per_second"] = (progress.step - reported) * training.plan.batch_size / seconds
            reported = progress.step
            hooks.report(figures)
        if validate_due or checkpoint_due:
            _check_weights(training.network, progress.step)
        if validate_due:
            hooks.validate()
            train_mode(training.network, config.optimisation.only)
        if checkpoint_due:
            hooks.checkpoint()
        clock.resume()


def _check_weights(network: nn.Module, step: int) -> None:
    """Raise UserError rather than keep weights that a gradient has spoilt; the loss shows it a step later."""
    if not all(bool(values.isfinite().all()) for values in network.state_dict().values()):
        raise UserError(
            f"the weights are no longer finite after step {step}: a gradient was not, though the loss was. "
            "Lower optimisation.learning-rate, set optimisation.clip-norm, or use runtime.precision 32-true. "
            "The last checkpoint is kept."
        )


class _Clock:
    """Time spent in steps: validation and writing do not count."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._total = 0.0

    def pause(self) -> None:
        self._total += time.perf_counter() - self._since

    def resume(self) -> None:
        self._since = time.perf_counter()

    def take(self) -> float:
        """The seconds counted so far (above 0), which start again from 0."""
        total, self._total = max(self._total, 1e-9), 0.0
        return total


def _due(step: int, every: int, last: int) -> bool:
    """At the last step, and every `every` steps (0: only at the last)."""
    return step == last or (every > 0 and step % every == 0)


def _clip_gradients(training: Training, norm: float) -> Tensor:
    """Scale the gradient down to `norm` and return the norm it had; NaN shows in the loss, not here."""
    total = training.fabric.clip_gradients(
        training.wrapped,
        training.optimizer,
        max_norm=norm,
        error_if_nonfinite=False,
    )
    return torch.as_tensor(total)
