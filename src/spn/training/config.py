"""Everything that defines a training, as frozen values; the fields are the options of `spn train`.

The defaults are the usual GTAV recipe for a ResNet-50 (docs/datasets.md); presets hold only differences.
Which network is trained is settled (`resolved`) before anything is written, so that config.json, the weights'
header, `spn presets` and the cost table describe exactly that one.
"""

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import tyro
from msgspec import Meta

from spn.core.errors import UserError
from spn.core.ranges import BelowOne, Count, NotNegative, NotNegativeInt
from spn.core.records import flattened, nested, to_plain
from spn.inference.tta import Precision, TestTimeAugmentation
from spn.losses.options import LossOptions
from spn.methods.options import METHODS, MethodOptions, SPNOptions
from spn.models.config import ModelConfig, upgraded_model
from spn.sampling.config import SamplingConfig
from spn.transforms.config import AugmentationConfig

TRAINED_CLASSES: Final = "a training learns the classes of its data (docs/how-to/own-dataset.md)"


@dataclass(frozen=True)
class OptimisationConfig:
    """How one step changes the weights."""

    optimiser: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum, or AdamW."""
    batch_size: Count = 8
    """Crops per step, over all devices and accumulated parts: the same whatever the hardware."""
    learning_rate: NotNegative = 0.01
    """Peak learning rate."""
    backbone_lr_factor: NotNegative = 1.0
    """Factor on the learning rate of the encoder's parameters."""
    prompt_lr_factor: NotNegative = 1.0
    """Factor on the learning rate of γ, the weights from 0 on by which prompts are added to features."""
    momentum: BelowOne = 0.9
    """SGD's momentum, AdamW's first beta."""
    weight_decay: NotNegative = 5e-4
    """Weight decay: L2 for SGD, decoupled for AdamW."""
    decay: Literal["all", "matrices"] = "all"
    """Which parameters decay: all, or only those with two dimensions or more (no norms, biases)."""
    clip_norm: NotNegative = 0.0
    """Largest norm of the gradient; 0: unlimited."""
    ema_decay: BelowOne = 0.0
    """Decay of a running average of the weights, which then is validated and saved; 0: none."""
    only: tuple[str, ...] = ()
    """Parts of the network that are trained, for example decoder or decoder.strips; the rest keeps its
    weights and its BatchNorm statistics. None given: all."""


@dataclass(frozen=True)
class ScheduleConfig:
    """How long, and what happens when. Steps are optimisation steps, not epochs."""

    steps: Count = 40_000
    """Optimisation steps."""
    coarse_steps: NotNegativeInt = 0
    """So many steps at first see everything at half size, crop and image alike: the same view at a quarter of
    the cost. Short trainings from scratch get further with it."""
    warmup_steps: NotNegativeInt = 0
    """Steps in which the learning rate rises linearly to its peak."""
    power: NotNegative = 0.9
    """The rate then falls as (1 - progress) ** power."""
    validate_every: NotNegativeInt = 2_000
    """Steps between validations on the source domain; 0: only at the end."""
    validation_images: NotNegativeInt = 500
    """At most this many validation images, evenly spaced; 0: all."""
    checkpoint_every: Count = 1_000
    """Steps between checkpoints."""
    keep: Literal["last", "best"] = "last"
    """The weights a run ends with: the last, or the best on source validation. Never chosen on a target."""


