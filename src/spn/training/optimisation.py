"""What one step changes: the parts that learn, the optimiser and its rate, and the average of the weights."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from spn.core.errors import UserError
from spn.models.prompts.strength import WithStrength
from spn.training.config import OptimisationConfig, ScheduleConfig


def rate_factor(step: int, schedule: ScheduleConfig) -> float:
    """Part of the peak learning rate at `step` (from 0): linear warm-up, then (1 - progress) ** power."""
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    progress = (step - schedule.warmup_steps) / max(1, schedule.steps - schedule.warmup_steps)
    return float(max(0.0, 1 - progress) ** schedule.power)


def build_optimizer(network: nn.Module, config: OptimisationConfig, *, fused: bool) -> torch.optim.Optimizer:
    """SGD or AdamW over the trainable parameters, grouped by peak learning rate and weight decay.

    fused: whether the device has such kernels.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    strengths = {module.strength for module in network.modules() if isinstance(module, WithStrength)}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            slow = name.startswith("encoder.") and ".token_prompts." not in name
            factor = config.backbone_lr_factor if slow else 1.0
            rate = config.learning_rate * (config.prompt_lr_factor if parameter in strengths else factor)
            decays = config.decay == "all" or parameter.ndim > 1
            groups.setdefault((rate, config.weight_decay if decays else 0.0), []).append(parameter)
    if not groups:
        raise UserError("the network has no trainable parameter; check the model and method settings")
    options = [
        {"params": parameters, "lr": rate, "peak_rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(options, lr=config.learning_rate, momentum=config.momentum, fused=fused)
    return torch.optim.AdamW(options, lr=config.learning_rate, betas=(config.momentum, 0.999), fused=fused)


def train_mode(network: nn.Module, parts: tuple[str, ...]) -> None:
    """`network.train()`; what is outside `parts` (modules, as decoder.strips), if there are any, is frozen.

    It gets no gradient and keeps its BatchNorm statistics. What comes before the parts needs no backward
    pass, so a step is faster. Raises UserError for a part that the network has not.
    """
    network.train()
    names = [name for name, _ in network.named_parameters()]
    for part in parts:
        if not any(_within(name, part) for name in names):
            known = ", ".join(sorted({name.split(".")[0] for name in names}))
            raise UserError(
                f"optimisation.only names {part!r}, which the network has not; wanted one or more of "
                f"{known}, or parts of them such as decoder.classifier"
            )
    for name, parameter in network.named_parameters():
        if parts and not any(_within(name, part) for part in parts):
            parameter.requires_grad_(False)
    for name, module in network.named_modules():
        if parts and name and not any(_within(name, part) or _within(part, name) for part in parts):
            module.eval()


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def average_weights(network: nn.Module, *, decay: float) -> AveragedModel:
    """A running average of parameters and buffers (Polyak & Juditsky, 1992), in `module`, for prediction.

    After n updates the decay is min(decay, (1+n)/(10+n)), as usual, so that short trainings do not remember
    their initial weights. Integer buffers follow the network.
    """
    average = AveragedModel(network, multi_avg_fn=partial(_approach, decay), use_buffers=True)
    average.n_averaged += 1  # the initial weights are the first that count
    return average.requires_grad_(False).eval()


@torch.no_grad()
def _approach(decay: float, averages: list[Tensor], weights: list[Tensor], count: Tensor | int) -> None:
    """Move averages of one dtype towards the weights; `count` stays on its device, so nothing waits."""
    updates = torch.as_tensor(count, dtype=torch.float64)
    share = 1 - ((1 + updates) / (10 + updates)).clamp(max=decay)
    for average, weight in zip(averages, weights, strict=True):
        if average.is_floating_point():
            average.lerp_(weight, share.to(average.dtype))
        else:
            average.copy_(weight)
