"""One training from its configuration to RUN/model.safetensors.

What it is made of is gathered (network, method, data, validation), its folder claimed, and the loop run from
where an earlier start stopped.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from spn.core.errors import UserError
from spn.core.process import keep_freed_memory, under_torchrun
from spn.inference.weights import WEIGHTS_NAME, choose_device, read_info
from spn.training.config import RuntimeConfig, TrainConfig, resolved
from spn.training.data import PlannedItems, StreamImages, build_loader
from spn.training.ingredients import Ingredients, gather_ingredients, with_classes
from spn.training.loop import run_steps
from spn.training.run import Run
from spn.training.run_folder import Checkpoints, check_folder, claimed, write_provenance
from spn.transforms.pipeline import TrainTransform

_RANKS: Final = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE")
_LAUNCHER: Final = "SPN_LAUNCHER"
"""In the environment of the processes that a training starts on further devices: the number of the first."""
_log = logging.getLogger(__name__)


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
    fabric = _build_fabric(config.runtime)
    fabric.launch()
    on_gpu, is_writer = fabric.device.type == "cuda", fabric.is_global_zero
    if not is_writer:
        logging.getLogger("spn").setLevel(logging.WARNING)  # one process tells what happens
    cv2.setNumThreads(0)
    if config.runtime.threads > 0:
        torch.set_num_threads(config.runtime.threads)
    if on_gpu:
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    else:
        keep_freed_memory()
        busy, threads = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, torch.get_num_threads()
        if is_writer and not config.runtime.threads and 1 < threads < busy:
            text = "the machine is busy (load %.1f, %d threads here): --runtime.threads 1 may be faster"
            _log.warning(text, busy, threads)
    checkpoints = Checkpoints(config.out / "checkpoints", keep=config.runtime.keep_checkpoints)
    if resume and not checkpoints.steps():
        raise UserError(f"--resume was given, but {config.out} holds no checkpoint; leave it out to start")
    check_folder(config)
    weights, last = config.out / WEIGHTS_NAME, config.schedule.steps
    if not checkpoints.steps() and weights.is_file():  # finished, and the checkpoints were removed since
        info = read_info(weights)
        return TrainResult(weights, int(info["step"]), info.get("validation_miou"), last, 0.0, is_writer)
    with fabric.rank_zero_first(local=True):
        # a checkpoint holds every weight: continuing needs no other file and no hub
        continues = bool(checkpoints.steps())
        ingredients = gather(replace(config, pretrained=False, init_from=None) if continues else config)
        config = with_classes(config, ingredients.classes)
        method = ingredients.method
        streams = [
            StreamImages(name, folder, config.augmentation, seed=config.seed)
            for name, folder in method.streams().items()
        ]
        teachers = method.teachers(config.model, pretrained=config.pretrained, seed=config.seed)
    with contextlib.ExitStack() as stack:
        if is_writer:  # after the data were found good: a mistyped path leaves no folder behind
            stack.enter_context(claimed(config))
            checkpoints.clean()
        fabric.barrier()
        run = Run(
            config,
            ingredients.network,
            method,
            teachers,
            validation=ingredients.validate,
            classes=ingredients.classes,
            trained_on=ingredients.trained_on,
            fingerprint=" ".join([ingredients.fingerprint, *(stream.fingerprint() for stream in streams)]),
            checkpoints=checkpoints,
            fabric=fabric,
        )
        run.restore()
        progress, resumed_at = run.progress, run.progress.step
        if is_writer:
            write_provenance(
                config.out,
                device=torch.cuda.get_device_name(fabric.device) if on_gpu else "cpu",
                world_size=fabric.world_size,
                data=run.fingerprint,
                split_hashes=dict(ingredients.split_hashes),
            )
        if resumed_at < last:
            views, plan = method.views, run.plan
            items = PlannedItems(
                ingredients.source,
                sampler=ingredients.sampler,
                transform=TrainTransform(config.augmentation, views=views),
                seed=config.seed,
                coarse=TrainTransform(config.augmentation.halved(), views=views),
                coarse_until=config.schedule.coarse_steps * plan.batch_size,
                streams=streams,
            )
            workers = _choose_workers(config.runtime, fabric)
            loader = build_loader(
                items, plan, start=resumed_at, stop=last, workers=workers, pin_memory=on_gpu
            )
            with run.open():
                run_steps(run, loader)
        if is_writer and (resumed_at < last or not weights.is_file()):
            run.write_final()
        fabric.barrier()
    best = config.schedule.keep == "best" and progress.best_step > 0
    step, score = (progress.best_step, progress.best_score) if best else (progress.step, run.score)
    return TrainResult(weights, step, score, resumed_at, progress.seconds, is_writer)


def _build_fabric(runtime: RuntimeConfig) -> Fabric:
    """Fabric for one device, or data-parallel over several; under torchrun that decides how many."""
    precision = runtime.precision
    accelerator = choose_device(runtime.accelerator, "32" if precision == "auto" else precision).type
    if precision == "auto":
        precision = "bf16" if accelerator == "cuda" and torch.cuda.is_bf16_supported() else "32"
    if not under_torchrun() and os.environ.get(_LAUNCHER) != str(os.getppid()):
        for name in _RANKS:  # of somebody else's job: Fabric would wait for processes that never come
            os.environ.pop(name, None)
        os.environ[_LAUNCHER] = str(os.getpid())
    nodes, devices = 1, runtime.devices or "auto"
    if under_torchrun():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])  # set by torchrun; Fabric wants to be told
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    elif accelerator == "cuda" and runtime.devices > torch.cuda.device_count():
        raise UserError(
            f"runtime.devices is {devices}, but torch sees {torch.cuda.device_count()} GPU(s); "
            "0 takes all there are"
        )
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        # not Slurm's environment: `sbatch` sets its variables, too
        plugins=[] if under_torchrun() else [LightningEnvironment()],
        precision="32-true" if precision == "32" else f"{precision}-mixed",  # type: ignore[arg-type]
    )


def _choose_workers(runtime: RuntimeConfig, fabric: Fabric) -> int:
    """Loader processes per device. On a CPU the network needs the cores: one worker, or none."""
    if runtime.workers >= 0:
        return runtime.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = cores // fabric.world_size
    return max(0, min(1, share - 1)) if fabric.device.type == "cpu" else max(1, min(12, share - 1))
