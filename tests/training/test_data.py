"""The plan of positions, the loader, the move to the device."""

from __future__ import annotations

import errno
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from spn.core.errors import UserError
from spn.methods.base import Batch
from spn.sampling.class_uniform import ClassUniformSampler
from spn.training.data import BatchPlan, JoinedSource, PlannedItems, build_loader, move_batch
from spn.transforms.config import AugmentationConfig
from spn.transforms.pipeline import TrainTransform
from training.fakes import FakeSource


@pytest.fixture
def items() -> PlannedItems:
    source = FakeSource()
    return PlannedItems(
        source,
        sampler=ClassUniformSampler(None, images=len(source), fraction=0.0, seed=0),
        transform=TrainTransform(AugmentationConfig(crop_height=8, crop_width=12), views=2),
        seed=0,
    )


@pytest.mark.parametrize(("world_size", "device_batch"), [(1, 0), (2, 0), (4, 1), (1, 3), (2, 2)])
def test_any_number_of_devices_takes_the_same_positions(world_size: int, device_batch: int) -> None:
    plans = [
        BatchPlan(8, rank=rank, world_size=world_size, device_batch=device_batch)
        for rank in range(world_size)
    ]
    for step in (0, 3):
        taken = [position for plan in plans for part in plan.parts(step) for position in part]
        assert taken == list(range(8 * step, 8 * step + 8))
    for plan in plans:
        parts = list(plan.parts(0))
        assert len(parts) == plan.accumulation
        assert all(len(part) == plan.part_size <= (device_batch or 8) for part in parts)


def test_a_batch_that_cannot_be_split_is_refused() -> None:
    with pytest.raises(UserError, match="8 crops cannot be split evenly over 3 devices"):
        BatchPlan(8, rank=0, world_size=3, device_batch=0)


def _load(items: PlannedItems, *, start: int, workers: int) -> Sequence[Batch]:
    plan = BatchPlan(4, rank=0, world_size=1, device_batch=0)
    return list(build_loader(items, plan, start=start, stop=5, workers=workers, pin_memory=False))


def test_the_loader_starts_anywhere_with_any_number_of_workers(items: PlannedItems) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    whole = _load(items, start=0, workers=0)
    assert torch.equal(torch.get_rng_state(), state)
    late = _load(items, start=2, workers=2)
    assert len(whole) == 5
    assert len(late) == 3
    for expected, found in zip(whole[2:], late, strict=True):
        assert torch.equal(expected.images, found.images)
        assert torch.equal(expected.labels, found.labels)
    assert whole[0].images.shape == (4, 2, 8, 12, 3)


def test_no_shared_memory_and_no_temporary_folder_is_needed(
    items: PlannedItems, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tensors from another process would need both; where they are missing, torch waits for ever."""
    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 120)))
    assert len(_load(items, start=3, workers=1)) == len(_load(items, start=3, workers=0))


def test_no_processes_is_one_sentence(items: PlannedItems, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(multiprocessing, "Lock", full)
    with pytest.raises(UserError, match=r"No space left.*--runtime.workers 0"):
        _load(items, start=3, workers=1)
    assert _load(items, start=3, workers=0)


def test_moving_gives_floats_in_the_asked_memory_order(items: PlannedItems) -> None:
    part = _load(items, start=4, workers=0)[0]
    for channels_last in (True, False):
        batch = move_batch(part, device=torch.device("cpu"), channels_last=channels_last)
        assert batch.images.shape == (4, 2, 3, 8, 12)
        assert batch.labels.dtype == torch.int64
        np.testing.assert_allclose(
            batch.images[1, 1, 2].numpy(), part.images[1, 1, ..., 2].numpy() / 255, rtol=1e-6
        )
        joined = torch.cat([batch.images[:, 0], batch.images[:2, 1]])
        wanted = torch.channels_last if channels_last else torch.contiguous_format
        assert joined.is_contiguous(memory_format=wanted)


def test_joined_sources_count_on() -> None:
    joined = JoinedSource([FakeSource(size=3), FakeSource(size=4)])
    assert len(joined) == 7
    assert [joined[index].key for index in range(7)] == ["0", "1", "2", "0", "1", "2", "3"]


def test_the_first_positions_are_half_the_size_of_the_same_view() -> None:
    source = FakeSource()
    config = AugmentationConfig(crop_height=8, crop_width=12, scale_min=1, scale_max=1, flip=0)

    def items(coarse_until: int) -> PlannedItems:
        return PlannedItems(
            source,
            sampler=ClassUniformSampler(None, images=len(source), fraction=0.0, seed=0),
            transform=TrainTransform(config, views=2),
            seed=0,
            coarse=TrainTransform(config.halved(), views=2),
            coarse_until=coarse_until,
        )

    mixed, fine = _load(items(8), start=0, workers=0), _load(items(0), start=0, workers=0)
    assert [tuple(part.images.shape[2:4]) for part in mixed] == [(4, 6), (4, 6), (8, 12), (8, 12), (8, 12)]
    for expected, found in zip(fine[2:], mixed[2:], strict=True):
        assert torch.equal(expected.images, found.images)
    assert tuple(mixed[0].labels.shape) == (4, 4, 6)
