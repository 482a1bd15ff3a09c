"""The smallest dataset, network and method that a training accepts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from spn.core.errors import DatasetError
from spn.core.sample import Sample
from spn.core.seeding import numpy_generator
from spn.methods.base import Batch, Loss, Teachers
from spn.models.config import ModelConfig
from spn.sampling.class_uniform import ClassUniformSampler
from spn.training.config import OptimisationConfig, RuntimeConfig, ScheduleConfig, TrainConfig
from spn.training.ingredients import Ingredients
from spn.transforms.config import AugmentationConfig


class FakeSource:
    """Coloured noise whose label follows its brightness; `broken` cannot be read."""

    def __init__(self, *, size: int = 10, broken: int | None = None) -> None:
        self.size = size
        self.broken = broken

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        path = Path(f"image_{index}.png")
        if index == self.broken:
            raise DatasetError(f"{path} is truncated; restore it")
        image = numpy_generator(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        label = (image.mean(2) > 128).astype(np.uint8)
        return Sample(image, label, "fake", str(index), path, path)

    def open_regions(self, index: int) -> Sample:
        return self[index]


class FakeNetwork(nn.Module):
    """Two convolutions with batch norm and dropout: state and randomness that a resume must restore."""

    def __init__(self, *, norm: bool = True) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.encoder = nn.Conv2d(3, 8, 3, padding=1)
            self.head = nn.Conv2d(8, 19, 1)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.dropout = nn.Dropout2d(0.2 if norm else 0.0)

    def forward(self, images: Tensor) -> Tensor:
        features = torch.relu(self.norm(self.encoder(images)))
        return self.head(self.dropout(features))


class FakeMethod:
    """Cross-entropy of noisy images; with `fail_at`, the loss of that call (from 0) is NaN."""

    def __init__(self, *, views: int = 1, noise: float = 0.1, fail_at: int | None = None) -> None:
        self.views = views
        self.noise = noise
        self.fail_at = fail_at
        self.calls = 0

    def streams(self) -> Mapping[str, Path]:
        return {}

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        return {}

    def prepare(self, network: nn.Module, *, teachers: Teachers) -> None:
        pass

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        images = batch.images.mean(1)
        noise = torch.randn(images.shape, generator=generator)
        loss = nn.functional.cross_entropy(
            network(images + self.noise * noise), batch.labels, ignore_index=255
        )
        if self.calls == self.fail_at:
            loss = loss * float("nan")
        self.calls += 1
        return Loss(loss, {"cross_entropy": loss.detach()})


class StopError(Exception):
    """What a kill does to the process, for one process."""


class Styled(FakeMethod):
    """Also looks at a stream and at a teacher, so that both matter for the weights; `stop` as a kill."""

    def __init__(self, folder: Path, *, noise: float = 0.1, stop: int | None = None) -> None:
        super().__init__(noise=noise)
        self.folder = folder
        self.stop = stop
        self.seen: list[Batch] = []

    def streams(self) -> Mapping[str, Path]:
        return {"style": self.folder}

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        return {"copy": FakeNetwork()}

    def prepare(self, network: nn.Module, *, teachers: Teachers) -> None:
        self.teacher = teachers["copy"]

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        if self.calls == self.stop:
            raise StopError
        self.seen.append(batch)
        loss = super().training_loss(network, batch, generator=generator)
        wanted = self.teacher(batch.streams["style"])
        assert not wanted.requires_grad
        distance = (wanted.mean() - loss.total) ** 2 * (1 - batch.progress)
        return Loss(loss.total + distance, loss.terms)


def fake_config(out: Path, *, steps: int = 6, **changes: object) -> TrainConfig:
    """A training of seconds; `changes` replace fields of TrainConfig."""
    values: dict[str, object] = {
        "data": ("fake=nowhere",),
        "augmentation": AugmentationConfig(crop_height=16, crop_width=16),
        "optimisation": OptimisationConfig(batch_size=4, learning_rate=0.05),
        "schedule": ScheduleConfig(steps=steps, validate_every=3, checkpoint_every=2),
        "runtime": RuntimeConfig(
            accelerator="cpu", workers=0, progress=False, tensorboard=False, log_every=2, channels_last=False
        ),
        **changes,
    }
    return TrainConfig(out=out, **values)  # type: ignore[arg-type]


def fake_ingredients(
    config: TrainConfig,
    *,
    source: FakeSource | None = None,
    method: FakeMethod | None = None,
    network: nn.Module | None = None,
    scores: list[float] | None = None,
    fingerprint: str = "data",
) -> Ingredients:
    """`scores`: what validation says, one after the other (None: no validation)."""
    source = source or FakeSource()
    remaining = iter(scores) if scores is not None else None
    return Ingredients(
        network=network or FakeNetwork(),
        method=method or FakeMethod(),
        source=source,
        sampler=ClassUniformSampler(None, images=len(source), fraction=0.0, seed=config.seed),
        fingerprint=fingerprint,
        validate=None if remaining is None else lambda network: next(remaining),
    )


def write_image(path: Path, size: tuple[int, int], *, seed: int) -> None:
    """Coloured noise of this height and width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = numpy_generator(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(path), image)
