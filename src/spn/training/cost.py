"""What a configuration costs, without running it: parameters, FLOPs of a pass, memory of a training step.

Everything is measured on torch's meta device, where tensors have shapes but no content: it takes a second
and no memory, whatever the size of the network.

FLOPs are those of convolutions and matrix products (torch.utils.flop_counter), a multiply-add counting as
two, of one image at the crop's size through the network in evaluation mode.

The memory is an ESTIMATE for one GPU in bf16-mixed precision:

    weights      4 bytes a parameter and buffer, 2 more for the bf16 copies that autocast keeps,
                 4 more for a running average (ema_decay)
    gradients    4 bytes a trainable parameter
    optimiser    4 bytes a trainable parameter for SGD's momentum, 8 for AdamW's two moments
    activations  what autograd keeps for the backward pass of a step's crops: the storages seen by
                 saved-tensor hooks, each once, without the parameters, in bf16
    loss         three float32 tensors of logits at the label's pixels: the log-probabilities and two
                 gradients

Attention counts as a fused kernel does it, without its matrix. Left out: the CUDA context, cuDNN's workspaces
and the allocator's fragmentation, together about 1 GB; with `runtime.recompute` also what one block computes
again in the backward pass, about as much for a ViT-L at ten crops of 768.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.hooks import RemovableHandle

from spn.methods.base import Batch, Method
from spn.methods.catalogue import build_method
from spn.models.build import build_network
from spn.models.network import SegmentationNetwork
from spn.training.config import OptimisationConfig, TrainConfig

FULL: Final = 4
"""Bytes of a float32."""
HALF: Final = 2
"""Bytes of a bf16."""
_LOSS_TENSORS: Final = 3
_META: Final = torch.device("meta")


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one GPU at the peak of a training step (see the module)."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    loss: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimiser + self.activations + self.loss


@dataclass(frozen=True)
class Cost:
    """parameters, trainable: counts, with the auxiliary head. flops: of one pass over one crop.

    crops: how many a device takes at once. memory: of a training step with that many.
    """

    parameters: int
    trainable: int
    flops: int
    crops: int
    memory: MemoryEstimate


def measure_cost(config: TrainConfig) -> Cost:
    """The cost of the network that `config` trains, by its method. Raises UserError if it cannot be built."""
    method = build_method(config.method)
    network = _meta_network(method, config)
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    trainable = sum(count for count, learns in counts if learns)
    crops = min(config.optimisation.batch_size, config.runtime.device_batch or config.optimisation.batch_size)
    flops = _count_flops(network, config)
    forward = _forward_of_a_step(method, config, crops=crops)
    return Cost(
        parameters=sum(count for count, _ in counts),
        trainable=trainable,
        flops=flops,
        crops=crops,
        memory=MemoryEstimate(
            weights=_weight_bytes(network, config.optimisation),
            gradients=FULL * trainable,
            optimiser=FULL * trainable * (2 if config.optimisation.optimiser == "adamw" else 1),
            activations=_activation_bytes(network, forward),
            loss=_loss_bytes(forward, config),
        ),
    )


@dataclass(frozen=True)
class _Forward:
    """The arguments with which a method calls the network once per step."""

    images: tuple[int, ...]
    arguments: dict[str, Any]


class _Called(Exception):  # noqa: N818 - ends a step early; nothing went wrong
    def __init__(self, forward: _Forward) -> None:
        super().__init__()
        self.forward = forward


class _Recorder(nn.Module):
    """Stands in for the network: remembers how it was called, and ends the step there."""

    def forward(self, images: Tensor, **arguments: Any) -> NoReturn:
        raise _Called(_Forward(tuple(images.shape), arguments))


def _meta_network(method: Method, config: TrainConfig) -> SegmentationNetwork:
    with _META:
        network = build_network(method.model_config(config.model), recompute=config.runtime.recompute)
    method.prepare(network)
    return network


def _count_flops(network: SegmentationNetwork, config: TrainConfig) -> int:
    size = (config.augmentation.crop_height, config.augmentation.crop_width)
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, *size, device=_META))
    network.train()
    return int(counter.get_total_flops())


def _forward_of_a_step(method: Method, config: TrainConfig, *, crops: int) -> _Forward:
    """How many images and draws the method makes of a batch: asked of the method itself."""
    size = (config.augmentation.crop_height, config.augmentation.crop_width)
    images = torch.empty(crops, method.views, 3, *size, device=_META)
    labels = torch.empty(crops, *size, dtype=torch.int64, device=_META)
    try:
        method.training_loss(_Recorder(), Batch(images, labels), generator=None)
    except _Called as called:
        return called.forward
    raise RuntimeError(f"the method {method.name!r} made a loss without calling the network")


def _activation_bytes(network: SegmentationNetwork, forward: _Forward) -> int:
    """Bytes that autograd keeps of one forward in training mode, each storage once.

    The meta device knows no autocast, so hooks cast as autocast would: convolutions and linear layers
    compute in bf16, layer norms in float32, and the rest in what it is given.
    """
    handles: list[RemovableHandle] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(torch.bfloat16)
        if isinstance(module, nn.Conv2d | nn.Linear | nn.LayerNorm):
            handles.append(module.register_forward_pre_hook(_cast_inputs))
    own = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            kept[_storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    images = torch.empty(*forward.images, device=_META)
    with saved_tensors_hooks(keep, lambda tensor: tensor), _FusedAttention():
        output = network(images, **forward.arguments)
    del output  # until here it holds the kept storages, so that none is counted under another's identity
    for handle in handles:
        handle.remove()
    return sum(kept.values())


class _FusedAttention(TorchFunctionMode):
    """Attention as the fused kernels of a GPU do it; on the meta device it would keep its N x N matrix."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Any = None
    ) -> Any:
        if function is F.scaled_dot_product_attention:
            return _KeepsNoMatrix.apply(*arguments[:3])
        return function(*arguments, **(options or {}))


class _KeepsNoMatrix(torch.autograd.Function):
    """Query, key, value [B, heads, N, C] → what has the shape of the query; these four are kept."""

    @staticmethod
    def forward(context: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = torch.empty_like(query)
        context.save_for_backward(query, key, value, output)
        return output


def _cast_inputs(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    dtype = next(module.parameters()).dtype
    return tuple(value.to(dtype) if isinstance(value, Tensor) else value for value in arguments)


def _storage(tensor: Tensor) -> int:
    identity: int = StorageWeakRef(tensor.untyped_storage()).cdata
    return identity


def _weight_bytes(network: SegmentationNetwork, optimisation: OptimisationConfig) -> int:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    buffers = sum(buffer.numel() for buffer in network.buffers())
    copies = 2 if optimisation.ema_decay > 0 else 1
    return FULL * (copies * parameters + buffers) + HALF * parameters


def _loss_bytes(forward: _Forward, config: TrainConfig) -> int:
    images, _, height, width = forward.images
    draws = max(1, forward.arguments.get("draws", 0))
    rows, columns = (-(-side // config.method.label_stride) for side in (height, width))
    return _LOSS_TENSORS * FULL * draws * images * config.model.num_classes * rows * columns


def with_method(config: TrainConfig, name: str) -> TrainConfig:
    """The same training by another method."""
    return dataclasses.replace(config, method=dataclasses.replace(config.method, name=name))
