"""A training step of the r50 baseline against segmentation_models_pytorch's DeepLabV3+ (goal: at most 1.0x).

    pip install segmentation-models-pytorch       # only for this comparison
    python benchmarks/training_step.py            # 4 crops of 256x256, one thread

Equal on both sides: ResNet-50 at output stride 16, 19 classes, random weights, crop, batch, per-pixel
cross-entropy at full resolution, SGD with momentum, channels-last memory. Step: forward, loss, backward,
optimiser. Ours is measured without its auxiliary head, which the other lacks, and with it, as presets train.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn

from common import fastest, use_one_thread
from spn.methods.base import Batch
from spn.methods.catalogue import build_method
from spn.methods.config import MethodConfig
from spn.models.build import build_network
from spn.models.config import ModelConfig

CLASSES = 19


@dataclass(frozen=True)
class StepBenchmark:
    """One training step of each, in turn."""

    height: int = 256
    width: int = 256
    batch: int = 4
    repeats: int = 5


def main() -> None:
    benchmark = tyro.cli(StepBenchmark)
    use_one_thread()
    torch.manual_seed(0)
    images = torch.rand(benchmark.batch, 3, benchmark.height, benchmark.width)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (benchmark.batch, benchmark.height, benchmark.width))
    ways = {
        "segmentation_models_pytorch": other_step(images, labels),
        "ours": our_step(images, labels, auxiliary_weight=0.0),
        "ours, auxiliary head": our_step(images, labels, auxiliary_weight=0.4),
    }
    seconds = fastest(ways, repeats=benchmark.repeats)
    reference = seconds["segmentation_models_pytorch"]
    print(
        f"training step, {benchmark.batch} crops of {benchmark.width}x{benchmark.height}, processor seconds"
    )
    for name, value in seconds.items():
        print(f"  {name:<28} {value:7.3f}   {value / reference:5.2f}x")


def other_step(images: Tensor, labels: Tensor) -> Callable[[], None]:
    network = smp.DeepLabV3Plus("resnet50", encoder_weights=None, encoder_output_stride=16, classes=CLASSES)
    return _step(network, lambda: F.cross_entropy(network(images), labels))


def our_step(images: Tensor, labels: Tensor, *, auxiliary_weight: float) -> Callable[[], None]:
    method = build_method(replace(MethodConfig(name="baseline"), auxiliary_weight=auxiliary_weight))
    network = build_network(method.model_config(ModelConfig()))
    batch = Batch(images.unsqueeze(1), labels)
    return _step(network, lambda: method.training_loss(network, batch, generator=None).total)


def _step(network: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


if __name__ == "__main__":
    main()
