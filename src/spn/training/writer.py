"""What a training is, what it leaves in its run folder while it runs, and how it picks itself up from there.

log.jsonl (one JSON object per line, and the same figures for TensorBoard), checkpoints, the best weights so
far and, at the end, model.safetensors. One process writes; the others wait where they must.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.progress import Progress as ProgressBar
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from spn.core.errors import CheckpointError, UserError
from spn.core.files import atomic_path, write_text
from spn.core.progress import progress_bar
from spn.inference.weights import WEIGHTS_NAME, save_network
from spn.methods.base import Baseline
from spn.methods.options import METHODS
from spn.training.config import TrainConfig
from spn.training.data import BatchPlan
from spn.training.optimisation import WeightAverage
from spn.training.run_folder import Checkpoints

Log = Callable[[str, int, Mapping[str, float]], None]
"""Takes an event, its step and its figures."""
_logger = logging.getLogger(__name__)


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
    """What is being trained. `wrapped` is what Fabric made of `network`: the same parameters.

    fingerprint: identity of the training data.
    """

    config: TrainConfig
    fabric: Fabric
    network: nn.Module
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    method: Baseline
    average: WeightAverage | None
    plan: BatchPlan
    fingerprint: str
    progress: Progress = field(default_factory=Progress)

    @property
    def result(self) -> nn.Module:
        """What the training would end with now."""
        return self.network if self.average is None else self.average.module


class RunWriter:
    """The loop's way to the run folder.

    validate: mean IoU of a network, None for no validation. score: the last validation's, if there was one.
    """

    def __init__(
        self,
        training: Training,
        *,
        checkpoints: Checkpoints,
        validate: Callable[[nn.Module], float] | None,
    ) -> None:
        self.training = training
        self.checkpoints = checkpoints
        self.score: float | None = None
        self._validation = validate
        self._is_writer = training.fabric.is_global_zero
        self._log: Log = lambda event, step, figures: None
        self._bar: ProgressBar | None = None

    def restore(self) -> None:
        """Continue from the newest checkpoint, if there is one.

        Raises:
            UserError: if the data changed since.
            CheckpointError: if the checkpoint is damaged or of another training.
        """
        steps = self.checkpoints.steps()
        if not steps:
            return
        state = self.checkpoints.load_state(steps[-1])
        training = self.training
        if state.get("data") != training.fingerprint:
            raise UserError(
                f"the training data changed since {training.config.out} was started; choose another --out, "
                "or put the data back as it was"
            )
        self.checkpoints.load_weights(steps[-1], network=training.network)
        try:
            training.optimizer.load_state_dict(state["optimizer"])
            training.fabric.strategy.precision.load_state_dict(state["precision"])
            if training.average is not None:
                training.average.load_state_dict(state["average"])
            for name, value in state["progress"].items():
                setattr(training.progress, name, value)
            self.score = state["score"]
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.checkpoints.path(steps[-1])} does not belong to this training ({error})"
            ) from error
        _logger.info("continuing at step %d", training.progress.step)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """The log and the progress bar, as long as the training runs."""
        config, step = self.training.config, self.training.progress.step
        shows = self._is_writer and config.runtime.progress
        with contextlib.ExitStack() as stack:
            if self._is_writer:
                self._log = stack.enter_context(
                    open_log(config.out, step=step, tensorboard=config.runtime.tensorboard)
                )
            self._bar = stack.enter_context(progress_bar(disable=not shows))
            title, total = f"train {config.method.kind}", config.schedule.steps
            self._bar.add_task(title, total=total, completed=step, status="")
            yield

    def report(self, figures: dict[str, float]) -> None:
        """One line of the log, and the bar moves on."""
        progress = self.training.progress
        self._log("train", progress.step, {**figures, "seconds": progress.seconds})
        if self._bar is not None:
            status = f"loss {figures['loss']:.3f} · {figures['images_per_second']:.1f} images/s"
            self._bar.update(self._bar.task_ids[0], completed=progress.step, status=status)

    def validate(self) -> None:
        """Score the weights that would be saved now, on one process; the others wait."""
        if self._validation is None:
            return
        if self._is_writer:
            progress = self.training.progress
            self.score = self._validation(self.training.result.eval())
            if self.score > progress.best_score:
                progress.best_score, progress.best_step = self.score, progress.step
                if self.training.config.schedule.keep == "best":
                    self._save(self._best_path(), self.training.result)
            self._log("validate", progress.step, {"miou": self.score})
        self.training.fabric.barrier()

    def checkpoint(self) -> None:
        """All that a continuation needs; the best weights so far stay beside it."""
        training = self.training
        if self._is_writer:
            state = {
                "progress": asdict(training.progress),
                "score": self.score,
                "optimizer": training.optimizer.state_dict(),
                "precision": training.fabric.strategy.precision.state_dict(),
                "average": training.average.state_dict() if training.average is not None else None,
                "data": training.fingerprint,
            }
            self.checkpoints.save(
                training.progress.step,
                write_weights=lambda path: self._save(path, training.network),
                state=state,
            )
            for path in self.checkpoints.folder.glob("best_*.safetensors"):
                if path != self._best_path():
                    path.unlink()
        training.fabric.barrier()

    def write_final(self) -> None:
        """RUN/model.safetensors: the last weights (averaged, if so configured) or the best on validation."""
        config, progress = self.training.config, self.training.progress
        if config.schedule.keep == "best" and progress.best_step > 0:
            with atomic_path(config.out / WEIGHTS_NAME) as temporary:
                shutil.copyfile(self._best_path(), temporary)
        else:
            self._save(config.out / WEIGHTS_NAME, self.training.result)

    def _best_path(self) -> Path:
        """Named by its step: until the next checkpoint, the one that the last checkpoint knows stays too."""
        return self.checkpoints.folder / f"best_{self.training.progress.best_step:06d}.safetensors"

    def _save(self, path: Path, network: nn.Module) -> None:
        config = self.training.config
        info: dict[str, str | int | float] = {
            "method": config.method.kind,
            "method_title": METHODS.entry_of(config.method).title,
            "seed": config.seed,
            "step": self.training.progress.step,
            "steps": config.schedule.steps,
            "weights": config.schedule.keep,
            "ema_decay": config.optimisation.ema_decay,
        }
        if self.score is not None and math.isfinite(self.score):
            info["validation_miou"] = self.score
        save_network(path, network, model_config=config.model, info=info)


@contextlib.contextmanager
def open_log(folder: Path, *, step: int, tensorboard: bool) -> Iterator[Log]:
    """Appends events to RUN/log.jsonl. After a resume at `step`, lines of later steps are dropped first."""
    path = folder / "log.jsonl"
    if path.is_file():
        kept = [event for event in read_log(folder) if event["step"] <= step]
        write_text(path, "".join(json.dumps(event) + "\n" for event in kept))
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "a", encoding="utf-8"))
        board: SummaryWriter | None = None
        if tensorboard:
            board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
            stack.callback(board.close)

        def write(event: str, step: int, figures: Mapping[str, float]) -> None:
            """One line; figures that are not finite become null."""
            clean = {name: value if math.isfinite(value) else None for name, value in figures.items()}
            file.write(json.dumps({"event": event, "step": step, **clean}) + "\n")
            file.flush()
            for name, value in clean.items():
                if board is not None and value is not None:
                    board.add_scalar(f"{event}/{name}", value, step)

        yield write


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The events of a run; a last line that was not finished is left out."""
    events = []
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            events.append(json.loads(line))
    return events
