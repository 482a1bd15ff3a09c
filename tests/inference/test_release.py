"""Released weights: half the size, the same labels, and seen at the height they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from models.small_network import SMALL
from spn.cli.main import dispatch
from spn.core.errors import UserError
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import find_weights, load, release, save_network
from spn.models.build import build_network
from spn.models.prompts.options import NoPrompt


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    network = build_network(SMALL)
    save_network(tmp_path / "run" / "model.safetensors", network, model_config=SMALL, info={"method": "spn"})
    return tmp_path / "run"


def test_a_release_is_half_the_size_and_keeps_the_weights_to_half_precision(
    run_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small.safetensors"
    assert dispatch(["release", str(run_folder), "--out", str(out)]) == 0
    with safe_open(out, framework="pt") as opened:
        kinds = {opened.get_tensor(name).dtype for name in opened.keys()}  # noqa: SIM118
    assert torch.float32 not in kinds
    assert torch.float16 in kinds
    whole, half = load(run_folder, fold=False), load(out, fold=False)
    assert half.info == {"method": "spn"}
    for name, tensor in whole.network.state_dict().items():
        other = half.network.state_dict()[name]
        assert other.dtype == tensor.dtype
        torch.testing.assert_close(other, tensor, rtol=1e-3, atol=1e-6)


def test_of_several_runs_the_weights_are_averaged(run_folder: Path, tmp_path: Path) -> None:
    networks = [load(run_folder, fold=False).network, build_network(SMALL)]
    for index, network in enumerate(networks):
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(index + 1)
        save_network(tmp_path / f"{index}.safetensors", network, model_config=SMALL, info={"seed": index})
    out = tmp_path / "mean.safetensors"
    runs = [str(tmp_path / f"{index}.safetensors") for index in range(2)]
    assert dispatch(["release", *runs, "--out", str(out)]) == 0
    mean = load(out, fold=False)
    assert mean.info == {"seed": 0, "averaged": 2}
    first, second = (network.state_dict() for network in networks)
    for name, tensor in mean.network.state_dict().items():
        wanted = (first[name] + second[name]) / 2 if tensor.is_floating_point() else first[name]
        torch.testing.assert_close(tensor, wanted, rtol=1e-3, atol=1e-3)


def test_runs_of_different_networks_are_not_averaged(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(SMALL, prompt=NoPrompt())
    other = tmp_path / "other.safetensors"
    save_network(other, build_network(config), model_config=config, info={})
    out = tmp_path / "mean.safetensors"
    assert dispatch(["release", str(run_folder), str(other), "--out", str(out)]) == 1
    assert "another network" in capsys.readouterr().err
    assert not out.exists()
    assert dispatch(["release", "--out", str(out)]) != 0


def test_the_height_of_a_release_is_used_unless_another_is_asked_for(
    run_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small.safetensors"
    assert dispatch(["release", str(run_folder), "--out", str(out), "--input-height", "64"]) == 0
    assert load(out).tta.input_height == 64
    assert load(out, tta=TestTimeAugmentation(input_height=96)).tta.input_height == 96
    scene = load(out).predict(np.zeros((90, 130, 3), np.uint8))
    assert scene.labels.shape == (90, 130)


def test_the_scales_of_a_release_are_used_at_its_height_alone(run_folder: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "small.safetensors", tmp_path / "again.safetensors"
    scales = ["--scales", "0.75", "1", "1.5"]
    assert dispatch(["release", str(run_folder), "--out", str(out), "--input-height", "64", *scales]) == 0
    released = load(out)
    assert released.tta == TestTimeAugmentation(input_height=64, scales=(0.75, 1.0, 1.5))
    asked = TestTimeAugmentation(input_height=64, scales=(0.75, 1.0, 1.5))
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    by_name = load(out, tta=asked).predict(image)
    np.testing.assert_array_equal(released.predict(image).confidence, by_name.confidence)
    assert load(out, tta=TestTimeAugmentation(input_height=64)).tta == released.tta
    assert load(out, tta=TestTimeAugmentation(scales=(1.0,))).tta.sizes == (1.0,)
    assert load(out, tta=TestTimeAugmentation(input_height=96)).tta.sizes == (1.0,)
    assert dispatch(["release", str(out), "--out", str(again), "--input-height", "64"]) == 0
    assert load(again).tta.sizes == (1.0,)


def test_flip_and_own_statistics_of_a_release_go_with_its_scales(run_folder: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "small.safetensors", tmp_path / "again.safetensors"
    views = ["--input-height", "64", "--scales", "0.75", "1"]
    more = ["--flip", "--own-statistics", "0.2"]
    assert dispatch(["release", str(run_folder), "--out", str(out), *views, *more]) == 0
    plain = TestTimeAugmentation(input_height=64, scales=(0.75, 1.0))
    assert load(out).tta == replace(plain, flip=True, own_statistics=0.2)
    assert load(out, tta=TestTimeAugmentation(scales=(0.75, 1.0))).tta == plain
    assert load(out, tta=TestTimeAugmentation(input_height=96)).tta == TestTimeAugmentation(input_height=96)
    assert dispatch(["release", str(out), "--out", str(again), *views]) == 0
    assert load(again).tta == plain


def test_a_release_names_which_flip_it_wants(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    views = ["--input-height", "64", "--scales", "0.75", "1", "--alternate-flip"]
    assert dispatch(["release", str(run_folder), "--out", str(out), *views]) == 0
    asked = TestTimeAugmentation(input_height=64, scales=(0.75, 1.0), alternate_flip=True)
    assert load(out).tta == asked
    both = load(out, tta=TestTimeAugmentation(flip=True)).tta
    assert both == replace(asked, flip=True, alternate_flip=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "x.pth"],
        ["--out", "x.safetensors", "--input-height", "4"],
        ["--out", "x.safetensors", "--scales", "0.5", "1"],
        ["--out", "x.safetensors", "--flip"],
        ["--out", "x.safetensors", "--own-statistics", "0.2"],
        ["--out", "x.safetensors", "--input-height", "64", "--scales", "0", "1"],
    ],
)
def test_a_release_that_cannot_be_used_is_refused(
    run_folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["release", str(run_folder), *arguments]) != 0
    assert "wanted" in capsys.readouterr().err


def test_a_release_replaces_only_a_release(run_folder: Path, tmp_path: Path) -> None:
    tta = TestTimeAugmentation(input_height=64)
    run = (run_folder / "model.safetensors").read_bytes()
    for _ in range(2):
        release([run_folder], tmp_path / "out.safetensors", tta=tta)
    for other in (run_folder / "model.safetensors", tmp_path / "notes.safetensors"):
        other.touch()
        with pytest.raises(UserError):
            release([run_folder], other, tta=tta)
    assert (run_folder / "model.safetensors").read_bytes() == run


def test_files_that_name_their_augmentation_among_the_info_are_read(tmp_path: Path) -> None:
    info = {"method": "spn", "input_height": 64, "scales": "0.75 1", "flip": "true", "own_statistics": 0.2}
    old = tmp_path / "old.safetensors"
    save_network(old, build_network(SMALL), model_config=SMALL, info=info)
    with safe_open(old, framework="pt") as opened:
        metadata = {name: text for name, text in opened.metadata().items() if name != "tta"}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    save_file(tensors, old, metadata=metadata)
    loaded = load(old, fold=False)
    assert loaded.info == {"method": "spn"}
    assert loaded.tta == TestTimeAugmentation(64, (0.75, 1.0), flip=True, own_statistics=0.2)
    again = tmp_path / "again.safetensors"
    release([old], again, tta=replace(loaded.tta, window=(32, 32)))
    assert load(again, fold=False).tta == replace(loaded.tta, window=(32, 32))
    assert load(again, fold=False).info == {"method": "spn"}


def test_the_shipped_weights_load_and_are_small() -> None:
    path = find_weights()
    assert path.stat().st_size <= 16 << 20
    loaded = load(path, fold=False)
    assert {"method", "seed", "step"} <= set(loaded.info)
    assert not {"input_height", "scales", "flip"} & set(loaded.info)  # where files had them at first
    assert loaded.tta is not None
    assert loaded.tta.input_height is not None
    assert loaded.model_config.num_classes == 19


def test_a_release_sees_what_its_run_was_trained_to_see(tmp_path: Path) -> None:
    run, out, again = tmp_path / "run", tmp_path / "out.safetensors", tmp_path / "again.safetensors"
    tta = TestTimeAugmentation(input_height=96, flip=True)
    save_network(run / "model.safetensors", build_network(SMALL), model_config=SMALL, info={}, tta=tta)
    with safe_open(run / "model.safetensors", "pt") as opened:
        assert opened.get_tensor("decoder.classifier.weight").dtype == torch.float32
    assert load(run).tta == tta
    release([run], out)
    with safe_open(out, "pt") as opened:
        assert opened.get_tensor("decoder.classifier.weight").dtype == torch.float16
    assert load(out).tta == tta
    release([run], again, tta=TestTimeAugmentation(input_height=64))
    assert load(again).tta == TestTimeAugmentation(input_height=64)
    with pytest.raises(UserError, match="no earlier release"):
        release([again], run / "model.safetensors")


SHARES = """power = 0.5
[trained]
{trained}
[used]
{used}
"""


def _shares(folder: Path, names: tuple[str, ...], **used: float) -> Path:
    file = folder / "shares.toml"
    tables = {"trained": dict.fromkeys(names, 1.0), "used": {**dict.fromkeys(names, 1.0), **used}}
    texts = {
        key: "\n".join(f'"{name}" = {share}' for name, share in table.items())
        for key, table in tables.items()
    }
    file.write_text(SHARES.format(**texts))
    return file


def test_class_shares_move_the_logits_by_the_prior(run_folder: Path, tmp_path: Path) -> None:
    before = load(run_folder, fold=False)
    names = before.classes
    file = _shares(tmp_path, names, **{names[0]: 3.0, names[1]: 0.0})
    out = tmp_path / "moved.safetensors"
    assert dispatch(["release", str(run_folder), "--out", str(out), "--class-shares", str(file)]) == 0
    after = load(out, fold=False)
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        moved = (after.network(image).logits - before.network(image).logits).mean((0, 2, 3))
    total = len(names) + 1  # 3 instead of 1, and 0 instead of 1
    wanted = torch.full((len(names),), 0.5 * float(np.log(len(names) / total)))
    wanted[0] += 0.5 * float(np.log(3))
    wanted[1] = 0.5 * float(np.log(1e-4 * len(names)))
    torch.testing.assert_close(moved, wanted, rtol=0.02, atol=0.02)
    assert after.info["class_shares"]["power"] == 0.5


def test_a_release_keeps_the_prior_of_an_image_with_any_views(run_folder: Path, tmp_path: Path) -> None:
    names = load(run_folder, fold=False).classes
    file, out, again = _shares(tmp_path, names), tmp_path / "out.safetensors", tmp_path / "again.safetensors"
    usual = "\n".join(f'"{name}" = {number + 1}' for number, name in enumerate(names))
    file.write_text(f"image_prior = 0.3\n{file.read_text()}\n[usual]\n{usual}\n")
    made = ["release", str(run_folder), "--out", str(out), "--class-shares", str(file)]
    assert dispatch(made) == 0
    assert dispatch(["release", str(out), "--out", str(again), "--input-height", "64"]) == 0
    total = sum(range(1, len(names) + 1))
    for weights, height in ((out, load(run_folder).tta.input_height), (again, 64)):
        tta = load(weights).tta
        assert (tta.input_height, tta.image_prior) == (height, 0.3)
        np.testing.assert_allclose(tta.usual_shares, [(n + 1) / total for n in range(len(names))])


def test_a_release_that_could_not_be_loaded_is_refused(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    asked = ["--input-height", "64", "--image-prior", "0.3"]
    assert dispatch(["release", str(run_folder), "--out", str(out), *asked]) != 0
    assert "it needs the usual shares" in capsys.readouterr().err
    assert not out.exists()


FILLED = {"zeros": "0.0", "endless": "inf", "ones": "1.0"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("power = 2\n[trained]\nroad = 1\n[used]\nroad = 1", "<= 1"),
        ("[trained]\nroad = -1\n[used]\nroad = 1", ">= 0"),
        ("[trained]\nroad = 1", "used"),
        ("[trained", "cannot be used as class shares"),
        ("[trained]\n{zeros}\n[used]\n{zeros}", "adds up to 0"),
        ("[trained]\n{endless}\n[used]\n{endless}", "adds up to inf"),
        ("[trained]\nroad = 1\n[used]\nroad = 1", "lacks sidewalk"),
        ("[trained]\nroad = 1\nmoon = 1\n[used]\nroad = 1", "names moon"),
        ("image_prior = 0.3\n[trained]\n{ones}\n[used]\n{ones}", "[usual] of the class shares lacks road"),
        ("image_prior = 1.5\n[trained]\n{ones}\n[used]\n{ones}", "<= 1"),
    ],
)
def test_class_shares_that_cannot_be_used_leave_nothing(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    file = tmp_path / "shares.toml"
    names = load(run_folder, fold=False).classes
    tables = {key: "\n".join(f'"{name}" = {share}' for name in names) for key, share in FILLED.items()}
    file.write_text(text.format(**tables))
    for out in (tmp_path / "out.safetensors", tmp_path / "folder"):
        assert dispatch(["release", str(run_folder), "--out", str(out), "--class-shares", str(file)]) != 0
        assert problem in capsys.readouterr().err
        assert not out.exists()
