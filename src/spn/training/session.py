"""One training from its configuration to RUN/model.safetensors: claims the folder, resumes, runs the loop."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.progress import Progress as ProgressBar
from timm.layers import convert_sync_batchnorm
from torch import nn

from spn.core.errors import CheckpointError, UserError
from spn.core.files import atomic_path
from spn.core.progress import progress_bar
from spn.inference.weights import WEIGHTS_NAME, read_info, save_network
from spn.methods.base import Method
from spn.models.config import ModelConfig
from spn.sampling.class_uniform import ClassUniformSampler
from spn.training.average import WeightAverage
from spn.training.checkpoint import Checkpoints
from spn.training.config import TrainConfig
from spn.training.data import PlannedItems, SampleSource, build_loader, plan_batches
from spn.training.devices import build_fabric, choose_workers, prepare_machine
from spn.training.freezing import freeze_all_but
from spn.training.logging import RunLog
from spn.training.loop import Hooks, Progress, Training, run_steps
from spn.training.optimisation import build_optimizer
from spn.training.resolve import resolved
from spn.training.run_folder import check_folder, claim_folder, only_training, write_provenance
from spn.transforms.pipeline import TrainTransform

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingredients:
    """What a training is made of.

    network: as built, in training mode, on the CPU. model_config: what rebuilds it. fingerprint: identity of
    the training data. validate: mean IoU (0 to 1) of a network on the source domain, None for no validation.
    split_hashes: by data argument, of the manifests of `spn data check`; None where there is none.
    """

    network: nn.Module
    model_config: ModelConfig
    method: Method
    source: SampleSource
    sampler: ClassUniformSampler
    fingerprint: str
    validate: Callable[[nn.Module], float] | None
    split_hashes: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainResult:
    """weights: the final file. step: the step its weights are from. score: source validation, if any.

    resumed_at: the step this start continued from; 0 for a fresh run, the last step if nothing was left.
    seconds: time spent in training steps, over all starts. is_writer: whether this process is the one that
    writes and speaks (rank 0).
    """

    weights: Path
    step: int
    score: float | None
    resumed_at: int
    seconds: float
    is_writer: bool


def run_training(
    config: TrainConfig, *, gather: Callable[[TrainConfig], Ingredients], resume: bool = False
) -> TrainResult:
    """Train as `config` says, or continue where an earlier start of the same configuration stopped.

    `gather` makes the ingredients; it runs on one process of a machine first, the others find its caches.
    `resume`: there must be something to continue. Raises UserError.
    """
    config = resolved(config)
    config.check()
    fabric = build_fabric(config.runtime)
    fabric.launch()
    if not fabric.is_global_zero:
        logging.getLogger("spn").setLevel(logging.WARNING)  # one process tells what happens
    prepare_machine(config.runtime, accelerator=fabric.device.type)
    checkpoints = Checkpoints(config.out / "checkpoints", keep=config.runtime.keep_checkpoints)
    if resume and not checkpoints.steps():
        raise UserError(f"--resume was given, but {config.out} holds no checkpoint; leave it out to start")
    check_folder(config)
    if not checkpoints.steps() and (config.out / WEIGHTS_NAME).is_file():
        return _finished(config, is_writer=fabric.is_global_zero)
    with fabric.rank_zero_first(local=True):
        # a checkpoint holds every weight: continuing needs no other file and no hub
        ingredients = gather(
            replace(config, pretrained=False, init_from=None) if checkpoints.steps() else config
        )
    with contextlib.ExitStack() as stack:
        if fabric.is_global_zero:  # after the data were found good: a mistyped path leaves no folder behind
            stack.enter_context(only_training(config.out))
            claim_folder(config)
            checkpoints.clean()
        fabric.barrier()
        return _Session(config, ingredients, fabric=fabric, checkpoints=checkpoints).run()


def _finished(config: TrainConfig, *, is_writer: bool) -> TrainResult:
    """The result of a training whose final weights are there and whose checkpoints were removed since."""
    weights = config.out / WEIGHTS_NAME
    info = read_info(weights)
    return TrainResult(
        weights=weights,
        step=int(info["step"]),
        score=info.get("validation_miou"),
        resumed_at=config.schedule.steps,
        seconds=0.0,
        is_writer=is_writer,
    )


class _Session:
    """The parts of one start, and the hooks through which the loop reaches the run folder."""

    def __init__(
        self, config: TrainConfig, ingredients: Ingredients, *, fabric: Fabric, checkpoints: Checkpoints
    ) -> None:
        self.config = config
        self.ingredients = ingredients
        self.fabric = fabric
        self.checkpoints = checkpoints
        self.training = _set_up(config, ingredients, fabric=fabric)
        self.score: float | None = None
        self.log: RunLog | None = None
        self.bar: ProgressBar | None = None

    def run(self) -> TrainResult:
        config, training = self.config, self.training
        self._restore()
        resumed_at = training.progress.step
        with contextlib.ExitStack() as stack:
            if self.fabric.is_global_zero:
                write_provenance(
                    config,
                    fingerprint=self.ingredients.fingerprint,
                    world_size=self.fabric.world_size,
                    device=_device_name(self.fabric.device),
                    split_hashes=self.ingredients.split_hashes,
                )
                self.log = RunLog(config.out, step=resumed_at, tensorboard=config.runtime.tensorboard)
                stack.callback(self.log.close)
            if resumed_at < config.schedule.steps:
                self.bar = stack.enter_context(self._progress_bar())
                self._run_steps()
            trained = resumed_at < config.schedule.steps
            if self.fabric.is_global_zero and (trained or not (config.out / WEIGHTS_NAME).is_file()):
                self._write_final()
        self.fabric.barrier()
        progress = training.progress
        best = config.schedule.keep == "best" and progress.best_step > 0
        return TrainResult(
            weights=config.out / WEIGHTS_NAME,
            step=progress.best_step if best else progress.step,
            score=progress.best_score if best else self.score,
            resumed_at=resumed_at,
            seconds=progress.seconds,
            is_writer=self.fabric.is_global_zero,
        )

    def _run_steps(self) -> None:
        config, training, source = self.config, self.training, self.ingredients.source
        items = PlannedItems(
            source,
            sampler=self.ingredients.sampler,
            transform=TrainTransform(config.augmentation, views=training.method.views),
            seed=config.seed,
            coarse=TrainTransform(config.augmentation.halved(), views=training.method.views),
            coarse_until=config.schedule.coarse_steps * training.plan.batch_size,
        )
        accelerator = self.fabric.device.type
        loader = build_loader(
            items,
            training.plan,
            start=training.progress.step,
            stop=config.schedule.steps,
            workers=choose_workers(
                config.runtime, accelerator=accelerator, world_size=self.fabric.world_size
            ),
            pin_memory=accelerator == "cuda",
        )
        hooks = Hooks(
            report=self._report,
            validate=self._validate,
            checkpoint=self._checkpoint,
            name_files=lambda step: [items.name(position) for position in training.plan.positions(step)],
        )
        run_steps(training, config, loader=loader, hooks=hooks)

    def _report(self, figures: dict[str, float]) -> None:
        progress = self.training.progress
        if self.log is not None:
            self.log.write("train", step=progress.step, figures={**figures, "seconds": progress.seconds})
        if self.bar is not None:
            status = f"loss {figures['loss']:.3f} · {figures['images_per_second']:.1f} images/s"
            self.bar.update(self.bar.task_ids[0], completed=progress.step, status=status)

    def _validate(self) -> None:
        """Score the weights that would be saved now, on one process; the others wait."""
        validate, progress = self.ingredients.validate, self.training.progress
        if validate is None:
            return
        if self.fabric.is_global_zero:
            network = self.training.network
            with self._saved_weights():
                network.eval()
                self.score = validate(network)
                if self.score > progress.best_score:
                    progress.best_score, progress.best_step = self.score, progress.step
                    if self.config.schedule.keep == "best":
                        self._save(self._best_path())
            if self.log is not None:
                self.log.write("validate", step=progress.step, figures={"miou": self.score})
        self.fabric.barrier()

    def _checkpoint(self) -> None:
        if self.fabric.is_global_zero:
            training = self.training
            state = {
                "progress": asdict(training.progress),
                "score": self.score,
                "optimizer": training.optimizer.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),
                "average": training.average.state_dict() if training.average is not None else None,
                "data": self.ingredients.fingerprint,
            }
            self.checkpoints.save(training.progress.step, write_weights=self._save, state=state)
            for path in self.checkpoints.folder.glob("best_*.safetensors"):
                if path != self._best_path():
                    path.unlink()
        self.fabric.barrier()

    def _restore(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        steps = self.checkpoints.steps()
        if not steps:
            return
        state = self.checkpoints.load_state(steps[-1])
        training = self.training
        if state.get("data") != self.ingredients.fingerprint:
            raise UserError(
                f"the training data changed since {self.config.out} was started; choose another --out, or "
                "put the data back as it was"
            )
        self.checkpoints.load_weights(steps[-1], network=training.network)
        try:
            training.optimizer.load_state_dict(state["optimizer"])
            self.fabric.strategy.precision.load_state_dict(state["precision"])
            if training.average is not None:
                training.average.load_state_dict(state["average"])
            for name, value in state["progress"].items():
                setattr(training.progress, name, value)
            self.score = state["score"]
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{self.checkpoints.path(steps[-1])} does not belong to this training ({error})"
            ) from error
        _log.info("continuing at step %d", training.progress.step)

    def _write_final(self) -> None:
        """RUN/model.safetensors: the last weights (averaged, if so configured) or the best on validation."""
        target = self.config.out / WEIGHTS_NAME
        if self.config.schedule.keep == "best" and self.training.progress.best_step > 0:
            with atomic_path(target) as temporary:
                shutil.copyfile(self._best_path(), temporary)
        else:
            with self._saved_weights():
                self._save(target)

    def _best_path(self) -> Path:
        """Named by its step: until the next checkpoint, the one that the last checkpoint knows stays too."""
        return self.checkpoints.folder / f"best_{self.training.progress.best_step:06d}.safetensors"

    @contextlib.contextmanager
    def _saved_weights(self) -> Iterator[None]:
        average = self.training.average
        with average.applied_to(self.training.network) if average is not None else contextlib.nullcontext():
            yield

    def _save(self, path: Path) -> None:
        config, progress = self.config, self.training.progress
        info: dict[str, str | int | float] = {
            "method": config.method.kind,
            "seed": config.seed,
            "step": progress.step,
            "steps": config.schedule.steps,
            "weights": config.schedule.keep,
            "ema_decay": config.optimisation.ema_decay,
        }
        if self.score is not None and math.isfinite(self.score):
            info["validation_miou"] = self.score
        save_network(path, self.training.network, model_config=self.ingredients.model_config, info=info)

    def _progress_bar(self) -> ProgressBar:
        bar = progress_bar(disable=not (self.fabric.is_global_zero and self.config.runtime.progress))
        bar.add_task(
            f"train {self.config.method.kind}",
            total=self.config.schedule.steps,
            completed=self.training.progress.step,
            status="",
        )
        return bar


def _set_up(config: TrainConfig, ingredients: Ingredients, *, fabric: Fabric) -> Training:
    network = ingredients.network
    several, on_gpu = fabric.world_size > 1, fabric.device.type == "cuda"
    if several and on_gpu:
        network = convert_sync_batchnorm(network)  # timm's: torch's loses the activations of BatchNormAct2d
    if config.runtime.channels_last:
        network = network.to(memory_format=torch.channels_last)
    freeze_all_but(network, config.optimisation.only)
    optimizer = build_optimizer(network, config.optimisation, fused=on_gpu)
    plan = plan_batches(
        config.optimisation.batch_size,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        device_batch=config.runtime.device_batch,
    )
    trained = torch.compile(network) if config.runtime.compile else network
    wrapped, wrapped_optimizer = fabric.setup(trained, optimizer)  # type: ignore[arg-type]
    decay = config.optimisation.ema_decay
    return Training(
        fabric=fabric,
        network=network,
        wrapped=wrapped,
        optimizer=wrapped_optimizer,
        method=ingredients.method,
        average=WeightAverage(network, decay=decay) if decay > 0 else None,
        plan=plan,
        progress=Progress(),
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
