"""Decoders: what each reads and gives, and a mask classifier of one's own that trains by its own loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from models.small_network import SMALL, generator, images, waken
from spn.core.classes import IGNORE
from spn.core.records import to_plain
from spn.losses.criterion import Loss, Prediction
from spn.losses.options import LossOptions
from spn.methods.base import Batch, build_method
from spn.methods.options import BaselineOptions, MethodOptions, SPNOptions
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import DECODERS, DecoderOptions, DeepLabOptions, SegFormerOptions, Skip
from spn.models.decoders.protocol import Decoder
from spn.models.decoders.segformer import SegFormerDecoder
from spn.models.encoders.protocol import Pyramid
from spn.models.resampling import resize

SEGFORMER = replace(SMALL, decoder=SegFormerOptions(width=12))


def test_segformer_reads_all_levels_but_the_stem_and_answers_at_stride_4() -> None:
    decoder = DECODERS.entry("segformer").load()(
        SegFormerOptions(width=6), (4, 8, 12, 16, 24), strides=(2, 4, 8, 16, 16), num_classes=5
    )
    assert decoder.levels == (1, 2, 3, 4)
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (4, 6)]
    pyramid = [torch.rand(2, width, *size) for width, size in zip((4, 8, 12, 16, 24), sizes, strict=True)]
    assert decoder.eval()(pyramid).logits.shape == (2, 5, 16, 24)


def test_segformer_is_the_papers_head() -> None:
    """Projected levels enlarged, concatenated and joined by one linear map; ours sums one of each level."""
    widths, sizes = (4, 6, 8), ((8, 12), (4, 6), (2, 3))
    decoder = SegFormerDecoder(SegFormerOptions(width=5), widths, strides=(4, 8, 16), num_classes=3).eval()
    pyramid = [
        torch.rand(2, width, *size, generator=generator()) for width, size in zip(widths, sizes, strict=True)
    ]
    projected = [
        resize(projection[0](level), sizes[0])  # type: ignore[index]
        for projection, level in zip(decoder.projections, pyramid, strict=True)
    ]
    joint = torch.cat([projection[1].weight for projection in decoder.projections], dim=1)  # type: ignore[index]
    features = decoder.norm(F.conv2d(torch.cat(projected, dim=1), joint)).relu()
    torch.testing.assert_close(decoder(pyramid).logits, decoder.classifier(features))


def test_prompts_go_to_every_level_that_the_decoder_reads() -> None:
    network = build_network(SEGFORMER)
    assert network.prompts is not None
    assert network.prompts.levels == network.decoder.levels == (0, 1, 2, 3)
    assert build_network(SMALL).decoder.levels == (0, 1, 3)


def test_a_decoder_is_recorded_by_its_kind() -> None:
    stored = to_plain(SEGFORMER)
    assert stored["decoder"] == {"kind": "segformer", "width": 12, "dropout": 0.1}
    assert ModelConfig.from_dict(stored) == SEGFORMER
    skips = DeepLabOptions(skips=(Skip(stride=8, width=4, out=6), Skip(stride=4, width=2, out=3)))
    assert ModelConfig.from_dict(to_plain(replace(SMALL, decoder=skips))).decoder == skips


@dataclass(frozen=True)
class MaskOptions(DecoderOptions):
    """A mask classifier in the manner of MaskFormer (Cheng et al., NeurIPS 2021), as small as can be."""

    kind: Literal["masks"] = "masks"
    queries: int = 5
    width: int = 16


class MaskDecoder(Decoder):
    """Pyramid → per-pixel logits; in training mode also class logits [B, Q, C + 1] and masks [B, Q, h, w]."""

    def __init__(
        self, widths: tuple[int, int], *, levels: tuple[int, int], queries: int, width: int, num_classes: int
    ) -> None:
        super().__init__()
        self.levels = levels
        self.shallow = nn.Conv2d(widths[0], width, 1)
        self.deep = nn.Conv2d(widths[1], width, 1)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.classes = nn.Linear(width, num_classes + 1)
        self.masks = nn.Linear(width, width)

    def forward(self, pyramid: Pyramid) -> Prediction:
        shallow = self.shallow(pyramid[self.levels[0]])
        deep = self.deep(pyramid[self.levels[1]])
        pixels = self.mix((shallow + resize(deep, (shallow.shape[-2], shallow.shape[-1]))).relu())
        places = deep.flatten(2).transpose(1, 2)
        queries = self.queries.expand(len(deep), -1, -1)
        queries = queries + self.attention(queries, places, places, need_weights=False)[0]
        classes, masks = self.classes(queries), torch.einsum("bqd,bdhw->bqhw", self.masks(queries), pixels)
        scores = torch.einsum("bqc,bqhw->bchw", classes.softmax(dim=2)[..., :-1], masks.sigmoid())
        return Prediction(scores.clamp(min=1e-6).log(), (classes, masks) if self.training else ())

    @staticmethod
    def criterion(
        prediction: Prediction,
        labels: Tensor,
        *,
        covers: tuple[int, int],
        options: LossOptions,
        generator: torch.Generator | None,
    ) -> Loss:
        """Each class of an image is matched to the query that fits it best; other queries say "nothing"."""
        all_classes, all_masks = prediction.parts
        height, width = labels.shape[-2:]
        terms = []
        for classes, grid, truth in zip(all_classes, all_masks, labels, strict=True):
            masks = resize(grid[None], covers)[0, :, :height, :width]
            present = [int(label) for label in truth.unique() if label != IGNORE]
            nothing = torch.full((len(classes),), classes.shape[1] - 1)
            known = truth != IGNORE
            targets = torch.stack([truth[known] == label for label in present]).float() if present else None
            mask_loss = masks.sum() * 0
            if targets is not None:
                fits = F.binary_cross_entropy_with_logits(
                    masks[:, None, known].expand(-1, len(present), -1),
                    targets.expand(len(classes), -1, -1),
                    reduction="none",
                ).mean(dim=2)
                cost = fits - classes.softmax(dim=1)[:, present]
                rows, columns = linear_sum_assignment(cost.detach().numpy())
                nothing[rows] = torch.tensor(present)[columns]
                mask_loss = fits[rows, columns].mean()
            weights = torch.ones(classes.shape[1])
            weights[-1] = 0.1
            terms.append(torch.stack([F.cross_entropy(classes, nothing, weights) * bool(present), mask_loss]))
        class_loss, mask_loss = torch.stack(terms).mean(dim=0)
        return Loss(class_loss + 5 * mask_loss, {"class": class_loss.detach(), "mask": mask_loss.detach()})


@pytest.fixture
def masks(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """The small network with the mask classifier, which is registered from here, outside of the package."""
    monkeypatch.setattr(DECODERS, "_entries", dict(DECODERS._entries))

    @DECODERS.register("masks", options=MaskOptions, title="Masks")
    def build(
        options: MaskOptions, widths: tuple[int, ...], *, strides: tuple[int, ...], num_classes: int
    ) -> MaskDecoder:
        levels = (strides.index(4), len(strides) - 1)
        ends = (widths[levels[0]], widths[levels[1]])
        return MaskDecoder(
            ends, levels=levels, queries=options.queries, width=options.width, num_classes=num_classes
        )

    return replace(SMALL, decoder=MaskOptions(), auxiliary=False, num_classes=3)


@pytest.mark.parametrize("options", [BaselineOptions(), SPNOptions(), SPNOptions(views=1)])
def test_a_mask_classifier_of_ones_own_learns_by_its_own_loss(
    masks: ModelConfig, options: MethodOptions
) -> None:
    torch.manual_seed(0)
    method = build_method(options, LossOptions(auxiliary_weight=0.0))
    config = method.options.resolve(masks)
    assert ModelConfig.from_dict(to_plain(config)) == config
    network = build_network(config).train()
    method.prepare(network, teachers={})
    labels = (
        torch.randint(0, 3, (2, 4, 4), generator=generator())
        .repeat_interleave(16, 1)
        .repeat_interleave(16, 2)
    )
    shown = (labels / 3 + 0.2)[:, None, None].expand(-1, method.views, 3, -1, -1)
    labels[0, :8] = IGNORE
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for step in range(60):
        loss = method.training_loss(network, Batch(shown, labels), generator=generator(step))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.terms["mask"].item())
    assert {"class", "mask"} <= loss.terms.keys()
    assert losses[-1] < 0.5 * losses[0]
    network.eval()
    with torch.no_grad():
        output = network(shown[:, 0])
        samples = network(shown[:, 0], num_samples=2, generator=generator())
    assert output.logits.shape == (2, 3, 64, 64)
    assert output.parts == samples.parts == ()
    known = labels != IGNORE
    assert (output.logits.argmax(dim=1) == labels)[known].float().mean() > 0.8
    assert samples.logits.shape == (2, 2, 3, 64, 64)


def test_without_ground_truth_its_loss_is_zero(masks: ModelConfig) -> None:
    network = build_network(masks).train()
    output = network(images(), num_samples=2, generator=generator(), upsample=False)
    prediction = output.prediction()
    assert [len(part) for part in prediction.parts] == [len(prediction.logits)] * 2 == [4, 4]
    labels = torch.full((4, 64, 96), IGNORE)
    loss = network.decoder.criterion(
        prediction, labels, covers=output.covers, options=LossOptions(), generator=None
    )
    loss.total.backward()
    assert loss.total == 0


def test_the_first_images_of_an_output_are_those_of_its_batch(masks: ModelConfig) -> None:
    network = build_network(replace(masks, auxiliary=True)).train()
    waken(network)
    for num_samples in (0, 2):
        output = network(images(3), num_samples=num_samples, generator=generator(), upsample=False)
        first = output.first(2)
        assert first.auxiliary_logits.shape[0] == 2
        assert [part.shape[1 if num_samples else 0] for part in (first.logits, *first.parts)] == [2, 2, 2]
        assert torch.equal(first.logits, output.logits[:, :2] if num_samples else output.logits[:2])
