"""A timm backbone as an encoder: `features_only`, an output stride, declared widths and strides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from spn.core.errors import UserError
from spn.models.encoders.options import STAGES, TimmOptions
from spn.models.encoders.outline import blocks, record
from spn.models.encoders.pretrained import input_statistics, load_pretrained
from spn.models.encoders.protocol import Encoder, Encoding
from spn.models.encoders.style_parts import insert_style_parts
from spn.models.prompts.options import TokenOptions
from spn.models.prompts.tokens import TokenPrompts
from spn.models.seeds import initial_weights

HRNET = ("act2", "layer1", "stage2", "stage3", "stage4")
"""timm declares the levels of HRNet by names that are no modules of it."""
GIVEN = ("channels", "layers", "stem_width", "stem_type", "drop_path_rate")
"""Options that timm's constructor is given, if they are set: models without them do not know them."""
BUILD_ERRORS = (RuntimeError, TypeError, NotImplementedError, ValueError, IndexError, AssertionError)


class TimmEncoder(Encoder):
    """The last four levels of a timm backbone (strides 4, 8, 16 and the output stride).

    stem: whether to put out the level before them too (stride 2). pretrained: False for random weights, True
    for those installed or of timm's hub, a path for a file of the same model. Raises UserError for a name or
    option timm does not know, CheckpointError for weights that do not fit.
    """

    frozen_stages = 0
    frozen_norms = False

    def __init__(
        self,
        options: TimmOptions,
        *,
        stem: bool = False,
        pretrained: bool | Path = False,
        seed: int = 0,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.token_prompts: TokenPrompts | None = None
        if activation_checkpointing:
            raise UserError(
                "runtime.activation_checkpointing is for encoders of kind frozen_vit only: the BatchNorm of "
                "a convolutional encoder would measure every batch twice; leave it out"
            )
        given = {name: getattr(options, name) for name in GIVEN if getattr(options, name) is not None}
        if options.output_stride != 32:  # timm's default, which some models do not know as an option
            given["output_stride"] = options.output_stride
        levels = tuple(range(-STAGES - int(stem), 0))
        try:
            with initial_weights(seed, "encoder"):
                self.backbone = timm.create_model(
                    options.name, features_only=True, out_indices=levels, **given
                )
        except BUILD_ERRORS as error:
            wanted = " with a level at stride 2" if stem else ""
            if unknown := _unknown(options.name, given, levels=levels):
                raise UserError(
                    f"the encoder {options.name!r} has no {', '.join(unknown)}, which this configuration "
                    f"(its preset?) sets; unset that: {' '.join(map(_unset, unknown))}"
                ) from error
            raise UserError(
                f"timm cannot build the encoder {options.name!r} at output stride {options.output_stride} "
                f"with options {given}{wanted}: {error}. Wanted a convolutional timm model that "
                "offers features_only (timm.list_models() lists the names), or encoder.kind frozen_vit "
                "for a vision transformer."
            ) from error
        self.widths = tuple(self.backbone.feature_info.channels())
        self.strides = tuple(self.backbone.feature_info.reduction())
        self.stages = _stages(self.backbone)
        mean, std = input_statistics(options.name)
        self.mean, self.std = options.mean or mean, options.std or std
        if pretrained:
            load_pretrained(self.backbone, name=options.name, options=given, source=pretrained)
        if options.frozen_stages:
            for part in self.parts(stages=options.frozen_stages):
                part.requires_grad_(False)
        self.frozen_stages, self.frozen_norms = options.frozen_stages, options.frozen_norms
        insert_style_parts(self, options)
        if options.tokens.kind != "none":
            with initial_weights(seed, "tokens"):
                self._insert_tokens(options.tokens)
        self.train(self.training)

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Encoding:
        if self.token_prompts is None or noise is None:
            return Encoding([self.backbone(images)], kl=None)
        pyramids = []
        for drawn in noise:
            self.token_prompts.noise = drawn
            pyramids.append(self.backbone(images))
        self.token_prompts.noise = None
        return Encoding(pyramids, kl=None)

    def _insert_tokens(self, options: TokenOptions) -> None:
        """Prompts after each block or stage that puts out one map."""
        outline = self.outline[1:]  # seen before anything is added
        ends = [stage.name for stage in outline]
        if options.after == "block":  # of the modules of a stage without blocks, only its last one is an end
            ends = [name for name, inner in blocks(self, outline).items() if inner != [name] or name in ends]
        example = next(self.parameters())
        seen = record(self, lambda: self(example.new_zeros(1, 3, 96, 96)))
        widths = {finish.module: [output.shape[1] for output in finish.outputs] for finish in seen.finishes}
        ends = [name for name in ends if len(widths[name]) == 1][options.first_block :]
        if not ends:
            raise UserError(
                f"encoder.tokens.first_block is {options.first_block}; there are fewer blocks with one map"
            )
        self.token_prompts = TokenPrompts(options, [widths[name][0] for name in ends])
        self.noise_width = self.token_prompts.noise_width
        for block, name in enumerate(ends):
            hook = partial(_add_prompt, prompts=self.token_prompts, block=block)
            self.get_submodule(name).register_forward_hook(hook, prepend=True)

    def train(self, mode: bool = True) -> TimmEncoder:
        """Frozen stages and norms stay in evaluation: their statistics, and no stochastic depth."""
        super().train(mode)
        frozen = self.parts(stages=self.frozen_stages) if self.frozen_stages else []
        if self.frozen_norms:
            frozen += [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for part in frozen:
            part.eval()
        return self


def _unknown(name: str, given: Mapping[str, Any], *, levels: tuple[int, ...]) -> list[str]:
    """Which of the options timm's model does not take; none if it cannot be built without them either."""

    def builds(**options: Any) -> bool:
        try:
            timm.create_model(name, features_only=True, out_indices=levels, **options)
        except BUILD_ERRORS:
            return False
        return True

    with torch.device("meta"):
        return [option for option in given if builds() and not builds(**{option: given[option]})]


def _unset(option: str) -> str:
    """On the command line."""
    default = 32 if option == "output_stride" else None
    return f"--model.encoder.{option.replace('_', '-')} {default}"


def _add_prompt(module: nn.Module, _: Any, features: Tensor, *, prompts: TokenPrompts, block: int) -> Tensor:
    """What a block puts out, with the prompt after it."""
    prompted: Tensor = prompts(features, block=block)
    return prompted


def _stages(backbone: nn.Module) -> tuple[str, ...]:
    """What Encoder.stages wants to know, by timm's own declaration; its pyramids rename some modules."""
    levels: list[dict[str, Any]] = backbone.feature_info.info  # type: ignore[union-attr, assignment]
    stem = [level["module"] for level in levels[:-STAGES]] or [""]
    declared = (stem[-1], *(level["module"] for level in levels[-STAGES:]))
    named = {name.removeprefix("body.").replace(".", "_"): name for name, _ in backbone.named_modules()}
    for names in (declared, HRNET):
        flat = [name.replace(".", "_") for name in names]
        if all(name in named for name in flat):
            return tuple(f"backbone.{named[name]}" if name else "" for name in flat)
    return ()
