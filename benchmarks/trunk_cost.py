"""What a training step of a preset costs on this CPU, by precision, layout, batch, threads, frozen stages.

    python benchmarks/trunk_cost.py                                       lite0, the method baseline
    python benchmarks/trunk_cost.py --preset tiny --method spn

One thing is changed at a time: against float32, channels_last, one thread, the preset's batch and nothing
frozen. bf16 is fast on processors with avx512_bf16 or amx_bf16 only; "torch's gradients" are those without
spn.training.depthwise. A step: forward, loss, backward and optimiser, on random crops, with freed memory kept
as in a training. Figures are per image: processor time (of all threads) and clock of the fastest step, and
what the forward pass keeps for the backward pass.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro

from common import fastest, step_of
from spn.core.process import keep_freed_memory
from spn.methods.base import Batch, build_method
from spn.models.build import build_network
from spn.models.encoders.options import TimmOptions
from spn.training.config import TrainConfig, resolved
from spn.training.depthwise import replace_depthwise
from spn.training.optimisation import build_optimizer
from spn.training.presets import load_preset

BF16 = "bf16"


@dataclass(frozen=True)
class TrunkCostBenchmark:
    """The cost of a training step by precision, layout, batch, threads and frozen stages."""

    preset: str = "lite0"
    method: str = "baseline"
    height: int | None = None
    width: int | None = None
    """Of the crops; the preset's if not given."""
    batches: tuple[int, ...] = (2, 8, 16)
    threads: tuple[int, ...] = (1, 2)
    frozen_stages: tuple[int, ...] = (0, 2, 4)
    repeats: int = 3


@dataclass(frozen=True)
class Setting:
    """What is changed of a step."""

    batch: int
    precision: str = "32"
    channels_last: bool = True
    threads: int = 1
    frozen_stages: int = 0
    frozen_norms: bool = False
    style_removal: bool = False

    def cells(self) -> tuple[str, ...]:
        """As in the table."""
        stages = f"stem, {self.frozen_stages} stages, norms" if self.frozen_stages else "norms"
        return (
            self.precision,
            "channels_last" if self.channels_last else "contiguous",
            str(self.batch),
            str(self.threads),
            stages if self.frozen_norms else "",
            "yes" if self.style_removal else "",
        )


def main() -> int:
    benchmark = tyro.cli(TrunkCostBenchmark)
    keep_freed_memory()
    config = load_preset(benchmark.preset, out=Path(), kinds={"method": benchmark.method})
    crop = config.augmentation
    size = (benchmark.height or crop.crop_height, benchmark.width or crop.crop_width)
    plain = Setting(config.optimisation.batch_size)
    settings = [
        plain,
        replace(plain, precision=BF16),
        replace(plain, precision=f"{BF16}, torch's gradients"),
        replace(plain, channels_last=False),
        *(replace(plain, batch=batch) for batch in benchmark.batches if batch != plain.batch),
        *(replace(plain, threads=threads) for threads in benchmark.threads if threads != 1),
        replace(plain, frozen_norms=True),
        *(
            replace(plain, frozen_stages=stages, frozen_norms=True, style_removal=removal)
            for stages in benchmark.frozen_stages
            if stages
            for removal in (False, True)
        ),
        replace(plain, precision=BF16, frozen_stages=4, frozen_norms=True),
    ]
    print(f"{benchmark.preset}, {benchmark.method}, crops of {size[1]}x{size[0]}; per image")
    names = "precision", "layout", "batch", "threads", "frozen", "style removal"
    print("|", " | ".join((*names, "processor, ms", "clock, ms", "kept, MiB")), "|")
    print("|---|---|---:|---:|---|---|---:|---:|---:|")
    for setting in settings:
        torch.set_num_threads(setting.threads)
        step, kept = prepared(config, setting, size)
        processor, clock = (
            1000 * fastest({"": step}, repeats=benchmark.repeats, clock=watch)[""] / setting.batch
            for watch in (time.process_time, time.perf_counter)
        )
        cells = (*setting.cells(), f"{processor:.1f}", f"{clock:.1f}", f"{kept():.1f}")
        print("|", " | ".join(cells), "|", flush=True)
    return 0


def prepared(
    config: TrainConfig, setting: Setting, size: tuple[int, int]
) -> tuple[Callable[[], None], Callable[[], float]]:
    """A training step, and what its forward pass keeps: MiB per image without the weights."""
    config = resolved(config)
    assert isinstance(config.model.encoder, TimmOptions)
    encoder = replace(
        config.model.encoder,
        frozen_stages=setting.frozen_stages,
        frozen_norms=setting.frozen_norms,
        style_removal=setting.style_removal,
    )
    network = build_network(replace(config.model, encoder=encoder))
    method = build_method(config.method, config.loss)
    method.prepare(network, teachers={})
    if setting.precision == BF16:
        replace_depthwise(network)
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    network = network.to(memory_format=layout).train()
    optimizer = build_optimizer(network, config.optimisation, fused=False)
    images = torch.rand(setting.batch, method.views, 3, *size)
    batch = Batch(images, torch.randint(config.model.num_classes, (setting.batch, *size)))

    def loss() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=setting.precision.startswith(BF16)):
            return method.training_loss(network, batch, generator=None).total

    def kept() -> float:
        sizes = {parameter.untyped_storage().data_ptr(): 0 for parameter in network.parameters()}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            sizes.setdefault(tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss()
        return sum(sizes.values()) / 2**20 / setting.batch

    return step_of(optimizer, loss), kept


if __name__ == "__main__":
    sys.exit(main())