@dataclass(frozen=True)
class RuntimeConfig:
    """The machine. Apart from `precision`, nothing here changes which crops are trained on, and for how long;
    BatchNorm and what a method measures in a batch see a device's part of it."""

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """The device; auto takes a GPU if there is one."""
    devices: NotNegativeInt = 0
    """Devices on this machine; 0: every GPU, or one CPU process. Under torchrun, torchrun decides."""
    precision: Literal["auto", Precision] = "auto"
    """Arithmetic; auto: bf16 on GPUs that have it, else 32. Weights stay float32. On a processor with
    avx512_bf16 or amx_bf16, bf16 is a third faster than 32."""
    device_batch: NotNegativeInt = 0
    """Most crops a device takes at once; larger shares are accumulated. 0: no limit."""
    workers: Annotated[int, Meta(ge=-1)] = -1
    """Processes that load data, per device; -1: chosen from the cores. 0: load in the training process."""
    threads: NotNegativeInt = 0
    """Torch's CPU threads; 0: its own choice."""
    activation_checkpointing: bool = False
    """Keep little of a frozen vision transformer's blocks for the backward pass and compute it again there:
    less memory, more time, the same gradients."""
    channels_last: bool = True
    """Keep images and weights in NHWC memory order."""
    compile: bool = False
    """Train through torch.compile: a slow start, then faster steps on a GPU; needs a C++ compiler."""
    log_every: Count = 20
    """Steps between log lines."""
    keep_checkpoints: Count = 2
    """How many checkpoints stay on disk."""
    tensorboard: bool = True
    """Write TensorBoard files next to log.jsonl."""
    logger: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Services that get the figures of log.jsonl, too: Weights & Biases, MLflow; each is installed apart."""
    progress: bool = True
    """Show a progress bar."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    out: Path
    """The run folder. Repeating the command with the same folder continues the run."""
    data: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Training data as KEY=PATH[:SPLIT], for example gtav=data/gtav:train; may be given several times."""
    validation: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Validation data of the source domain, in the same form."""
    seed: NotNegativeInt = 0
    """Seed of initial weights, sampling, augmentation and prompts."""
    pretrained: bool | str = True
    """ImageNet weights for the encoder: True from timm's hub, a path to a local file, or False."""
    init_from: Path | None = None
    """Weights of the whole network to start from, for fine-tuning: a run folder, "shipped" for the model that
    comes with the package (its network is the preset streets), or a model file of the same
    network, or of one with fewer blocks in its encoder (model.encoder.layers), without a detail branch
    (model.decoder.detail_width) or without strip blocks (model.decoder.strips): new parts change nothing at
    first. Of a model with other classes, what has a row per class starts anew. The optimiser and the schedule
    start afresh."""
    method: MethodOptions = field(default_factory=SPNOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    optimisation: OptimisationConfig = field(default_factory=OptimisationConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    tta: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def check(self) -> None:
        """Raise UserError for settings that cannot work together."""
        if not self.data:
            raise UserError(
                "no training data was given; wanted --data KEY=PATH[:SPLIT], for example gtav=PATH:train"
            )
        self.sampling.weight_of()
        self.tta.check_own()
        if self.schedule.coarse_steps > self.schedule.steps:
            raise UserError(
                f"schedule.coarse-steps is {self.schedule.coarse_steps}; wanted 0 to schedule.steps "
                f"({self.schedule.steps})"
            )
        if self.schedule.keep == "best" and not self.validation:
            raise UserError("schedule.keep is 'best' but no --validation data was given to choose by")


def resolved(config: TrainConfig, *, names: Iterable[str] = ()) -> TrainConfig:
    """`config` with the network that its method trains; of its own result, the same.

    names: the options that were set, dotted. Raises UserError if one of the network's is not trained so.
    """
    model = config.method.resolve(config.model)
    if config.loss.auxiliary_weight == 0:  # its parameters would get no gradient
        model = replace(model, auxiliary=False)
    asked, trained = _network(config.model), _network(model)
    for name in names:
        name = re.sub(r"\.\d+\..*", "", name)  # of model.decoder.skips.0.width, the skips
        if name not in asked or (name in trained and trained[name] == asked[name]):
            continue
        users = []
        for method in METHODS.names():
            with contextlib.suppress(UserError):  # it cannot train such a network
                theirs = _network(METHODS.entry(method).options().resolve(config.model))
                if name in theirs and theirs[name] == asked[name]:
                    users.append(method)
        instead = f"trains with {trained[name]!r}" if name in trained else "has no such option"
        raise UserError(
            f"{name} is {asked[name]!r}, but method {config.method.kind} {instead}; leave it out, or "
            f"choose a method that uses it: {', '.join(users) or 'there is none'}"
        )
    return replace(config, model=model)


def _network(model: ModelConfig) -> dict[str, Any]:
    return flattened(to_plain(model), "model.")


RENAMED: Final[Mapping[str, str]] = {
    "method.name": "method.kind",
    "method.auxiliary_weight": "loss.auxiliary_weight",
    "method.label_stride": "loss.label_stride",
    "method.class_balance": "loss.class_balance",
    "method.own_car_share": "method.ego_vehicle_share",
    "method.whitening_start": "method.start (of isw, a share of the steps)",
    "method.whitening_weight": "method.weight (of isw)",
    "method.style_consistency_weight": "method.weight (of shade)",
    "model.encoder.family": "model.encoder.kind",
    "model.block_prompt": "model.encoder.prompt (of frozen_vit)",
    "model.decoder.skip_strides": "model.decoder.skips",
    "model.decoder.skip_widths": "model.decoder.skips",
    "model.decoder.refine_widths": "model.decoder.skips",
    "model.decoder.refine_convolutions": "model.decoder.skips",
    "optimisation.encoder_rate": "optimisation.backbone_lr_factor",
    "runtime.recompute": "runtime.activation_checkpointing",
    "runtime.precision 32-true": "runtime.precision 32",
    "runtime.precision bf16-mixed": "runtime.precision bf16",
    "runtime.precision 16-mixed": "runtime.precision 16",
    "initial": "init_from",
}
"""Options of earlier versions, and their names today; NAME VALUE where the value is called otherwise."""


def upgraded_config(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A training's configuration as today's version writes it, before its method resolves the model."""
    method = values.get("method", {})
    kind = method.get("kind") or method.get("name", "spn")
    upgraded: dict[str, Any] = {"method.kind": kind}
    for name, value in flattened({**values, "model": {}}).items():
        new, _, owner = RENAMED.get(name, name).partition(" (of ")
        table, _, field = new.rpartition(".")
        other = owner and not owner.startswith(kind)
        if table == "method" and "kind" not in method:  # version 1 wrote the options of all methods
            other = other or field not in METHODS.entry(kind).options.__dataclass_fields__
        if other:
            continue
        if name == "method.whitening_start":  # it was a number of steps
            value = value / values.get("schedule", {}).get("steps", ScheduleConfig.steps)
        upgraded[new] = RENAMED.get(f"{name} {value}", "").partition(" ")[2] or value
    return {**nested(upgraded), "model": upgraded_model(values.get("model", {}))}
