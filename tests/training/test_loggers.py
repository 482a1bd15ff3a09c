"""Figures for TensorBoard, Weights & Biases and MLflow; the services by stand-ins, or installed."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from spn.core.errors import UserError
from spn.core.run_log import read_log
from spn.training.loggers import Loggers
from spn.training.session import run_training
from training.fakes import fake_config, fake_ingredients


class StandInWandb(ModuleType):
    """Keeps what it is given, as wandb would send it; refuses every figure from `breaks_at` on."""

    def __init__(self, *, breaks_at: int = 1 << 30) -> None:
        super().__init__("wandb")
        self.starts: list[dict[str, Any]] = []
        self.figures: dict[int, dict[str, float]] = {}
        self.finished, self.breaks_at = 0, breaks_at

    def init(self, **options: Any) -> SimpleNamespace:
        self.starts.append(options)
        return SimpleNamespace(log=self._take, finish=self._finish)

    def _take(self, figures: dict[str, float], *, step: int) -> None:
        if step >= self.breaks_at:
            raise RuntimeError("api key\nrevoked")
        self.figures.setdefault(step, {}).update(figures)

    def _finish(self) -> None:
        self.finished += 1


def with_loggers(folder: Path, *names: str) -> Any:
    config = fake_config(folder)
    return replace(config, runtime=replace(config.runtime, tensorboard=True, logger=names))


def test_a_service_gets_every_figure_and_a_continued_training_is_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = StandInWandb()
    monkeypatch.setitem(sys.modules, "wandb", service)
    config = with_loggers(tmp_path / "run", "wandb", "wandb")
    run_training(config, gather=fake_ingredients)
    logged = read_log(config.out)
    for event in logged:
        figures = {k: v for k, v in event.items() if k not in ("event", "step") and v is not None}
        sent = service.figures[event["step"]]
        assert figures == {k: sent[f"{event['event']}/{k}"] for k in figures}
    assert len(service.starts) == service.finished == 1
    assert service.starts[0]["name"] == "run"
    assert service.starts[0]["config"]["optimisation.learning_rate"] == 0.05
    assert list(config.out.glob("tensorboard/events*"))
    with_same = Loggers(["wandb"], config.out, config={}, purge_step=3)
    with_same.close()
    assert service.starts[1]["id"] == service.starts[0]["id"]


def test_a_service_that_fails_costs_the_training_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", StandInWandb(breaks_at=3))
    config = with_loggers(tmp_path / "run", "wandb")
    result = run_training(config, gather=fake_ingredients)
    assert result.step == config.schedule.steps
    assert read_log(config.out)[-1]["step"] == config.schedule.steps
    warnings = [record.message for record in caplog.records if "wandb" in record.message]
    assert warnings == [
        "wandb takes no more figures (api key revoked); the training goes on, and log.jsonl has them all"
    ]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_package_that_is_not_there_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name, *(m for m in sys.modules if m.startswith(f"{name}."))]:
        monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"runtime.logger {name}: .*not installed; pip install {name}"):
        Loggers([name], tmp_path, config={}, purge_step=None)


def test_a_service_that_refuses_at_the_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = StandInWandb()
    monkeypatch.setitem(sys.modules, "wandb", service)
    monkeypatch.setattr(service, "init", lambda **_: (_ for _ in ()).throw(RuntimeError("no API key")))
    with pytest.raises(UserError, match=r"runtime\.logger wandb cannot be used: no API key"):
        Loggers(["wandb"], tmp_path, config={}, purge_step=None)


def test_mlflow_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    uri = f"file://{tmp_path / 'mlruns'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    config = with_loggers(tmp_path / "run", "mlflow")
    run_training(config, gather=fake_ingredients)
    Loggers(["mlflow"], config.out, config={}, purge_step=3).close()
    client = tracking.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("spn").experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.params["optimisation.learning_rate"] == "0.05"
    losses = {m.step: m.value for m in client.get_metric_history(run.info.run_id, "train/loss")}
    assert losses == {e["step"]: e["loss"] for e in read_log(config.out) if e["event"] == "train"}


def test_weights_and_biases_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    config = with_loggers(tmp_path / "run", "wandb")
    run_training(config, gather=fake_ingredients)
    (file,) = config.out.glob("wandb/offline-run-*/run-*.wandb")
    assert b"train/loss" in file.read_bytes()
