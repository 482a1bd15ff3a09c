"""What a configuration costs, without training: parameters, and FLOPs of a pass.

Both are measured on torch's meta device, without content. FLOPs are those of convolutions and matrix products
(torch.utils.flop_counter), a multiply-add counting as two, of one crop in evaluation mode. The memory of a
training step is measured where there is a GPU.
"""

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from spn.methods.base import Batch, build_method
from spn.models.build import build_network
from spn.training.config import TrainConfig, resolved
from spn.training.optimisation import build_optimizer


class Cost(NamedTuple):
    """parameters, trainable: counts, with the auxiliary head. flops: of one pass over one crop."""

    parameters: int
    trainable: int
    flops: int


def measure_cost(config: TrainConfig) -> Cost:
    """The cost of the network that `config` trains. Raises UserError if it cannot be built."""
    with torch.device("meta"):
        network = build_network(resolved(config).model).eval()
        crop = torch.empty(1, 3, config.augmentation.crop_height, config.augmentation.crop_width)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(crop)
    total = sum(p.numel() for p in network.parameters())
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Cost(total, trainable, flops=int(counter.get_total_flops()))


def measure_memory(config: TrainConfig) -> int:
    """Bytes at the peak of two training steps of `config` on a GPU, on random crops, in bf16 if it can."""
    config, device = resolved(config), torch.device("cuda")
    method = build_method(config.method, config.loss)
    network = build_network(
        config.model, activation_checkpointing=config.runtime.activation_checkpointing
    ).to(device)
    teachers = method.teachers(config.model, pretrained=False, seed=0)
    method.prepare(network, teachers={name: teacher.to(device) for name, teacher in teachers.items()})
    optimizer = build_optimizer(network, config.optimisation, fused=True)
    crops = config.runtime.device_batch or config.optimisation.batch_size
    size = (config.augmentation.crop_height, config.augmentation.crop_width)
    images = torch.rand(crops, method.views, 3, *size, device=device)
    labels = torch.zeros(crops, *size, dtype=torch.int64, device=device)
    streams = dict.fromkeys(method.streams(), images[:, 0])
    torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):
        with torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported()):
            loss = method.training_loss(network, Batch(images, labels, streams), generator=None)
        loss.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return torch.cuda.max_memory_allocated(device)
