"""Which devices train, in which precision, with how many workers: the decisions about the machine."""

from __future__ import annotations

import os

import cv2
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from spn.core.errors import UserError
from spn.core.memory import keep_freed_memory
from spn.inference.devices import choose_device
from spn.training.config import RuntimeConfig

_MOST_WORKERS = 12


def build_fabric(runtime: RuntimeConfig) -> Fabric:
    """Fabric for one device, or data-parallel over several; under torchrun that decides how many."""
    precision = runtime.precision
    accelerator = choose_device(runtime.accelerator, "32" if precision == "auto" else precision).type
    if precision == "auto":
        precision = "bf16" if accelerator == "cuda" and torch.cuda.is_bf16_supported() else "32"
    nodes, devices = 1, runtime.devices or (torch.cuda.device_count() if accelerator == "cuda" else 1)
    if torch.distributed.is_torchelastic_launched():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])  # set by torchrun; Fabric wants to be told
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    elif accelerator == "cuda" and devices > torch.cuda.device_count():
        raise UserError(
            f"runtime.devices is {devices}, but torch sees {torch.cuda.device_count()} GPU(s); "
            "0 takes all there are"
        )
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=DDPStrategy() if nodes * devices > 1 else "auto",
        precision="32-true" if precision == "32" else f"{precision}-mixed",  # type: ignore[arg-type]
    )


def choose_workers(runtime: RuntimeConfig, *, accelerator: str, world_size: int) -> int:
    """Loader processes per device. On a CPU the network needs the cores: one worker, or none."""
    if runtime.workers >= 0:
        return runtime.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if accelerator == "cpu":
        return 1 if cores // world_size > 1 else 0
    return max(1, min(_MOST_WORKERS, cores // world_size - 1))


def prepare_machine(runtime: RuntimeConfig, *, accelerator: str) -> None:
    """Threads and kernel choice of this process."""
    cv2.setNumThreads(0)
    if runtime.threads > 0:
        torch.set_num_threads(runtime.threads)
    if accelerator == "cpu":
        keep_freed_memory()
    if accelerator == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
