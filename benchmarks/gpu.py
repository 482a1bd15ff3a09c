"""What this project does on a GPU, in one table: for whoever has one for ten minutes.

    make gpu

Tests marked gpu; a training step of `gtav_r50` (crops of 768, batch 8) and of `gtav_dinov2_l` with random
weights, with and without torch.compile; photographs with the shipped model; torch.export. A part that fails
is a line of the table, and the next one runs. Each part is a process of its own: memory is measured from
nothing, and a crash stops nothing else.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
import tyro

from spn.core.files import write_json
from spn.evaluation.grid import Grid
from spn.inference.tta import TestTimeAugmentation
from spn.methods.base import Batch, build_method
from spn.models.build import build_network
from spn.training.config import TrainConfig, resolved
from spn.training.cost import measure_cost
from spn.training.optimisation import build_optimizer
from spn.training.presets import load_preset

PEAK_SIZE = 8192
"""Edge of the matrices whose product tells the card's bf16 peak."""


@dataclass(frozen=True)
class Part:
    """One line of the table. figures: by heading; empty for one that failed."""

    name: str
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class GPUBenchmark:
    """Everything that needs a GPU, in ten minutes."""

    out: Path = Path("runs/gpu.json")
    device: str = "cuda"
    """Another device runs the same parts; figures of memory and peak are then left out."""
    steps: int = 10
    """Timed training steps, after three that are not."""
    crop: int = 768
    batch: int = 8
    presets: tuple[str, ...] = ("gtav_r50", "gtav_dinov2_l")
    photo: tuple[int, int] = (720, 960)
    """Height and width of the photographs."""
    limit: float = 240.0
    """Seconds after which a part is stopped."""
    tests: bool = True
    only: str | None = None
    """A single part, whose line is printed as JSON; the parts run so."""


def main() -> int:
    benchmark = tyro.cli(GPUBenchmark)
    parts = {name: part for name, part in all_parts(benchmark).items() if benchmark.only in (None, name)}
    if benchmark.only:
        print(json.dumps(parts[benchmark.only]()))
        return 0
    card = name_of(benchmark.device)
    print(f"{card}; torch {torch.__version__}", flush=True)
    lines = [gpu_tests(benchmark)] if benchmark.tests else []
    for number, name in enumerate(parts, start=1):
        print(f"part {number} of {len(parts)}: {name}", flush=True)
        lines.append(apart(name, benchmark))
    headings = list(dict.fromkeys(heading for line in lines for heading in line.figures))
    rows = [
        [
            line.name,
            *(f"{line.figures[h]:,.2f}" if h in line.figures else "–" for h in headings),
            "failed" if line.error else "",
        ]
        for line in lines
    ]
    print(Grid(("part", *headings, ""), rows).text())
    for line in lines:
        if line.error:
            print(f"{line.name}: {line.error}")
    machine = {"device": card, "torch": torch.__version__, "python": platform.python_version()}
    write_json(benchmark.out, {"machine": machine, "parts": [asdict(line) for line in lines]})
    print(f"written: {benchmark.out}")
    return int(all(line.error for line in lines))


def all_parts(benchmark: GPUBenchmark) -> dict[str, Callable[[], dict[str, float]]]:
    """What is measured, by name; each gives figures by heading."""
    parts: dict[str, Callable[[], dict[str, float]]] = {"bf16 peak": lambda: peak(benchmark)}
    for preset in benchmark.presets:
        for compiled in (False, True):
            name = f"train {preset}{', compiled' if compiled else ''}"
            parts[name] = lambda preset=preset, compiled=compiled: training(
                preset, benchmark, compiled=compiled
            )  # type: ignore[misc]
    for precision in ("32", "bf16", "16"):
        parts[f"predict, precision {precision}"] = lambda p=precision: predicting(benchmark, p)  # type: ignore[misc]
    parts["torch.export"] = lambda: exporting(benchmark)
    return parts


def apart(name: str, benchmark: GPUBenchmark) -> Part:
    """Run a part in a process of its own."""
    options = [
        "--only", name, "--device", benchmark.device, "--steps", str(benchmark.steps),
        "--crop", str(benchmark.crop), "--batch", str(benchmark.batch), "--presets", *benchmark.presets,
        "--photo", *map(str, benchmark.photo),
    ]  # fmt: skip
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, __file__, *options],
            capture_output=True, text=True, check=False, timeout=benchmark.limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Part(name, benchmark.limit, error=f"no end after {benchmark.limit:.0f} s")
    seconds = time.perf_counter() - start
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        return Part(name, seconds, json.loads(lines[-1]))
    said = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
    return Part(name, seconds, error=said[-1][:160])


