"""Whole evaluations of a network whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from evaluation.memory_dataset import MemoryDataset
from inference.colour_network import ColourNetwork, random_blocks
from spn.core.classes import CAMVID_11, CITYSCAPES_19, IDD_7, LabelSpace
from spn.core.errors import UserError
from spn.data.mapping import shipped
from spn.evaluation.counts import EvaluationOptions, confusion_counts
from spn.evaluation.evaluator import evaluate, evenly_spaced, read_batches
from spn.evaluation.results import DomainResult
from spn.inference.model import Model
from spn.inference.tta import TestTimeAugmentation, protocol
from spn.inference.weights import choose_device


def labels(count: int, *, height: int = 24, width: int = 32, seed: int = 0) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    return [random_blocks(generator, height=height, width=width) for _ in range(count)]


def run(
    dataset: MemoryDataset, *, network: ColourNetwork | None = None, batch: int = 8, **settings: Any
) -> DomainResult:
    model = Model(network or ColourNetwork(), **settings)
    return evaluate(model, dataset, options=EvaluationOptions(batch=batch))


def test_a_perfect_network_scores_one() -> None:
    result = run(MemoryDataset(labels(5)))
    assert result.miou == 1
    assert result.images == 5
    assert result.confusion.sum() == 5 * 24 * 32
    assert result.protocol_name == "whole-native"


def test_void_is_not_counted_and_absent_classes_are_left_out() -> None:
    truth = labels(8)
    masked = [label.copy() for label in truth]
    for label in masked:
        label[label == 3] = 255
    result = run(MemoryDataset(masked, painted_from=truth))
    assert "wall" not in result.classes_evaluated
    assert len(result.classes_evaluated) == 18
    assert result.miou == 1
    assert result.miou_all_classes == pytest.approx(18 / 19)
    assert result.confusion.sum() == sum(int((label != 255).sum()) for label in masked)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_batches_and_mixed_sizes_change_nothing(batch: int) -> None:
    mixed = [*labels(3), *labels(2, height=17, width=40), *labels(2)]
    noisy = [label.copy() for label in mixed]
    for label in noisy:
        label[::3] = 0
    network = ColourNetwork()
    result = run(MemoryDataset(mixed, painted_from=noisy), batch=batch, network=network)
    expected = sum(confusion_counts(a, b, classes=19) for a, b in zip(mixed, noisy, strict=True))
    np.testing.assert_array_equal(result.confusion, expected)
    assert max(size[0] for size in network.sizes) == min(batch, 3)


def test_scores_are_resized_to_the_label_never_the_label() -> None:
    """An image of half the label's size: every labelled pixel counts."""
    dataset = MemoryDataset(labels(2, height=32, width=48))
    dataset.images = [image[::2, ::2] for image in dataset.images]
    result = run(dataset)
    assert result.confusion.sum() == 2 * 32 * 48
    assert result.miou > 0.7


@pytest.mark.parametrize("space", [CAMVID_11, IDD_7], ids=lambda space: space.key)
def test_groups_are_scored_on_summed_probabilities(space: LabelSpace) -> None:
    fine = labels(3)
    table = np.full(256, 255, np.uint8)
    (mapping,) = (one for one in shipped() if one.coarse == space.key)
    for index, group in enumerate(mapping.groups(CITYSCAPES_19, space)):
        table[list(group)] = index
    result = run(MemoryDataset([table[f] for f in fine], painted_from=fine, label_space=space))
    assert result.class_names == space.names
    assert result.miou == 1


def test_draws_do_not_depend_on_the_batch() -> None:
    truth = labels(3)

    def measured(batch: int, seed: int) -> NDArray[np.int64]:
        network = ColourNetwork(sharpness=1.0, noise=1.0)
        return run(
            MemoryDataset(truth),
            tta=TestTimeAugmentation(num_samples=2),
            batch=batch,
            seed=seed,
            network=network,
        ).confusion

    np.testing.assert_array_equal(measured(1, 0), measured(8, 0))
    assert not np.array_equal(measured(1, 0), measured(1, 1))


@pytest.mark.parametrize(
    "tta", [TestTimeAugmentation(), TestTimeAugmentation(num_samples=2), TestTimeAugmentation(flip=True)]
)
def test_samples_are_written_and_listed(tmp_path: Path, tta: TestTimeAugmentation) -> None:
    dataset = MemoryDataset(labels(9))
    options = EvaluationOptions(pictures=2)
    result = evaluate(Model(ColourNetwork(), tta=tta), dataset, folder=tmp_path, options=options)
    folder = tmp_path / "samples" / "memory_val_none"
    assert [(s.name, s.key, s.index) for s in result.samples] == [
        ("000002", "frame_2", 2),
        ("000006", "frame_6", 6),
    ]
    with (
        Image.open(folder / "000006_label.png") as label,
        Image.open(folder / "000006_prediction.png") as prediction,
    ):
        assert label.mode == prediction.mode == "P"
        np.testing.assert_array_equal(np.asarray(label), dataset.labels[6])
        np.testing.assert_array_equal(np.asarray(prediction), dataset.labels[6])
        np.testing.assert_array_equal(np.asarray(label.convert("RGB")), dataset.images[6])
    assert Image.open(folder / "000002_uncertainty.png").mode == "L"
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "000002_image.png")), dataset.images[2])


