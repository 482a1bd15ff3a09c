"""What timm's models do not take is named, with how to unset it."""

from __future__ import annotations

import re

import pytest

from spn.cli.train import parse
from spn.core.errors import UserError
from spn.models.build import build_network

OF_RESNETS = ["channels", "layers", "stem_type", "stem_width"]


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("mobilenetv3_small_050", OF_RESNETS),
        ("hrnet_w18_small", ["channels", "layers", "stem_type"]),
        ("convnext_atto", ["channels", "layers", "stem_type", "stem_width"]),
    ],
)
def test_a_preset_of_resnets_and_another_encoder(name: str, unknown: list[str]) -> None:
    """Following the advice, word by word, gives a network."""
    command = ["--preset", "tiny", "--model.encoder.name", name, "--out", "run", "--data", "gtav=data"]
    command += ["--method.kind", "baseline"]
    with pytest.raises(UserError, match="unset that") as refused:
        build_network(parse(command).config.model)
    advice = str(refused.value).partition("unset that: ")[2].split()
    assert sorted(re.findall(r"model\.encoder\.([a-z-]+)", " ".join(advice))) == [
        option.replace("_", "-") for option in unknown
    ]
    build_network(parse([*command, *advice]).config.model)


def test_a_model_without_strides_is_told_of_its_own() -> None:
    command = ["--model.encoder.name", "regnetx_002", "--out", "run", "--data", "gtav=data"]
    build_network(parse(command).config.model)
    command[1] = "vgg11"
    with pytest.raises(UserError, match=r"--model\.encoder\.output-stride 32"):
        build_network(parse(command).config.model)


def test_what_no_option_can_mend_keeps_its_own_message() -> None:
    command = ["--preset", "tiny", "--model.encoder.name", "resnet1", "--out", "run", "--data", "gtav=data"]
    with pytest.raises(UserError, match="timm cannot build the encoder 'resnet1'"):
        build_network(parse(command).config.model)
