"""The methods, what can be set of each, and the network that each trains. No torch here.

A method is one file of this room (its name is the method's): a class with the equations, and here, so that
`--help` needs no torch, its options. A method of your own may have both in one file:

    @spn.register_method("mine", title="Mine", options=MineOptions)
    class Mine(spn.Baseline): ...
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from spn.core.errors import UserError
from spn.core.ranges import BelowOne, Count, NotNegative, Share
from spn.core.registry import Options, Registry
from spn.losses.options import Divergence
from spn.models.config import ModelConfig
from spn.models.encoders.options import STAGES, FrozenViTOptions
from spn.models.prompts.options import TokenOptions

STYLE_MEMORY: Final = 512
"""How many styles SHADE remembers."""


class _Methods(Registry):
    def plain_options(self, name: str, about: str | None) -> type[Any]:
        kind = ("kind", Literal[name], dataclasses.field(default=name))
        namespace = {"__doc__": about} if about else {}
        return dataclasses.make_dataclass(
            "Options", [kind], bases=(MethodOptions,), namespace=namespace, frozen=True
        )


METHODS: Final = _Methods("method", room="spn.methods")


class MethodOptions(Options):
    registry = METHODS

    def resolve(self, model: ModelConfig) -> ModelConfig:
        """The network the method trains, given the one all methods start from; given its own, the same."""
        return model.baseline()


def with_encoder(model: ModelConfig, **changes: object) -> ModelConfig:
    """`model` with other options of its encoder. Raises UserError for an encoder without these."""
    names = {field.name for field in dataclasses.fields(model.encoder)}  # type: ignore[arg-type]
    if unknown := sorted(set(changes) - names):
        raise UserError(
            f"the method needs encoder.{unknown[0]}, which an encoder of kind {model.encoder.kind!r} has not "
            "(frozen ones cannot be changed); wanted kind 'timm', or another method"
        )
    encoder = dataclasses.replace(model.encoder, **changes)  # type: ignore[type-var]
    return dataclasses.replace(model, encoder=encoder)


@dataclass(frozen=True)
class BaselineOptions(MethodOptions):
    """Empirical risk minimisation on the source domain."""

    kind: Literal["baseline"] = "baseline"


@dataclass(frozen=True)
class SPNOptions(MethodOptions):
    """A weight of 0 switches its term off."""

    kind: Literal["spn"] = "spn"
    views: Literal[1, 2] = 2
    """2: two photometric views of each crop, one random prompt each. 1: one view, two random prompts."""
    second_view_share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """With two views: the share of the crops (the first of the batch) that get the second one."""
    ego_vehicle_share: Share = 0.5
    """Share of the second views that show a random bonnet at their lower edge, unlabelled. Cameras in cars
    see their own, sources often show none."""
    consistency_weight: NotNegative = 0.5
    """Weight of the divergence between two predictions of one crop."""
    consistency_divergence: Divergence = "symmetric_kl"
    """Which divergence: symmetric_kl, js (Jensen-Shannon) or angle (squared)."""
    consistency_stop_gradient: bool = False
    """Whether each prediction is a fixed target for the other; for the angle only the first one is."""
    consistency_stride: Count = 1
    """Predictions are compared after averaging blocks of this many cells of the decoder's grid a side."""
    kl_weight: NotNegative = 0.001
    """Weight of the stochastic prompt's divergence from its prior."""
    random_prompt: bool = False
    """Whether training perturbs styles and textures at several resolutions, as MRFP+ does."""
    retrospection_weight: NotNegative = 0.0
    """Weight of the distance to the pretrained encoder's features; none without pretrained weights."""
    detail: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Side of the part of each crop that the fine scale sees in training, as a share of the crop's; coarse
    scales see all of it, and only the part is learned. 1: both see the same."""
    frozen_encoder: bool = False
    """Whether the encoder keeps all weights and statistics it starts with, and only what prompts add to it
    and what follows it learn."""

    def resolve(self, model: ModelConfig) -> ModelConfig:
        if not self.frozen_encoder or isinstance(model.encoder, FrozenViTOptions):
            return model
        return with_encoder(model, frozen_stages=STAGES, frozen_norms=True)


@dataclass(frozen=True)
class IBNOptions(MethodOptions):
    """IBN-Net changes the network alone."""

    # IBN-Net (a): Pan et al., ECCV 2018 (spn.models.encoders.style_parts); the loss is the baseline's
    kind: Literal["ibn"] = "ibn"

    def resolve(self, model: ModelConfig) -> ModelConfig:
        return with_encoder(model.baseline(), ibn=True)


@dataclass(frozen=True)
class ReinOptions(MethodOptions):
    """Deterministic tokens after every block change the network alone; made for a frozen one."""

    # after Rein: Wei et al., CVPR 2024 (spn.models.prompts.tokens)
    kind: Literal["rein"] = "rein"

    def resolve(self, model: ModelConfig) -> ModelConfig:
        if isinstance(model.encoder, FrozenViTOptions):  # it has a place of its own for them
            prompt = dataclasses.replace(model.encoder.prompt, kind="semantic")
            return with_encoder(model.baseline(), prompt=prompt)
        tokens = getattr(model.encoder, "tokens", TokenOptions())
        return with_encoder(model.baseline(), tokens=dataclasses.replace(tokens, kind="semantic"))


@dataclass(frozen=True)
class ISWOptions(MethodOptions):
    """Instance-selective whitening."""

    kind: Literal["isw"] = "isw"
    start: BelowOne = 0.1
    """Share of the training that only measures which covariances follow the style; then the loss acts."""
    weight: NotNegative = 0.6
    """Weight of the whitening loss."""
    second_view_share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of the crops whose second view is measured."""

    def resolve(self, model: ModelConfig) -> ModelConfig:
        return with_encoder(model.baseline(), whitening=True)


@dataclass(frozen=True)
class SHADEOptions(MethodOptions):
    """Style-hallucinated dual consistency."""

    kind: Literal["shade"] = "shade"
    weight: NotNegative = 10.0
    """Weight of the divergence between predictions under an image's own and under a new style."""
    retrospection_weight: NotNegative = 1.0
    """Weight of the distance to the pretrained encoder's features of things; without pretrained weights of no
    effect."""

    def resolve(self, model: ModelConfig) -> ModelConfig:
        return with_encoder(model.baseline(), style_memory=STYLE_MEMORY)


METHODS.declare(BaselineOptions, at="spn.methods.base:Baseline", title="Baseline")
METHODS.declare(SPNOptions, at="spn.methods.spn:StochasticPrompts", title="SPN")
METHODS.declare(IBNOptions, at="spn.methods.base:Baseline", title="IBN-Net")
for _title, _about in {
    "MixStyle": "Feature styles of two images mixed.",
    "DSU": "Feature styles as random variables.",
    "RandConv": "Images through a random convolution.",
    "PASTA": "Fourier amplitudes perturbed.",
}.items():  # nothing can be set of these
    _name = _title.lower()
    METHODS.declare(METHODS.plain_options(_name, _about), at=f"spn.methods.{_name}:{_title}", title=_title)
METHODS.declare(ReinOptions, at="spn.methods.base:Baseline", title="Rein-like tokens")
METHODS.declare(ISWOptions, at="spn.methods.isw:ISW", title="ISW")
METHODS.declare(SHADEOptions, at="spn.methods.shade:SHADE", title="SHADE")
