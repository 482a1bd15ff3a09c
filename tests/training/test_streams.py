"""Unlabelled streams: what item p is, and that a training with them is as repeatable as one without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from spn.core.errors import UserError
from spn.training.config import TrainConfig
from spn.training.data import StreamImages
from spn.training.session import Ingredients, run_training
from spn.transforms.config import AugmentationConfig
from training.fakes import FakeNetwork, StopError, Styled, fake_config, fake_ingredients, write_image

CROP = AugmentationConfig(crop_height=16, crop_width=16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images of several sizes, some of them smaller than the crop, at several depths."""
    for number, size in enumerate([(40, 60), (8, 30), (17, 16), (5, 5)]):
        write_image(
            tmp_path / "styles" / ("deep/er" if number % 2 else "") / f"{number}.PNG", size, seed=number
        )
    (tmp_path / "styles" / "notes.txt").write_text("no image")
    return tmp_path / "styles"


def stream(folder: Path, *, name: str = "style", seed: int = 0) -> StreamImages:
    return StreamImages(name, folder, CROP, seed=seed)


def crops(images: StreamImages, count: int = 12) -> NDArray[np.uint8]:
    return np.stack([images.crop(position, size=(16, 16)) for position in range(count)])


def test_item_p_follows_from_seed_name_and_position_alone(folder: Path) -> None:
    images = stream(folder)
    first = crops(images)
    assert np.array_equal(first[7], stream(folder).crop(7, size=(16, 16)))
    assert len({crop.tobytes() for crop in first}) > 6
    assert not np.array_equal(first, crops(stream(folder, seed=1)))
    assert not np.array_equal(first, crops(stream(folder, name="other")))


def test_large_images_keep_their_pixels_and_small_ones_cover_the_crop(tmp_path: Path) -> None:
    write_image(tmp_path / "large" / "a.png", (40, 60), seed=0)
    image = cv2.cvtColor(cv2.imread(str(tmp_path / "large" / "a.png")), cv2.COLOR_BGR2RGB)
    windows = np.lib.stride_tricks.sliding_window_view(image, (16, 16), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    for crop in crops(stream(tmp_path / "large"), 4):
        plain, mirrored = ((windows == view).all(axis=(2, 3, 4)).any() for view in (crop, crop[:, ::-1]))
        assert plain or mirrored
    cv2.imwrite(str(tmp_path / "large" / "a.png"), np.full((4, 9, 3), 77, np.uint8))
    assert (crops(stream(tmp_path / "large"), 3) == 77).all()


def test_a_coarse_crop_is_the_same_view_at_half_the_size(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    (tmp_path / "ramp").mkdir()
    cv2.imwrite(str(tmp_path / "ramp" / "a.png"), ramp)
    for position in range(4):
        fine, coarse = (
            stream(tmp_path / "ramp").crop(position, size=size).astype(int) for size in ((16, 16), (8, 8))
        )
        assert np.abs(coarse - fine.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3))).max() <= 1


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are none; wanted a folder with"):
        stream(tmp_path)


def gather(method: Styled) -> Callable[[TrainConfig], Ingredients]:
    return lambda config: fake_ingredients(config, method=method)


def weights(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(config.out / "model.safetensors")


def test_a_training_with_streams_and_teachers_resumes_bit_for_bit(tmp_path: Path, folder: Path) -> None:
    whole, broken = (fake_config(tmp_path / name) for name in ("whole", "broken"))
    method = Styled(folder)
    run_training(whole, gather=gather(method))
    with pytest.raises(StopError):
        run_training(broken, gather=gather(Styled(folder, stop=3)))
    assert run_training(broken, gather=gather(Styled(folder))).resumed_at == 2
    helped = fake_config(tmp_path / "helped", runtime=replace(whole.runtime, workers=2))
    run_training(helped, gather=gather(Styled(folder)))
    for other in (broken, helped):
        assert all(torch.equal(tensor, weights(other)[name]) for name, tensor in weights(whole).items())
    assert [batch.streams["style"].shape for batch in method.seen] == [(4, 3, 16, 16)] * 6
    assert [batch.progress for batch in method.seen] == [step / 6 for step in range(6)]
    assert all(
        0 <= batch.streams["style"].min() <= batch.streams["style"].max() <= 1 for batch in method.seen
    )


def test_a_teacher_is_neither_trained_nor_saved(tmp_path: Path, folder: Path) -> None:
    config = fake_config(tmp_path / "run")
    method = Styled(folder)
    run_training(config, gather=gather(method))
    teacher = next(iter(method.teacher.children()))
    assert all(
        torch.equal(value, FakeNetwork().state_dict()[name]) for name, value in teacher.state_dict().items()
    )
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert weights(config).keys() == FakeNetwork().state_dict().keys()
    state = torch.load(config.out / "checkpoints" / "step_000006" / "state.pt", weights_only=True)
    trained = sum(len(group["params"]) for group in state["optimizer"]["param_groups"])
    assert trained == len(list(FakeNetwork().parameters()))


def test_other_images_in_the_stream_are_noticed(tmp_path: Path, folder: Path) -> None:
    config = fake_config(tmp_path / "run")
    with pytest.raises(StopError):
        run_training(config, gather=gather(Styled(folder, stop=3)))
    write_image(folder / "new.png", (20, 20), seed=9)
    with pytest.raises(UserError, match="training data changed"):
        run_training(config, gather=gather(Styled(folder)))


def test_a_damaged_image_is_one_clear_sentence(tmp_path: Path, folder: Path) -> None:
    for path in folder.rglob("*.PNG"):
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"step 1 needs a file that cannot be used: .*\.PNG is truncated"):
        run_training(fake_config(tmp_path / "run"), gather=gather(Styled(folder)))
