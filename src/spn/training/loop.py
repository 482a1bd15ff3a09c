"""The training loop, to be read from top to bottom.

Everything random in step s follows from (seed, s, rank): the crops (data.py), the prompts, dropout. There is
no random state to save, and a training that was stopped anywhere and resumed gives the same weights, bit for
bit on the CPU.
"""

import itertools
import math
import time
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spn.core.errors import UserError
from spn.core.seeding import derive_seed
from spn.data.traps import listing
from spn.training.data import move_batch
from spn.training.optimisation import rate_factor, train_mode
from spn.training.run import Run

_STEADIER: Final = (
    "lower optimisation.learning-rate, set optimisation.clip-norm, or use runtime.precision 32. The last "
    "checkpoint is kept."
)


def run_steps(run: Run, loader: DataLoader[Any]) -> None:
    """Train from `run.progress.step` to `schedule.steps` on the parts that `loader` gives.

    Raises UserError for a file that cannot be read and for a loss or weights that are not finite.
    """
    config, fabric, plan, optimizer = run.config, run.fabric, run.plan, run.optimizer
    schedule, progress, device = config.schedule, run.progress, run.fabric.device
    parts, items = iter(loader), loader.dataset
    generator = torch.Generator(device=device)
    window: dict[int, dict[str, Tensor]] = {}  # the terms of the steps since the last report
    seconds, since = 0.0, time.perf_counter()  # spent in steps: validation and writing do not count

    for step in range(progress.step, schedule.steps):
        torch.manual_seed(derive_seed(config.seed, "step", step, fabric.global_rank))
        generator.manual_seed(derive_seed(config.seed, "method", step, fabric.global_rank))
        for group in optimizer.param_groups:
            group["lr"] = group["peak_rate"] * rate_factor(step, schedule)

        terms: dict[str, Tensor] = {}
        for number in range(plan.accumulation):
            part = next(parts)
            if isinstance(part, Exception):
                why = str(part) or repr(part)
                raise UserError(f"step {step + 1} needs a file that cannot be used: {why}")
            batch = move_batch(
                part,
                device=device,
                channels_last=config.runtime.channels_last,
                progress=step / schedule.steps,
            )
            accumulating = number < plan.accumulation - 1
            with fabric.no_backward_sync(run.wrapped, enabled=accumulating):
                loss = run.method.training_loss(run.wrapped, batch, generator=generator)
                fabric.backward(loss.total / plan.accumulation)
            for name, value in {"loss": loss.total, **loss.terms}.items():
                share = value.detach() / plan.accumulation
                terms[name] = terms[name] + share if name in terms else share
        if config.optimisation.clip_norm > 0:
            norm = fabric.clip_gradients(
                run.wrapped,
                optimizer,
                max_norm=config.optimisation.clip_norm,
                error_if_nonfinite=False,  # NaN shows in the loss
            )
            terms["gradient_norm"] = torch.as_tensor(norm)
        window[step] = terms
        if device.type == "cpu":  # where reading a value does not wait for the device
            _check_losses({step: terms}, run, items)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if run.average is not None:
            run.average.update_parameters(run.network)
        progress.step = step + 1

        report_due, validate_due, checkpoint_due = (
            progress.step == schedule.steps or (every > 0 and progress.step % every == 0)
            for every in (config.runtime.log_every, schedule.validate_every, schedule.checkpoint_every)
        )
        if not (report_due or validate_due or checkpoint_due):
            continue
        _check_losses(window, run, items)
        seconds += time.perf_counter() - since
        if report_due:
            progress.seconds += seconds
            values: dict[str, list[Tensor]] = {}
            for name, value in itertools.chain.from_iterable(terms.items() for terms in window.values()):
                values.setdefault(name, []).append(value)
            figures = {name: float(torch.stack(found).mean()) for name, found in values.items()}
            figures["learning_rate"] = float(optimizer.param_groups[0]["lr"])
            figures["images_per_second"] = len(window) * plan.batch_size / max(seconds, 1e-9)
            window.clear()
            seconds = 0.0
            run.report(figures)
        keeps = validate_due or checkpoint_due
        if keeps and not all(bool(values.isfinite().all()) for values in run.network.state_dict().values()):
            raise UserError(  # the loss shows it a step later, when these weights would have been kept
                f"the weights are no longer finite after step {progress.step}: a gradient was not, though "
                f"the loss was; {_STEADIER}"
            )
        if validate_due:
            run.validate()
            train_mode(run.network, config.optimisation.only)
        if checkpoint_due:
            run.checkpoint()
        since = time.perf_counter()


def _check_losses(window: dict[int, dict[str, Tensor]], run: Run, items: Any) -> None:
    """Raise UserError naming the first step whose loss is not finite, and its files; waits for the device."""
    losses = torch.stack([terms["loss"] for terms in window.values()]).tolist()
    for step, loss in zip(window, losses, strict=True):
        if not math.isfinite(loss):
            files = [items.name(position) for position in run.plan.positions(step)]
            raise UserError(
                f"the loss became {loss} at step {step + 1}; the files of that batch:{listing(files)}\n"
                f"Look at them and their labels, or, if they are sound: {_STEADIER}"
            )
