"""What a training leaves in its run folder while it runs, and how it picks itself up from there.

log.jsonl, checkpoints, the best weights so far and, at the end, model.safetensors. One process writes; the
others wait where they must.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.progress import Progress as ProgressBar
from torch import nn

from spn.core.errors import CheckpointError, UserError
from spn.core.files import atomic_path
from spn.core.progress import progress_bar
from spn.inference.weights import WEIGHTS_NAME, save_network
from spn.methods.options import METHODS
from spn.models.config import ModelConfig
from spn.training.checkpoint import Checkpoints
from spn.training.config import TrainConfig
from spn.training.logging import RunLog
from spn.training.loop import Training

_log = logging.getLogger(__name__)


class RunWriter:
    """The hooks through which the loop reaches the run folder.

    model_config: what rebuilds the network. fingerprint: identity of the training data. validate: scores a
    network, None for no validation. score: the last validation's, if there was one.
    """

    def __init__(
        self,
        config: TrainConfig,
        training: Training,
        *,
        checkpoints: Checkpoints,
        model_config: ModelConfig,
        fingerprint: str,
        validate: Callable[[nn.Module], float] | None,
    ) -> None:
        self.config = config
        self.training = training
        self.checkpoints = checkpoints
        self.model_config = model_config
        self.fingerprint = fingerprint
        self.score: float | None = None
        self._validation = validate
        self._is_writer = training.fabric.is_global_zero
        self._run_log: RunLog | None = None
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
        if state.get("data") != self.fingerprint:
            raise UserError(
                f"the training data changed since {self.config.out} was started; choose another --out, or "
                "put the data back as it was"
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
        _log.info("continuing at step %d", training.progress.step)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """The log and the progress bar, as long as the training runs."""
        config, progress = self.config, self.training.progress
        with contextlib.ExitStack() as stack:
            if self._is_writer:
                self._run_log = RunLog(config.out, step=progress.step, tensorboard=config.runtime.tensorboard)
                stack.callback(self._run_log.close)
            self._bar = stack.enter_context(
                progress_bar(disable=not (self._is_writer and config.runtime.progress))
            )
            self._bar.add_task(
                f"train {self.config.method.kind}",
                total=config.schedule.steps,
                completed=progress.step,
                status="",
            )
            yield

    def report(self, figures: dict[str, float]) -> None:
        """One line of the log, and the bar moves on."""
        progress = self.training.progress
        if self._run_log is not None:
            self._run_log.write("train", step=progress.step, figures={**figures, "seconds": progress.seconds})
        if self._bar is not None:
            status = f"loss {figures['loss']:.3f} · {figures['images_per_second']:.1f} images/s"
            self._bar.update(self._bar.task_ids[0], completed=progress.step, status=status)

    def validate(self) -> None:
        """Score the weights that would be saved now, on one process; the others wait."""
        if self._validation is None:
            return
        if self._is_writer:
            progress = self.training.progress
            self.score = self._validation(self._result().eval())
            if self.score > progress.best_score:
                progress.best_score, progress.best_step = self.score, progress.step
                if self.config.schedule.keep == "best":
                    self._save(self._best_path(), self._result())
            if self._run_log is not None:
                self._run_log.write("validate", step=progress.step, figures={"miou": self.score})
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
                "data": self.fingerprint,
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
        target = self.config.out / WEIGHTS_NAME
        if self.config.schedule.keep == "best" and self.training.progress.best_step > 0:
            with atomic_path(target) as temporary:
                shutil.copyfile(self._best_path(), temporary)
        else:
            self._save(target, self._result())

    def _result(self) -> nn.Module:
        """What the training would end with now."""
        average = self.training.average
        return self.training.network if average is None else average.module

    def _best_path(self) -> Path:
        """Named by its step: until the next checkpoint, the one that the last checkpoint knows stays too."""
        return self.checkpoints.folder / f"best_{self.training.progress.best_step:06d}.safetensors"

    def _save(self, path: Path, network: nn.Module) -> None:
        config, progress = self.config, self.training.progress
        info: dict[str, str | int | float] = {
            "method": self.config.method.kind,
            "method_title": METHODS.entry_of(self.config.method).title,
            "seed": config.seed,
            "step": progress.step,
            "steps": config.schedule.steps,
            "weights": config.schedule.keep,
            "ema_decay": config.optimisation.ema_decay,
        }
        if self.score is not None and math.isfinite(self.score):
            info["validation_miou"] = self.score
        save_network(path, network, model_config=self.model_config, info=info)
