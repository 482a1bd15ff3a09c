"""Photographs a second with the model that comes with the package, against the same written plainly.

    python benchmarks/predict.py
    python benchmarks/predict.py --exported float32.onnx int8.onnx --no-plain --no-files

Rendered photographs of 960x720, with the model's own test-time augmentation, on the clock, as it is speed
that a user waits for. The plain way brings each pass's scores to the photograph's size, averages there, and
takes argmax and entropy of all maps at once, in torch; its labels differ in some pixels along edges, as it
averages on another grid. "one by one" is ours without photographs side by side. Then `spn predict` on the
same photographs as files, its start left out. Goal: 5 a second on two cores.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
import tyro
from numpy.typing import NDArray

from common import fastest
from spn.cli import predict
from spn.inference.batch_norm import own_statistics
from spn.inference.class_shares import expected
from spn.inference.model import Model
from spn.inference.scene import Scene
from spn.inference.tta import Precision
from spn.inference.weights import load
from streets.render import render_frame
from streets.styles import STYLES


@dataclass(frozen=True)
class PredictBenchmark:
    """Time per photograph."""

    weights: Path | None = None
    """A run folder or a .safetensors file; by default the model that comes with the package."""
    photos: int = 12
    width: int = 960
    height: int = 720
    threads: int = 2
    repeats: int = 3
    exported: tuple[Path, ...] = ()
    """What spn export made of the same weights: in turn with the others, each on as many threads."""
    plain: bool = True
    """Whether the plain way takes part."""
    files: bool = True
    """Whether spn predict with files is timed, too."""
    precision: Precision = "32"
    """Arithmetic of ours, one by one and with files; plain is float32, the exported are as exported."""
    processor: bool = False
    """Processor time instead of the clock: for one thread on a machine that does other things, too."""


def main() -> int:
    benchmark = tyro.cli(PredictBenchmark)
    torch.set_num_threads(benchmark.threads)
    model = load(benchmark.weights, device="cpu", precision=benchmark.precision)
    photos = [
        render_frame(STYLES["varied"], seed=seed, width=benchmark.width, height=benchmark.height).image
        for seed in range(benchmark.photos)
    ]
    ways: dict[str, Callable[[list[NDArray[np.uint8]]], list[Scene]]] = {"ours": model.predict}
    if benchmark.plain:
        ways["plain"] = lambda photos: [plainly(model, photo) for photo in photos]
    ways["one by one"] = lambda photos: [model.predict(photo) for photo in photos]
    ways |= {path.stem: load(path).predict for path in benchmark.exported}
    scenes = {name: way(photos) for name, way in ways.items()}
    rounds = {name: partial(way, photos) for name, way in ways.items()}
    clock = time.process_time if benchmark.processor else time.perf_counter
    seconds = fastest(rounds, repeats=benchmark.repeats, clock=clock)
    print(model.tta)
    for name, value in seconds.items():
        pairs = zip(scenes[name], scenes["ours"], strict=True)
        differing = 100 * np.mean([(a.labels != b.labels).mean() for a, b in pairs])
        print(
            f"{name:<12}{len(photos) / value:6.2f} photographs a second, {seconds['ours'] / value:5.2f}x "
            f"ours; labels differ in {differing:.2f} %"
        )
        if name == "plain" and differing > 1:
            raise SystemExit("that is too much: the two ways are not the same")
    if benchmark.files:
        print(f"{'with files':<12}{1 / with_files(benchmark, photos):6.2f} photographs a second")
    return 0


@torch.inference_mode()
def plainly(model: Model, photo: NDArray[np.uint8]) -> Scene:
    """Every pass at the photograph's size, everything else after their mean."""
    tta, network = model.tta, model.network
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    scores = []
    for index, scale in enumerate(tta.sizes):
        size = tta.working_size(*photo.shape[:2], scale=scale)
        seen = F.interpolate(image, size=size, mode="bilinear", antialias=True)
        for mirrored in (False, True) if tta.flip else (tta.alternate_flip and index % 2 == 1,):
            with own_statistics(network, tta.own_statistics):
                logits = network(seen.flip(-1) if mirrored else seen).logits
            logits = F.interpolate(logits, size=photo.shape[:2], mode="bilinear")
            scores.append(torch.softmax(logits.flip(-1) if mirrored else logits, dim=1))
    mean = torch.stack(scores).mean(dim=0)[0]
    if tta.image_prior:
        mean = expected(mean[None], tta.usual_shares, tta.image_prior)[0]
    confidence, labels = mean.max(dim=0)
    uncertainty = torch.special.entr(mean).sum(dim=0) / np.log(len(mean))
    return Scene(photo, labels.to(torch.uint8).numpy(), confidence.numpy(), uncertainty.numpy())


def with_files(benchmark: PredictBenchmark, photos: list[NDArray[np.uint8]]) -> float:
    """Seconds per photograph of `spn predict` without its start, each of them three times."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "photos"
        source.mkdir()
        for number in range(3 * len(photos)):
            cv2.imwrite(str(source / f"{number:03}.jpg"), photos[number % len(photos)][..., ::-1])
        command = predict.PredictCommand(
            (source,),
            checkpoint=benchmark.weights,
            out=Path(folder) / "labelled",
            quiet=True,
            backend="torch",
            precision=benchmark.precision,
        )
        start = time.perf_counter()
        predict.run(command)
        return (time.perf_counter() - start) / (3 * len(photos))


if __name__ == "__main__":
    sys.exit(main())
