"""Where a training's figures go beside log.jsonl: TensorBoard, Weights & Biases, MLflow.

Each is imported when a training asks for it (`runtime.logger`), and only in the process that writes.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from spn.core.errors import UserError
from spn.core.files import read_json, write_json

NAMES_FILE: Final = "loggers.json"
"""In the run folder: by what name the services know this training, so that a continuation is the same run."""
PROJECT: Final = "spn"
_log = logging.getLogger(__name__)


class Logger(Protocol):
    """Takes figures. What it raises other than OSError costs the training nothing but this logger."""

    def add(self, figures: Mapping[str, float], *, step: int) -> None:
        """The figures of one step, by names as "train/loss"."""

    def close(self) -> None:
        """No more figures follow."""


class Loggers:
    """The loggers of a training in `folder`. config: plain values that a service shows beside the figures.

    purge_step: figures from it on are repeated; None in a fresh training. Raises UserError where a logger's
    package is not installed or the service does not take the training.
    """

    def __init__(
        self, names: Sequence[str], folder: Path, *, config: Mapping[str, Any], purge_step: int | None
    ) -> None:
        self._loggers: dict[str, Logger] = {}
        for name in dict.fromkeys(names):
            try:
                self._loggers[name] = _LOGGERS[name](folder, config, purge_step)
            except ImportError as error:
                raise UserError(
                    f"runtime.logger {name}: the package {error.name} is not installed; pip install {name}, "
                    f"or leave {name} out"
                ) from error
            except OSError:
                raise
            except Exception as error:  # the services' packages raise kinds of their own
                raise UserError(f"runtime.logger {name} cannot be used: {error}") from error

    def add(self, figures: Mapping[str, float], *, step: int) -> None:
        """The figures of one step, to every logger."""
        for name, logger in list(self._loggers.items()):
            self._keep(name, lambda logger=logger: logger.add(figures, step=step))  # type: ignore[misc]

    def close(self) -> None:
        for name, logger in list(self._loggers.items()):
            self._keep(name, logger.close)

    def _keep(self, name: str, use: Callable[[], None]) -> None:
        """Use a logger; one that fails is left out from then on, and log.jsonl has all figures anyhow."""
        try:
            use()
        except OSError:
            if name == "tensorboard":  # the run folder's disk
                raise
            self._drop(name, "no connection, or a full disk")
        except Exception as error:
            self._drop(name, str(error))

    def _drop(self, name: str, why: str) -> None:
        del self._loggers[name]
        text = "%s takes no more figures (%s); the training goes on, and log.jsonl has them all"
        _log.warning(text, name, " ".join(why.split()))


class _TensorBoard:
    """A new file of events, written at once and through Python.

    TensorBoard's own writer does it in a thread, which dies with a traceback where the disk is full.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], purge_step: int | None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        folder = folder / "tensorboard"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{socket.gethostname()}.{os.getpid()}.0"
        self._file = open(folder / name, "wb")  # noqa: SIM115 - closed by close
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self._write(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, figures: Mapping[str, float], *, step: int) -> None:
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(self._event(step=step, summary=self._summary(value=values)))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
        self._file.flush()


class _WeightsAndBiases:
    """A run of Weights & Biases; WANDB_PROJECT, WANDB_MODE and the like are wandb's own."""

    def __init__(self, folder: Path, config: Mapping[str, Any], purge_step: int | None) -> None:
        import wandb

        name = _known_as(folder, "wandb") or secrets.token_hex(4)
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        self._run = wandb.init(
            project=project, name=folder.name, id=name, resume="allow", dir=folder, config=dict(config)
        )
        _remember(folder, "wandb", name)

    def add(self, figures: Mapping[str, float], *, step: int) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """A run of MLflow, at MLFLOW_TRACKING_URI, in the experiment MLFLOW_EXPERIMENT_NAME."""

    def __init__(self, folder: Path, config: Mapping[str, Any], purge_step: int | None) -> None:
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self._metric, self._client = Metric, MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        if known := _known_as(folder, "mlflow"):
            self._run = known
            self._client.update_run(known, status="RUNNING")
            return
        there = self._client.get_experiment_by_name(name)
        experiment = there.experiment_id if there else self._client.create_experiment(name)
        self._run = self._client.create_run(experiment, run_name=folder.name).info.run_id
        params = [Param(key, str(value)[:500]) for key, value in config.items()]
        for start in range(0, len(params), 100):  # so many go into one call
            self._client.log_batch(self._run, params=params[start : start + 100])
        _remember(folder, "mlflow", self._run)

    def add(self, figures: Mapping[str, float], *, step: int) -> None:
        now = round(1000 * time.time())
        metrics = [self._metric(name, value, now, step) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._run)


_LOGGERS: Final[Mapping[str, Callable[[Path, Mapping[str, Any], int | None], Logger]]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WeightsAndBiases,
    "mlflow": _MLflow,
}


def _known_as(folder: Path, service: str) -> str | None:
    """What the service calls the training in this folder; None in a fresh one."""
    try:
        return str(read_json(folder / NAMES_FILE)[service])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(folder: Path, service: str, name: str) -> None:
    path = folder / NAMES_FILE
    write_json(path, {**(read_json(path) if path.is_file() else {}), service: name})
