"""Our baseline of `r50` against DeepLabV3+ of segmentation_models_pytorch: time of one training step.

    pip install segmentation-models-pytorch
    python benchmarks/training_step.py --size 256 --batch 2

Both have a ResNet-50 at output stride 16, random weights, 19 classes, separable ASPP, images and
weights in channels_last and SGD with momentum, and learn from the same batch. A step: forward, loss, backward
and optimiser. Each side has the loss it would be used with: ours the baseline's own, with its auxiliary head,
the peer cross-entropy alone; `ours, no auxiliary` has no such head. The sides take turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import segmentation_models_pytorch as peer
import torch
import torch.nn.functional as F
import tyro
from torch import nn

from common import step_of, use_one_thread
from spn.core.classes import IGNORE
from spn.losses.options import LossOptions
from spn.methods.base import Batch, build_method
from spn.methods.options import BaselineOptions
from spn.models.build import build_network
from spn.models.config import ModelConfig

PEER = "segmentation_models_pytorch"


@dataclass(frozen=True)
class TrainingStepBenchmark:
    """A training step of our baseline against that of segmentation_models_pytorch."""

    size: int = 256
    """Height and width of the crops."""
    batch: int = 2
    repeats: int = 7
    """Timed steps of each side after one to warm up."""


def main() -> int:
    benchmark = tyro.cli(TrainingStepBenchmark)
    use_one_thread()
    generator = torch.Generator().manual_seed(0)
    shape = (benchmark.batch, benchmark.size, benchmark.size)
    images = torch.rand(benchmark.batch, 1, 3, *shape[1:], generator=generator)
    batch = Batch(images, torch.randint(ModelConfig.num_classes, shape, generator=generator))
    steps = {
        PEER: peer_step(batch),
        "ours": our_step(batch, auxiliary=True),
        "ours, no auxiliary": our_step(batch, auxiliary=False),
    }
    times = {name: ([], []) for name in steps}
    for number in range(benchmark.repeats + 1):
        for name, step in steps.items():
            clock, processor = time.perf_counter(), time.process_time()
            step()
            if number:
                times[name][0].append(time.perf_counter() - clock)
                times[name][1].append(time.process_time() - processor)
    medians = {name: [median(values) for values in kinds] for name, kinds in times.items()}
    print("                               clock s    ratio   processor s    ratio")
    for name, (clock, processor) in medians.items():
        ratios = clock / medians[PEER][0], processor / medians[PEER][1]
        print(f"  {name:<28} {clock:7.3f}   {ratios[0]:5.2f}x   {processor:11.3f}   {ratios[1]:5.2f}x")
    return 0


def our_step(batch: Batch, *, auxiliary: bool) -> Callable[[], None]:
    method = build_method(BaselineOptions(), LossOptions())
    network = build_network(method.options.resolve(replace(ModelConfig(), auxiliary=auxiliary)))
    method.prepare(network, teachers={})
    return sgd_step_of(network, lambda: method.training_loss(network, batch, generator=None).total)


def peer_step(batch: Batch) -> Callable[[], None]:
    network = peer.DeepLabV3Plus(
        "resnet50", encoder_weights=None, encoder_output_stride=16, classes=ModelConfig.num_classes
    )
    images = batch.images[:, 0].contiguous(memory_format=torch.channels_last)
    return sgd_step_of(network, lambda: F.cross_entropy(network(images), batch.labels, ignore_index=IGNORE))


def sgd_step_of(network: nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    network.to(memory_format=torch.channels_last).train()
    return step_of(torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9), loss)


if __name__ == "__main__":
    sys.exit(main())
