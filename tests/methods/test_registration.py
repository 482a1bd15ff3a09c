"""What docs/method.md promises: a method is one class, registered, and is trained from there."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import pytest
import torch
from msgspec import Meta
from torch import nn

from models.small_network import SMALL
from spn import methods
from spn.core.errors import UserError
from spn.core.records import from_plain, to_plain
from spn.inference.weights import load
from spn.losses.options import LossOptions
from spn.methods.base import Baseline, Batch, Loss, build_method
from spn.methods.options import METHODS, MethodOptions
from spn.models.build import build_network
from spn.training.config import OptimisationConfig, TrainConfig
from spn.training.session import Ingredients, run_training
from spn.transforms.config import AugmentationConfig
from training.fakes import fake_config, fake_ingredients


@pytest.fixture(autouse=True)
def _only_for_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS._entries))


@dataclass(frozen=True)
class DimmedOptions(MethodOptions):
    kind: Literal["dimmed"] = "dimmed"
    brightness: Annotated[float, Meta(ge=0, le=1)] = 0.5


class Dimmed(Baseline):
    options: DimmedOptions

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        dimmed = batch._replace(images=self.options.brightness * batch.images)
        return super().training_loss(network, dimmed, generator=generator)


def gather(config: TrainConfig) -> Ingredients:
    return replace(
        fake_ingredients(config),
        network=build_network(config.model),
        method=build_method(config.method, config.loss),
    )


def train(out: Path, options: MethodOptions) -> str:
    """The method that the weights of a tiny training name."""
    config = fake_config(
        out,
        model=SMALL,
        method=options,
        pretrained=False,
        augmentation=AugmentationConfig(crop_height=32, crop_width=32),
        optimisation=OptimisationConfig(batch_size=2, learning_rate=0.01),
        steps=2,
    )
    return str(load(run_training(config, gather=gather).weights, fold=False).info["method"])


def test_a_method_needs_one_class_and_may_have_options(tmp_path: Path) -> None:
    METHODS.register("dimmed", options=DimmedOptions, title="Dimmed")(Dimmed)
    assert METHODS.entry("dimmed").title == "Dimmed"
    options = from_plain(MethodOptions, {"kind": "dimmed", "brightness": 0.25})
    assert to_plain(options) == {"kind": "dimmed", "brightness": 0.25}
    with pytest.raises(UserError, match="brightness"):
        from_plain(MethodOptions, {"kind": "dimmed", "brightness": 2})
    assert train(tmp_path, options) == "dimmed"


def test_a_method_without_options_takes_those_of_the_baseline(tmp_path: Path) -> None:
    class Plain(Baseline):
        """Nothing of its own."""

    METHODS.register("plain", title="Plain")(Plain)
    options = from_plain(MethodOptions, {"kind": "plain"})
    assert isinstance(build_method(options, LossOptions()), Plain)
    assert options.resolve(SMALL) == SMALL.baseline()
    assert train(tmp_path, options) == "plain"


def test_a_name_is_given_once() -> None:
    with pytest.raises(UserError, match="there is a method 'isw' already"):
        METHODS.register("isw", title="Mine")(Dimmed)


def test_every_method_of_the_room_is_listed_without_torch() -> None:
    """`--help` and `spn presets` list them; importing torch for that would take seconds."""
    program = (
        "import sys\nfrom spn.methods.options import METHODS\nnames = METHODS.names()\n"
        "assert 'torch' not in sys.modules\nprint(*names)"
    )
    listed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"baseline", "spn", "isw", "mrfp", "mrfp_plus", "tldr"} <= set(listed.stdout.split())
    for module in pkgutil.iter_modules(methods.__path__):
        importlib.import_module(f"{methods.__name__}.{module.name}")
    assert set(listed.stdout.split()) == set(METHODS.names())
