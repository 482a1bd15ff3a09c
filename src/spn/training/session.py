"""One training from its configuration to RUN/model.safetensors: claims the folder, resumes, runs the loop."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.inference.weights import WEIGHTS_NAME, read_info
from spn.methods.base import Method, Teachers
from spn.models.config import ModelConfig
from spn.sampling.class_uniform import ClassUniformSampler
from spn.training.average import WeightAverage
from spn.training.checkpoint import Checkpoints
from spn.training.config import TrainConfig
from spn.training.data import PlannedItems, SampleSource, build_loader, plan_batches
from spn.training.devices import build_fabric, choose_workers, prepare_machine
from spn.training.freezing import freeze_all_but
from spn.training.loop import Hooks, Progress, Training, run_steps
from spn.training.optimisation import build_optimizer
from spn.training.resolve import resolved
from spn.training.run_folder import check_folder, claim_folder, only_training, write_provenance
from spn.training.streams import StreamImages
from spn.training.writer import RunWriter
from spn.transforms.pipeline import TrainTransform


@dataclass(frozen=True)
class Ingredients:
    """What a training is made of.

    network: as built, in training mode, on the CPU; the method has attached nothing to it yet. model_config:
    what rebuilds it. fingerprint: identity of the training data. validate: mean IoU (0 to 1) of a network on
    the source domain, None for no validation. split_hashes: by data argument, of the manifests of
    `spn data check`; None where there is none.
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
        method, model_config = ingredients.method, ingredients.model_config
        streams = [StreamImages(stream, config.augmentation, seed=config.seed) for stream in method.streams()]
        teachers = method.teachers(model_config, pretrained=config.pretrained, seed=config.seed)
    with contextlib.ExitStack() as stack:
        if fabric.is_global_zero:  # after the data were found good: a mistyped path leaves no folder behind
            stack.enter_context(only_training(config.out))
            claim_folder(config)
            checkpoints.clean()
        fabric.barrier()
        training = _set_up(config, ingredients, teachers, fabric=fabric)
        return _train(config, ingredients, training, streams=streams, checkpoints=checkpoints)


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


def _set_up(config: TrainConfig, ingredients: Ingredients, teachers: Teachers, *, fabric: Fabric) -> Training:
    """The network and what surrounds it, on the device and wrapped."""
    network, method = ingredients.network, ingredients.method
    several, on_gpu = fabric.world_size > 1, fabric.device.type == "cuda"
    if several and on_gpu:
        network = convert_sync_batchnorm(network)  # timm's: torch's loses the activations of BatchNormAct2d
    frozen = {name: _Frozen(teacher, fabric) for name, teacher in teachers.items()}
    method.prepare(network, teachers=frozen)  # type: ignore[arg-type]
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
        method=method,
        average=WeightAverage(network, decay=decay) if decay > 0 else None,
        plan=plan,
        progress=Progress(),
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


def _train(
    config: TrainConfig,
    ingredients: Ingredients,
    training: Training,
    *,
    streams: Sequence[StreamImages],
    checkpoints: Checkpoints,
) -> TrainResult:
    """Run what is left of the training, and write the final weights."""
    fabric, progress = training.fabric, training.progress
    fingerprint = " ".join([ingredients.fingerprint, *(stream.fingerprint() for stream in streams)])
    writer = RunWriter(
        config,
        training,
        checkpoints=checkpoints,
        model_config=ingredients.model_config,
        fingerprint=fingerprint,
        validate=ingredients.validate,
    )
    writer.restore()
    resumed_at, steps = progress.step, config.schedule.steps
    if fabric.is_global_zero:
        write_provenance(
            config,
            fingerprint=fingerprint,
            world_size=fabric.world_size,
            device=_device_name(fabric.device),
            split_hashes=ingredients.split_hashes,
        )
    if resumed_at < steps:
        with writer.open():
            _run_steps(config, ingredients, training, streams=streams, writer=writer)
    if fabric.is_global_zero and (resumed_at < steps or not (config.out / WEIGHTS_NAME).is_file()):
        writer.write_final()
    fabric.barrier()
    best = config.schedule.keep == "best" and progress.best_step > 0
    return TrainResult(
        weights=config.out / WEIGHTS_NAME,
        step=progress.best_step if best else progress.step,
        score=progress.best_score if best else writer.score,
        resumed_at=resumed_at,
        seconds=progress.seconds,
        is_writer=fabric.is_global_zero,
    )


def _run_steps(
    config: TrainConfig,
    ingredients: Ingredients,
    training: Training,
    *,
    streams: Sequence[StreamImages],
    writer: RunWriter,
) -> None:
    views, accelerator = training.method.views, training.fabric.device.type
    items = PlannedItems(
        ingredients.source,
        sampler=ingredients.sampler,
        transform=TrainTransform(config.augmentation, views=views),
        seed=config.seed,
        coarse=TrainTransform(config.augmentation.halved(), views=views),
        coarse_until=config.schedule.coarse_steps * training.plan.batch_size,
        streams=streams,
    )
    loader = build_loader(
        items,
        training.plan,
        start=training.progress.step,
        stop=config.schedule.steps,
        workers=choose_workers(
            config.runtime, accelerator=accelerator, world_size=training.fabric.world_size
        ),
        pin_memory=accelerator == "cuda",
    )
    hooks = Hooks(
        report=writer.report,
        validate=writer.validate,
        checkpoint=writer.checkpoint,
        name_files=lambda step: [items.name(position) for position in training.plan.positions(step)],
    )
    run_steps(training, config, loader=loader, hooks=hooks)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
