"""Optimiser, parameter groups and learning rate."""

from __future__ import annotations

import torch
from torch import nn

from spn.core.errors import UserError
from spn.training.config import OptimisationConfig, ScheduleConfig


def rate_factor(step: int, schedule: ScheduleConfig) -> float:
    """Part of the peak learning rate at `step` (from 0): linear warm-up, then (1 - progress) ** power."""
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    progress = (step - schedule.warmup_steps) / max(1, schedule.steps - schedule.warmup_steps)
    return float(max(0.0, 1 - progress) ** schedule.power)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Each group's rate becomes `factor` times its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_rate"] * factor


def build_optimizer(network: nn.Module, config: OptimisationConfig, *, fused: bool) -> torch.optim.Optimizer:
    """SGD or AdamW over `parameter_groups`; `fused` where the device has such kernels."""
    groups = parameter_groups(network, config)
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=fused)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.momentum, 0.999), fused=fused)


def parameter_groups(network: nn.Module, config: OptimisationConfig) -> list[dict[str, object]]:
    """Trainable parameters by peak learning rate and weight decay, in a fixed order."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = config.learning_rate * (config.backbone_lr_factor if name.startswith("encoder.") else 1.0)
        decays = config.decay == "all" or parameter.ndim > 1
        groups.setdefault((rate, config.weight_decay if decays else 0.0), []).append(parameter)
    if not groups:
        raise UserError("the network has no trainable parameter; check the model and method settings")
    return [
        {"params": parameters, "lr": rate, "peak_rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