def gpu_tests(benchmark: GPUBenchmark) -> Part:
    """The tests that need a GPU, and skip themselves without."""
    root = Path(__file__).resolve().parents[1]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", str(root / "tests")],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    summary = ([line for line in done.stdout.splitlines() if line.strip()] or ["no output"])[-1]
    print(f"gpu tests: {summary}", flush=True)
    error = "" if done.returncode == 0 and " passed" in summary else summary
    return Part("gpu tests", time.perf_counter() - start, error=error)


def peak(benchmark: GPUBenchmark) -> dict[str, float]:
    """TFLOP/s of a large product in bf16."""
    size = PEAK_SIZE if benchmark.device == "cuda" else 512
    matrix = torch.randn(size, size, device=benchmark.device, dtype=torch.bfloat16)
    seconds = timed(lambda: matrix @ matrix, benchmark, repeats=benchmark.steps)
    return {"TFLOP/s": 2 * size**3 / seconds / 1e12}


def training(preset: str, benchmark: GPUBenchmark, *, compiled: bool) -> dict[str, float]:
    """A training step with random weights and crops, in bf16."""
    config = configured(preset, benchmark)
    device = torch.device(benchmark.device)
    method = build_method(config.method, config.loss)
    network = build_network(
        config.model, activation_checkpointing=config.runtime.activation_checkpointing
    ).to(device, memory_format=torch.channels_last)
    method.prepare(network, teachers={})
    optimizer = build_optimizer(network, config.optimisation, fused=device.type == "cuda")
    trained = torch.compile(network) if compiled else network
    shape = (benchmark.batch, method.views, 3, benchmark.crop, benchmark.crop)
    labels = torch.randint(
        config.model.num_classes, (benchmark.batch, benchmark.crop, benchmark.crop), device=device
    )
    batch = Batch(torch.rand(shape, device=device), labels)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            loss = method.training_loss(trained, batch, generator=None)
        loss.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    seconds = timed(step, benchmark, repeats=benchmark.steps)
    flops = (
        3 * measure_cost(config).flops * benchmark.batch
    )  # the backward pass costs about twice the forward
    figures = {"ms": 1000 * seconds, "images/s": benchmark.batch / seconds, "TFLOP/s": flops / seconds / 1e12}
    if device.type == "cuda":
        figures |= {
            "% of peak": 100 * figures["TFLOP/s"] / peak(benchmark)["TFLOP/s"],
            "GiB": torch.cuda.max_memory_allocated() / 2**30,
        }
    return figures


def configured(preset: str, benchmark: GPUBenchmark) -> TrainConfig:
    """The preset with the method baseline, one view and the crops that are asked for."""
    config = load_preset(preset, out=Path("gpu"), kinds={"method": "baseline"})
    crops = replace(config.augmentation, crop_height=benchmark.crop, crop_width=benchmark.crop)
    return resolved(replace(config, augmentation=crops))


def predicting(benchmark: GPUBenchmark, precision: str) -> dict[str, float]:
    """Photographs a second of the model that comes with the package, in memory, one pass each."""
    from spn.inference.weights import load

    one_pass = TestTimeAugmentation(input_height=benchmark.photo[0], scales=(1.0,))
    model = load(device=benchmark.device, precision=precision, tta=one_pass)  # type: ignore[arg-type]
    photo = (255 * torch.rand(*benchmark.photo, 3)).byte().numpy()
    seconds = timed(lambda: model.predict(photo).labels, benchmark, repeats=benchmark.steps)
    figures = {"ms": 1000 * seconds, "images/s": 1 / seconds}
    if benchmark.device == "cuda":
        figures["GiB"] = torch.cuda.max_memory_allocated() / 2**30
    return figures


def exporting(benchmark: GPUBenchmark) -> dict[str, float]:
    """The exported program against the network: largest difference of logits, and its time per pass."""
    from spn.inference.weights import load
    from spn.models.export import export_program

    network = load(device=benchmark.device).network
    program = export_program(network).module()
    images = torch.rand(1, 3, *benchmark.photo, device=benchmark.device)
    with torch.no_grad():
        difference = float((program(images) - network(images).logits).abs().max())
        seconds = timed(lambda: program(images), benchmark, repeats=benchmark.steps)
    return {"ms": 1000 * seconds, "images/s": 1 / seconds, "difference": difference}


def timed(work: Callable[[], object], benchmark: GPUBenchmark, *, repeats: int) -> float:
    """Seconds of a round, after three to warm up."""
    wait = torch.cuda.synchronize if benchmark.device == "cuda" else lambda: None
    for _ in range(3):
        work()
    wait()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    wait()
    return (time.perf_counter() - start) / repeats


def name_of(device: str) -> str:
    """The card; or that there is none."""
    if device != "cuda":
        return f"device {device}"
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no usable GPU"


if __name__ == "__main__":
    sys.exit(main())
