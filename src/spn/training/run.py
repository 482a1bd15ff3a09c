"""What a training is, what it leaves in its run folder while it runs, and how it picks itself up from there.

log.jsonl (one JSON object per line, and the same figures for TensorBoard), checkpoints, the best weights so
far and, at the end, model.safetensors. One process writes; the others wait where they must.
"""

import contextlib
import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import InitVar, asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import torch
from lightning_fabric import Fabric
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from spn.core.classes import CITYSCAPES_19, LabelSpace
from spn.core.errors import CheckpointError, UserError
from spn.core.files import write_bytes, write_text
from spn.core.progress import progress_bar
from spn.core.records import flattened, to_plain
from spn.core.run_log import LOG_NAME, read_log
from spn.inference.weights import WEIGHTS_NAME, save_network
from spn.methods.base import Baseline, Teachers
from spn.methods.options import METHODS
from spn.models.network import SegmentationNetwork
from spn.training.config import TrainConfig
from spn.training.data import BatchPlan
from spn.training.depthwise import replace_depthwise
from spn.training.loggers import Loggers
from spn.training.optimisation import average_weights, build_optimizer, train_mode
from spn.training.run_folder import Checkpoints

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


@dataclass(eq=False)
class Run:
    """What is being trained, on the device and wrapped, and its way to the run folder.

    network: as built, until the method attaches its own. classes, trained_on: what it learns, from which
    datasets. validation: a network's score, if there is one. fingerprint: identity of the training data.
    wrapped: what Fabric made of `network`, the same parameters. score: the last validation's, if any.
    """

    config: TrainConfig
    network: SegmentationNetwork
    method: Baseline
    teachers: InitVar[Teachers]
    validation: Callable[[nn.Module], float] | None
    fingerprint: str
    checkpoints: Checkpoints
    fabric: Fabric
    classes: LabelSpace = CITYSCAPES_19
    trained_on: tuple[str, ...] = ()

    def __post_init__(self, teachers: Teachers) -> None:
        fabric, optimisation, runtime = self.fabric, self.config.optimisation, self.config.runtime
        on_gpu, network = fabric.device.type == "cuda", self.network
        if fabric.world_size > 1 and on_gpu:  # timm's: torch's loses the activations of BatchNormAct2d
            network = convert_sync_batchnorm(network)
        if not on_gpu and not runtime.compile and "bf16" in fabric.strategy.precision.precision:
            replace_depthwise(network)
        frozen = {name: _Frozen(teacher, fabric) for name, teacher in teachers.items()}
        self.method.prepare(network, teachers=frozen)
        if runtime.channels_last:
            network = network.to(memory_format=torch.channels_last)
        train_mode(network, optimisation.only)
        optimizer = build_optimizer(network, optimisation, fused=on_gpu)
        self.plan = BatchPlan(
            optimisation.batch_size,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            device_batch=runtime.device_batch,
        )
        trained = torch.compile(network) if runtime.compile else network
        self.network = network
        self.wrapped, self.optimizer = fabric.setup(trained, optimizer)  # type: ignore[arg-type]
        decay = optimisation.ema_decay
        self.average = average_weights(network, decay=decay) if decay > 0 else None
        self.progress = Progress()
        self.score: float | None = None
        self._file: TextIO | None = None
        self._loggers: Loggers | None = None
        self._bar = progress_bar(disable=not (fabric.is_global_zero and runtime.progress))

    @property
    def result(self) -> nn.Module:
        """What the training would end with now."""
        return self.network if self.average is None else self.average.module

    def restore(self) -> None:
        """Continue from the newest checkpoint, if there is one.

        Raises UserError if the data changed since, CheckpointError if it is damaged or of another training.
        """
        if not (steps := self.checkpoints.steps()):
            return
        state = self.checkpoints.state(steps[-1])
        if state.get("data") != self.fingerprint:
            raise UserError(
                f"the training data changed since {self.config.out} was started; choose another --out, "
                "or put the data back as it was"
            )
        self.checkpoints.load(steps[-1], network=self.network)
        try:
            self.optimizer.load_state_dict(state["optimizer"])
            self.fabric.strategy.precision.load_state_dict(state["precision"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.progress, self.score = Progress(**state["progress"]), state["score"]
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.checkpoints.path(steps[-1])} does not belong to this training ({error})"
            ) from error
        _logger.info("continuing at step %d", self.progress.step)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """The log and the progress bar, as long as the training runs."""
        runtime, step, writes = self.config.runtime, self.progress.step, self.fabric.is_global_zero
        folder = self.config.out
        with contextlib.ExitStack() as stack:
            if writes:
                path = folder / LOG_NAME
                if path.is_file():  # lines of steps after the one that is continued from are dropped
                    kept = [event for event in read_log(folder) if event["step"] <= step]
                    write_text(path, "".join(json.dumps(event) + "\n" for event in kept))
                self._file = stack.enter_context(open(path, "a", encoding="utf-8"))
                loggers = Loggers(
                    ("tensorboard",) * runtime.tensorboard + runtime.logger,
                    folder,
                    config=flattened(to_plain(self.config)),
                    purge_step=step + 1 if step else None,
                )
                self._loggers = stack.enter_context(contextlib.closing(loggers))
            stack.enter_context(self._bar)
            title, total = f"train {self.config.method.kind}", self.config.schedule.steps
            self._bar.add_task(title, total=total, completed=step, status="")
            yield

    def report(self, figures: dict[str, float]) -> None:
        """One line of the log, and the bar moves on."""
        self._log("train", {**figures, "seconds": self.progress.seconds})
        status = f"loss {figures['loss']:.3f} · {figures['images_per_second']:.1f} images/s"
        self._bar.update(self._bar.task_ids[0], completed=self.progress.step, status=status)

    def _log(self, event: str, figures: dict[str, float]) -> None:
        """One line; figures that are not finite become null."""
        if self._file is None:
            return
        step = self.progress.step
        clean = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"event": event, "step": step, **clean}) + "\n")
        self._file.flush()
        if self._loggers is not None:
            known = {f"{event}/{name}": value for name, value in clean.items() if value is not None}
            self._loggers.add(known, step=step)

    def validate(self) -> None:
        """Score the weights that would be saved now, on one process; the others wait."""
        if self.validation is None:
            return
        if self.fabric.is_global_zero:
            progress = self.progress
            self.score = self.validation(self.result.eval())
            if self.score > progress.best_score:
                progress.best_score, progress.best_step = self.score, progress.step
                if self.config.schedule.keep == "best":
                    self._save(self._best_path(), self.result)
            self._log("validate", {"miou": self.score})
        self.fabric.barrier()

    def checkpoint(self) -> None:
        """All that a continuation needs; the best weights so far stay beside it."""
        if self.fabric.is_global_zero:
            state = {
                "progress": asdict(self.progress),
                "score": self.score,
                "optimizer": self.optimizer.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),
                "average": self.average.state_dict() if self.average is not None else None,
                "data": self.fingerprint,
            }
            self.checkpoints.save(
                self.progress.step, write_weights=lambda path: self._save(path, self.network), state=state
            )
            for path in self.checkpoints.folder.glob("best_*.safetensors"):
                if path != self._best_path():
                    path.unlink()
        self.fabric.barrier()

    def write_final(self) -> None:
        """RUN/model.safetensors: the last weights (averaged, if so configured) or the best on validation."""
        path = self.config.out / WEIGHTS_NAME
        if self.config.schedule.keep == "best" and self.progress.best_step > 0:
            write_bytes(path, self._best_path().read_bytes())
        else:
            self._save(path, self.result)

    def _best_path(self) -> Path:
        """Named by its step: until the next checkpoint, the one that the last checkpoint knows stays too."""
        return self.checkpoints.folder / f"best_{self.progress.best_step:06d}.safetensors"

    def _save(self, path: Path, network: nn.Module) -> None:
        config = self.config
        info: dict[str, Any] = {
            "method": config.method.kind,
            "method_title": METHODS.entry_of(config.method).title,
            "method_options": to_plain(config.method),
            "trained_on": list(self.trained_on),
            "seed": config.seed,
            "step": self.progress.step,
            "steps": config.schedule.steps,
            "weights": config.schedule.keep,
            "ema_decay": config.optimisation.ema_decay,
        }
        if self.score is not None and math.isfinite(self.score):
            info["validation_miou"] = self.score
        save_network(
            path, network, model_config=config.model, info=info, classes=self.classes, tta=config.tta
        )


class _Frozen(nn.Module):
    """A teacher on the training's device and in its precision: no gradients, evaluation mode."""

    def __init__(self, teacher: nn.Module, fabric: Fabric) -> None:
        super().__init__()
        self.teacher = teacher.requires_grad_(False).eval().to(fabric.device)
        self._fabric = fabric

    @torch.no_grad()
    def forward(self, *inputs: Tensor) -> object:
        with self._fabric.autocast():
            return self.teacher(*inputs)
