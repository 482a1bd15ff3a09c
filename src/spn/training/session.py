"""One training from its configuration to RUN/model.safetensors.

What it is made of is gathered (network, method, data, validation), its folder claimed, and the loop run from
where an earlier start stopped.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import nn

from spn.core.errors import CheckpointError, UserError
from spn.core.process import keep_freed_memory, under_torchrun
from spn.core.records import to_plain
from spn.evaluation.evaluator import evaluate
from spn.inference.model import Model
from spn.inference.weights import WEIGHTS_NAME, choose_device, load, read_info
from spn.methods.base import Baseline, build_method
from spn.models.build import build_network, grown, load_grown
from spn.models.config import ModelConfig
from spn.models.network import SegmentationNetwork
from spn.sampling.class_uniform import ClassUniformSampler, join_indexes, open_class_index
from spn.training.config import RuntimeConfig, TrainConfig, resolved
from spn.training.data import JoinedSource, PlannedItems, StreamImages, build_loader, open_training_data
from spn.training.loop import run_steps
from spn.training.run import Run
from spn.training.run_folder import Checkpoints, check_folder, claimed, list_differences, write_provenance
from spn.transforms.pipeline import TrainTransform

_RANKS: Final = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE")
_LAUNCHER: Final = "SPN_LAUNCHER"
"""In the environment of the processes that a training starts on further devices: the number of the first."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingredients:
    """What a training is made of.

    network: as built, in training mode, on the CPU; the method has attached nothing to it yet. fingerprint:
    identity of the training data. validate: mean IoU (0 to 1) of a network on the source, None for no
    validation. split_hashes: by data argument, of the manifests of `spn data check`; None where none is.
    """

    network: SegmentationNetwork
    method: Baseline
    source: JoinedSource
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


def gather_ingredients(config: TrainConfig) -> Ingredients:
    """Open the data, index its classes, build the network of a resolved configuration.

    Raises UserError for whatever does not fit.
    """
    datasets = [open_training_data(text, split="train") for text in config.data]
    for dataset in datasets:
        _log.info("training on %r", dataset)
    network = build_network(
        config.model,
        pretrained=config.pretrained if config.init_from is None else False,
        seed=config.seed,
        activation_checkpointing=config.runtime.activation_checkpointing,
    )
    if config.init_from is not None:
        _start_from(config.init_from, network, config.model)
    sampling, index = config.sampling, None
    if sampling.class_uniform > 0:
        progress = config.runtime.progress
        index = join_indexes([open_class_index(d, sampling, progress=progress) for d in datasets])
    images, limit = sum(map(len, datasets)), config.schedule.validation_images
    validation = [open_training_data(text, split=None) for text in config.validation]

    def validate(network: nn.Module) -> float:
        """Mean IoU (0 to 1) on the source domain's validation images, whole image, single pass."""
        model = Model(network)
        return sum(evaluate(model, dataset, limit=limit).miou for dataset in validation) / len(validation)

    return Ingredients(
        network=network,
        method=build_method(config.method, config.loss),
        source=JoinedSource(datasets),  # type: ignore[arg-type]
        sampler=ClassUniformSampler(index, images=images, fraction=sampling.class_uniform, seed=config.seed),
        fingerprint=" ".join(dataset.fingerprint() for dataset in datasets),
        validate=validate if config.validation else None,
        split_hashes={text: data.split_hash for text, data in zip(config.data, datasets, strict=True)},
    )


def _start_from(path: Path, network: SegmentationNetwork, wanted: ModelConfig) -> None:
    """Give `network` the weights of the model at `path`, which may be a smaller one (spn.models.build).

    Raises CheckpointError if it is another network.
    """
    loaded = load(path, device="cpu", fold=False)
    assert loaded.model_config
    there = grown(loaded.model_config, wanted)
    if different := list_differences({"model": to_plain(there)}, {"model": to_plain(wanted)}):
        raise CheckpointError(
            f"--init-from {path} holds another network ({'; '.join(different)}). Wanted the one to "
            "be trained: choose the same preset, method and model options (encoder.layers may be more, and "
            "decoder.detail_width and decoder.strips where there were none)"
        )
    try:
        new = load_grown(network, loaded.network.state_dict())
    except ValueError as error:
        raise CheckpointError(f"--init-from {path} cannot be made larger: {error}") from error
    parts = f", with {new} new parts that change nothing yet" if new else ""
    _log.info("starting from the weights in %s%s", loaded.path, parts)


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
