"""One training from its configuration to RUN/model.safetensors: claims the folder, resumes, runs the loop."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.inference.weights import WEIGHTS_NAME, read_info
from spn.methods.base import Teachers
from spn.training.checkpoint import Checkpoints
from spn.training.config import TrainConfig, resolved
from spn.training.data import PlannedItems, StreamImages, plan_batches
from spn.training.devices import build_fabric, prepare_machine
from spn.training.ingredients import Ingredients, gather_ingredients
from spn.training.loop import run_steps
from spn.training.optimisation import WeightAverage, build_optimizer, freeze_all_but
from spn.training.run_folder import check_folder, claimed, write_provenance
from spn.training.writer import RunWriter, Training
from spn.transforms.pipeline import TrainTransform


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
    config: TrainConfig,
    *,
    gather: Callable[[TrainConfig], Ingredients] = gather_ingredients,
    resume: bool = False,
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
    weights, last, is_writer = config.out / WEIGHTS_NAME, config.schedule.steps, fabric.is_global_zero
    if not checkpoints.steps() and weights.is_file():  # finished, and the checkpoints were removed since
        info = read_info(weights)
        return TrainResult(weights, int(info["step"]), info.get("validation_miou"), last, 0.0, is_writer)
    with fabric.rank_zero_first(local=True):
        # a checkpoint holds every weight: continuing needs no other file and no hub
        continues = bool(checkpoints.steps())
        ingredients = gather(replace(config, pretrained=False, init_from=None) if continues else config)
        method = ingredients.method
        streams = [StreamImages(stream, config.augmentation, seed=config.seed) for stream in method.streams()]
        teachers = method.teachers(config.model, pretrained=config.pretrained, seed=config.seed)
    with contextlib.ExitStack() as stack:
        if is_writer:  # after the data were found good: a mistyped path leaves no folder behind
            stack.enter_context(claimed(config))
            checkpoints.clean()
        fabric.barrier()
        training = _set_up(config, ingredients, teachers, streams, fabric=fabric)
        writer = RunWriter(training, checkpoints=checkpoints, validate=ingredients.validate)
        writer.restore()
        progress, resumed_at = training.progress, training.progress.step
        if is_writer:
            name = torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else "cpu"
            write_provenance(training, device=name, split_hashes=ingredients.split_hashes)
        if resumed_at < last:
            views, plan = method.views, training.plan
            items = PlannedItems(
                ingredients.source,
                sampler=ingredients.sampler,
                transform=TrainTransform(config.augmentation, views=views),
                seed=config.seed,
                coarse=TrainTransform(config.augmentation.halved(), views=views),
                coarse_until=config.schedule.coarse_steps * plan.batch_size,
                streams=streams,
            )
            with writer.open():
                run_steps(training, items, writer=writer)
        if is_writer and (resumed_at < last or not weights.is_file()):
            writer.write_final()
        fabric.barrier()
    best = config.schedule.keep == "best" and progress.best_step > 0
    step, score = (progress.best_step, progress.best_score) if best else (progress.step, writer.score)
    return TrainResult(weights, step, score, resumed_at, progress.seconds, is_writer)


def _set_up(
    config: TrainConfig,
    ingredients: Ingredients,
    teachers: Teachers,
    streams: Sequence[StreamImages],
    *,
    fabric: Fabric,
) -> Training:
    """The network and what surrounds it, on the device and wrapped."""
    network, method = ingredients.network, ingredients.method
    on_gpu = fabric.device.type == "cuda"
    if fabric.world_size > 1 and on_gpu:
        network = convert_sync_batchnorm(network)  # timm's: torch's loses the activations of BatchNormAct2d
    method.prepare(network, teachers={name: _Frozen(t, fabric) for name, t in teachers.items()})
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
        config=config,
        fabric=fabric,
        network=network,
        wrapped=wrapped,
        optimizer=wrapped_optimizer,
        method=method,
        average=WeightAverage(network, decay=decay) if decay > 0 else None,
        plan=plan,
        fingerprint=" ".join([ingredients.fingerprint, *(stream.fingerprint() for stream in streams)]),
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
