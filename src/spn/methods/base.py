"""The seam between a method and everything else: what it changes in the network and what it trains on.

A method is one file with one class (methods/options.py shows how it is registered), which says

- what network it trains (its options' `resolve`): parameters and layers belong in ModelConfig, so that a
  saved model can be rebuilt without the method (IBN, for example, is a property of the encoder);
- what it looks at besides the labelled crops: further unlabelled images (`streams`) and frozen networks
  (`teachers`);
- what only exists while training (`prepare`): hooks that mix or record features;
- the loss of a step (`training_loss`).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from spn.core.classes import CITYSCAPES_19, LabelSpace
from spn.losses.criterion import Criterion, Loss, sampled_cross_entropy
from spn.losses.options import LossOptions
from spn.methods.options import METHODS, MethodOptions, with_encoder
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.encoders.protocol import Encoding
from spn.models.network import NetworkOutput, SegmentationNetwork

_log = logging.getLogger(__name__)
STAGES = 4
AUXILIARY_LABEL_STRIDE = 4
"""The auxiliary logits have one cell per 16 pixels: comparing them at every pixel tells little."""

Teachers = Mapping[str, nn.Module]
"""Frozen networks by name. They are moved to the device with the network and stay in evaluation mode without
gradients; no checkpoint holds them, and no optimiser, average or data-parallel wrapper sees them."""


class Batch(NamedTuple):
    """images: float [B, V, 3, H, W] in 0..1 RGB, V views of each crop. labels: int64 [B, H, W].

    streams: by name of the stream, float [B, 3, H, W] in 0..1 RGB, of the same size as the crops.
    progress: the share of the training's steps that are done, 0 to below 1.
    """

    images: Tensor
    labels: Tensor
    streams: Mapping[str, Tensor] = MappingProxyType({})
    progress: float = 0.0


class Baseline:
    """Empirical risk minimisation on the source domain, and what other methods change of it.

    Stateless: everything that learns lives in the network.
    """

    views = 1
    """How many photometric views of each crop it wants."""
    classes: LabelSpace = CITYSCAPES_19
    """What the training learns."""

    def __init__(self, options: MethodOptions, *, loss: LossOptions) -> None:
        self.options = options
        self.loss = loss
        self.generator: torch.Generator | None = None
        """That of the step that is running, for hooks, which are given features alone."""
        self._criterion: Criterion | None = None

    def streams(self) -> Mapping[str, Path]:
        """Folders, by name, of unlabelled images it wants beside the crops: for each a random crop of one.

        They are searched to all depths. Raises UserError where no option names one.
        """
        return {}

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        """The frozen networks it learns from. model: what is trained; pretrained: as for `build_network`."""
        return {}

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        """Take the decoder's criterion and attach what only training needs, before `network` is wrapped."""
        self._criterion = network.decoder.criterion

    def training_loss(self, network: nn.Module, batch: Batch, *, generator: torch.Generator | None) -> Loss:
        """The loss of one step. `network` may be wrapped (Fabric, DDP): it is called exactly once."""
        self.generator = generator
        output: NetworkOutput = network(batch.images[:, 0], upsample=False)
        return self.supervised_loss(output, batch.labels, generator=generator)

    def supervised_loss(
        self, output: NetworkOutput, labels: Tensor, *, generator: torch.Generator | None
    ) -> Loss:
        """The loss that the decoder brings, and the auxiliary head's cross-entropy, for labels [B, H, W].

        output: of the network with `upsample=False`; with random samples, the loss is the mean over them.
        generator: of the rows and columns that the loss is sampled at.
        """
        if self._criterion is None:
            raise RuntimeError("prepare was not called; a method's own prepare calls that of Baseline")
        covers, repeated = output.covers, labels.repeat(max(1, output.num_samples), 1, 1)
        main = self._criterion(
            output.prediction(), repeated, covers=covers, options=self.loss, generator=generator
        )
        if output.auxiliary_logits is None:
            return main
        stride, balance = AUXILIARY_LABEL_STRIDE, self.loss.class_balance
        middle = (stride // 2, stride // 2)
        auxiliary = sampled_cross_entropy(
            output.auxiliary_logits, labels, covers=covers, stride=stride, offset=middle, balance=balance
        )
        return main.plus("auxiliary", auxiliary, weight=self.loss.auxiliary_weight)


def build_method(
    options: MethodOptions, loss: LossOptions, *, classes: LabelSpace = CITYSCAPES_19
) -> Baseline:
    """The method of these options. Raises UserError with the names there are."""
    method: Baseline = METHODS.entry_of(options).load()(options, loss=loss)
    method.classes = classes
    return method


class Retrospective(Baseline):
    """A method that compares features of the encoder in training with those of the pretrained one.

    The teacher sees one scale and has none of what methods change in an encoder. Without pretrained weights,
    or with weight 0, there is none.
    """

    remembers: ClassVar[tuple[str, str]]
    """The loss that needs the teacher, and the option with its weight."""
    teacher: nn.Module | None
    _seen: tuple[Tensor, Sequence[Tensor]] | None = None
    """The normalised images of the last forward and the features of its stages."""

    def teachers(self, model: ModelConfig, *, pretrained: bool | str | Path, seed: int) -> Teachers:
        loss, weight = self.remembers
        if getattr(self.options, weight) == 0:
            return {}
        if not pretrained:
            _log.warning("%s is left out: the encoder has no pretrained weights (--pretrained)", loss)
            return {}
        plain = with_encoder(model.baseline(), ibn=False, whitening=False, style_memory=0)
        return {"encoder": build_network(plain, pretrained=pretrained, seed=seed).encoder}

    def prepare(self, network: SegmentationNetwork, *, teachers: Teachers) -> None:
        super().prepare(network, teachers=teachers)
        self.teacher = teachers.get("encoder")

        def remember(
            module: nn.Module, inputs: tuple[Tensor, ...], options: Mapping[str, Any], output: Encoding
        ) -> None:
            if module.training:
                (images,), window = inputs, options["window"]
                seen = images if window is None else window.of(images)
                self._seen = seen, output.pyramids[0][-STAGES:]

        network.encoder.register_forward_hook(remember, with_kwargs=True)

    def take_stages(self, images: int) -> tuple[Sequence[Tensor], Sequence[Tensor] | None]:
        """Features of the four stages in the last forward, and the teacher's, if any, of its first images.

        The forward's are forgotten then, so that they do not outlive their step.
        """
        assert self._seen is not None, "the network has not run in training mode yet"
        (seen, stages), self._seen = self._seen, None
        if self.teacher is None:
            return stages, None
        with torch.no_grad():
            return stages, self.teacher(seen[:images]).pyramids[0][-STAGES:]