def test_predictions_are_label_ids_and_stale_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "predictions" / "memory_val_none"
    folder.mkdir(parents=True)
    (folder / "old_pred_labelIds.png").touch()
    dataset = MemoryDataset(labels(2))
    options = EvaluationOptions(0, predictions=True)
    result = evaluate(Model(ColourNetwork()), dataset, folder=tmp_path, options=options)
    assert result.predictions
    assert sorted(path.name for path in folder.iterdir()) == [
        "frame_0_pred_labelIds.png",
        "frame_1_pred_labelIds.png",
    ]
    ids = cv2.imread(str(folder / "frame_1_pred_labelIds.png"), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(ids)) <= {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}
    assert ((ids == 7) == (dataset.labels[1] == 0)).all()


def test_a_quick_look_takes_a_few_images_evenly_spaced() -> None:
    dataset = MemoryDataset(labels(9))
    assert evaluate(Model(ColourNetwork()), dataset, limit=2).images == 2
    assert dataset.reads == [2, 6]


def test_progress_is_reported() -> None:
    done: list[int] = []
    options = EvaluationOptions(batch=2)
    evaluate(Model(ColourNetwork()), MemoryDataset(labels(5)), options=options, on_images=done.append)
    assert done == [2, 2, 1]


def test_reading_ahead_is_bounded_and_in_order() -> None:
    dataset = MemoryDataset(labels(12))
    batches = read_batches(dataset, range(len(dataset)), batch=3)
    assert [index for index, _ in next(batches)] == [0, 1, 2]
    assert len(dataset.reads) <= 2 * 3
    assert [[index for index, _ in batch] for batch in batches] == [[3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_processes_share_the_blocks() -> None:
    dataset = MemoryDataset(labels(5))
    shares = [
        [
            [index for index, _ in batch]
            for batch in read_batches(dataset, range(len(dataset)), batch=2, rank=rank, ranks=2)
        ]
        for rank in range(2)
    ]
    assert shares == [[[0, 1], [4]], [[2, 3]]]


def test_batches_respect_the_pixel_budget() -> None:
    dataset = MemoryDataset(labels(6))
    sizes = [len(batch) for batch in read_batches(dataset, range(len(dataset)), batch=8, pixels=2 * 24 * 32)]
    assert sizes == [2, 2, 2]
    assert [len(batch) for batch in read_batches(dataset, range(len(dataset)), batch=8, pixels=5)] == [1] * 6


def test_large_images_are_evaluated_one_at_a_time_on_a_cpu() -> None:
    together: list[int] = []
    dataset = MemoryDataset([*labels(3, height=360, width=480), *labels(3)])
    evaluate(Model(ColourNetwork()), dataset, on_images=together.append)  # type: ignore[arg-type]
    assert together == [1, 1, 1, 3]


def test_a_file_that_cannot_be_read_stops_the_evaluation() -> None:
    class Broken(MemoryDataset):
        def __getitem__(self, index: int):  # type: ignore[no-untyped-def]
            if index == 2:
                raise OSError("unreadable")
            return super().__getitem__(index)

    with pytest.raises(OSError, match="unreadable"):
        run(Broken(labels(6)))


@pytest.mark.parametrize(
    ("length", "count", "indices"), [(9, 2, [2, 6]), (3, 4, [0, 1, 2]), (0, 4, []), (8, 0, [])]
)
def test_evenly_spaced(length: int, count: int, indices: list[int]) -> None:
    assert evenly_spaced(length, count) == indices


class Precise(ColourNetwork):
    """Remembers the type of its logits."""

    def forward(self, images: torch.Tensor, **options: Any) -> Any:
        output = super().forward(images, **options)
        self.type = output.logits.dtype
        return output


@pytest.mark.parametrize(("precision", "kind"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_the_network_s_and_named_by_the_protocol(
    precision: Literal["32", "bf16"], kind: torch.dtype
) -> None:
    network = Precise()
    result = run(MemoryDataset(labels(3)), network=network, precision=precision)
    assert network.type == kind
    assert result.protocol["precision"] == precision
    assert result.protocol_name == ("whole-native" if precision == "32" else "whole-native-bf16")
    assert result.miou > 0.8


def test_half_precision_on_a_cpu_is_refused() -> None:
    with pytest.raises(UserError, match="precision 16 needs a GPU"):
        choose_device("cpu", "16")


def test_protocol_names_tell_protocols_apart() -> None:
    every = [
        TestTimeAugmentation(),
        TestTimeAugmentation(input_height=512),
        TestTimeAugmentation(flip=True),
        TestTimeAugmentation(scales=(0.75, 1.0)),
        TestTimeAugmentation(window=(768, 768)),
        TestTimeAugmentation(window=(768, 768), overlap=0.25),
        TestTimeAugmentation(num_samples=8),
    ]
    for what in ("name", "description"):
        assert len({protocol(tta)[what] for tta in every}) == len(every)
    assert protocol(TestTimeAugmentation(scales=(1.0,))) == protocol(TestTimeAugmentation())
    assert list(protocol(TestTimeAugmentation())["tta"]["scales"]) == [1.0]
