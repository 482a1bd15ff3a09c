"""TLDR: colours and textures as its equations say, and the teacher and the stream it asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.small_network import SMALL
from spn.core.errors import UserError
from spn.losses.options import LossOptions
from spn.methods.base import Batch
from spn.methods.tldr import (
    TLDR,
    TLDROptions,
    gram,
    texture_generalisation,
    texture_regularisation,
    transfer_colours,
)
from spn.models.build import build_network
from spn.models.network import SegmentationNetwork


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(seed: int, *, low: float = 0.3, high: float = 0.7) -> Tensor:
    """Images [2, 3, 16, 20] whose colours depend on each other."""
    drawn = torch.rand((2, 3, 16, 20), generator=generator(seed))
    mixed = torch.einsum(
        "dc,bchw->bdhw", torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0, 0, 1.0]]), drawn
    )
    return low + (high - low) * mixed


def test_repainted_images_have_the_style_s_mean_and_covariance() -> None:
    painted = transfer_colours(pictures(0), pictures(1, low=0.4, high=0.6))
    wanted = pictures(1, low=0.4, high=0.6)
    torch.testing.assert_close(painted.mean(dim=(2, 3)), wanted.mean(dim=(2, 3)))
    for found, style in zip(painted.flatten(2), wanted.flatten(2), strict=True):
        torch.testing.assert_close(found.cov(), style.cov(), rtol=2e-2, atol=2e-5)


def test_an_image_s_own_colours_change_nothing_and_grey_ones_are_painted_too() -> None:
    torch.testing.assert_close(transfer_colours(pictures(0), pictures(0)), pictures(0))
    grey = torch.full((2, 3, 16, 20), 0.5)
    for painted in (transfer_colours(grey, pictures(0)), transfer_colours(pictures(0), grey)):
        assert painted.isfinite().all()
        assert (painted >= 0).all()
        assert (painted <= 1).all()
    torch.testing.assert_close(
        transfer_colours(grey, pictures(0)).mean(dim=(2, 3)), pictures(0).mean(dim=(2, 3))
    )


def test_the_gram_matrix_is_the_mean_product_of_two_channels() -> None:
    features = torch.randn((2, 3, 4, 5), generator=generator())
    expected = (features[:, :, None] * features[:, None]).mean(dim=(3, 4))
    torch.testing.assert_close(gram(features), expected)


def grams(seed: int) -> list[Tensor]:
    """One Gram matrix [2, C, C] for each of four stages."""
    return [gram(torch.randn((2, width, 4, 5), generator=generator(seed))) for width in (4, 6, 8, 10)]


def test_texture_regularisation_weighs_the_distances_of_four_stages() -> None:
    expected = sum(
        weight * (mine - theirs).square().sum(dim=(1, 2)).sqrt().mean() / mine.shape[-1]
        for weight, mine, theirs in zip((5e-3, 5e-4, 5e-5, 5e-6), grams(0), grams(1), strict=True)
    )
    torch.testing.assert_close(texture_regularisation(grams(0), grams(1)), expected)
    own = [matrix.requires_grad_() for matrix in grams(0)]
    loss = texture_regularisation(own, grams(0))
    loss.backward()
    assert loss == 0
    assert all(matrix.grad is not None and matrix.grad.isfinite().all() for matrix in own)


def test_texture_generalisation_sees_only_what_the_style_brought_into_two_stages() -> None:
    own, painted, styles = grams(0), [matrix.requires_grad_() for matrix in grams(1)], grams(2)
    loss = texture_generalisation(own, painted, styles, threshold=0.1)
    expected = 0.0
    for weight, before, after, style in zip((5e-3, 5e-4), own, painted, styles, strict=False):
        kept = torch.where(after - before > 0.1, after - style, 0.0)
        expected += weight * kept.square().sum(dim=(1, 2)).sqrt().mean() / before.shape[-1]
    torch.testing.assert_close(loss, expected)
    loss.backward()
    for before, after in zip(own[:2], painted[:2], strict=True):
        assert after.grad is not None
        assert (after.grad[after - before <= 0.1] == 0).all()
        assert after.grad.abs().max() > 0
    assert painted[2].grad is None
    assert painted[3].grad is None
    assert texture_generalisation(own, own, styles, threshold=0.1) == 0


def prepared(
    options: TLDROptions | None = None, *, pretrained: bool | Path = False
) -> tuple[TLDR, SegmentationNetwork]:
    method = TLDR(options or TLDROptions(style_images=Path()), loss=LossOptions())
    model = method.options.resolve(SMALL)
    network = build_network(model).train()
    method.prepare(network, teachers=method.teachers(model, pretrained=pretrained, seed=0))
    return method, network


def batch(*, progress: float = 0.0) -> Batch:
    draw = generator(3)
    return Batch(
        torch.rand((2, 1, 3, 64, 64), generator=draw),
        torch.randint(0, 19, (2, 64, 64), generator=draw),
        {"style": torch.rand((2, 3, 64, 64), generator=draw) ** 3},
        progress,
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of pretrained weights of the small encoder, as its seed 7 drew them."""
    network = build_network(TLDROptions().resolve(SMALL), seed=7)
    path = tmp_path / "encoder.safetensors"
    save_file(network.encoder.backbone.backbone.state_dict(), path)
    return path


def test_its_terms_add_up_and_fade_out(weights: Path) -> None:
    for progress in (0.0, 0.75, 1.0):
        method, network = prepared(
            TLDROptions(style_images=Path(), regularisation_weight=3.0, generalisation_weight=5.0),
            pretrained=weights,
        )
        loss = method.training_loss(network, batch(progress=progress), generator=None)
        terms = loss.terms
        assert terms["texture_regularisation"] > 0
        assert terms["texture_generalisation"] > 0
        textures = 3 * terms["texture_regularisation"] + 5 * terms["texture_generalisation"]
        supervised = terms["cross_entropy"] + 0.4 * terms["auxiliary"]
        torch.testing.assert_close(loss.total, supervised + (1 - progress) * textures)


def test_the_teacher_is_the_pretrained_encoder_without_surgery(weights: Path) -> None:
    method = TLDR(TLDROptions(style_images=Path()), loss=LossOptions())
    changed = replace(SMALL, encoder=replace(SMALL.encoder, ibn=True))
    teacher = method.teachers(method.options.resolve(changed), pretrained=weights, seed=0)["encoder"]
    expected = build_network(TLDROptions().resolve(SMALL), seed=7).encoder
    images = torch.randn((1, 3, 64, 64), generator=generator())
    for found, wanted in zip(
        teacher.eval()(images).pyramids[0], expected.eval()(images).pyramids[0], strict=True
    ):
        assert torch.equal(found, wanted)


def test_without_pretrained_weights_there_is_no_regularisation_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    method, network = prepared()
    assert "TLDR's texture regularisation is left out" in caplog.text
    terms = method.training_loss(network, batch(), generator=None).terms
    assert "texture_regularisation" not in terms
    assert "texture_generalisation" in terms


def test_it_asks_for_style_images() -> None:
    with pytest.raises(UserError, match=r"--method\.style-images FOLDER"):
        TLDR(TLDROptions(), loss=LossOptions()).streams()
    asking = TLDR(TLDROptions(style_images=Path("paintings")), loss=LossOptions())
    assert asking.streams() == {"style": Path("paintings")}
