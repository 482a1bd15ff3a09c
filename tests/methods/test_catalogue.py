"""What docs/method.md promises: a method is one class and one line, and is trained from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from models.small_network import SMALL
from spn.inference.weights import load_network
from spn.methods import catalogue
from spn.methods.base import Batch, MethodLoss
from spn.methods.baseline import Baseline
from spn.methods.config import MethodConfig
from spn.models.build import build_network
from spn.report.loading import METHOD_TITLES
from spn.training.config import OptimisationConfig, TrainConfig
from spn.training.session import Ingredients, run_training
from spn.transforms.config import AugmentationConfig
from training.fakes import fake_config, fake_ingredients


class Negative(Baseline):
    name = "negative"

    def training_loss(
        self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None
    ) -> MethodLoss:
        return super().training_loss(network, Batch(1 - batch.images, batch.labels), generator=generator)


def test_a_new_method_needs_one_class_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.METHODS, Negative.name, Negative)  # type: ignore[arg-type]

    def gather(config: TrainConfig) -> Ingredients:
        method = catalogue.build_method(config.method)
        model = method.model_config(config.model)
        network = build_network(model)
        return replace(fake_ingredients(config), network=network, model_config=model, method=method)

    config = fake_config(
        tmp_path / "run",
        model=SMALL,
        method=MethodConfig(name="negative"),
        augmentation=AugmentationConfig(crop_height=32, crop_width=32),
        optimisation=OptimisationConfig(batch_size=2, learning_rate=0.01),
        steps=2,
    )
    assert load_network(run_training(config, gather=gather).weights).info["method"] == "negative"


def test_every_method_has_a_title_in_tables() -> None:
    assert set(catalogue.METHODS) == set(METHOD_TITLES)
