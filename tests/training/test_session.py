"""Whole trainings on fakes: resuming, refusing, choosing, failing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from tensorboard.compat.proto.event_pb2 import Event
from torch import nn

from spn.core.errors import CheckpointError, UserError
from spn.core.files import file_sha256, sole_process
from spn.core.records import to_plain
from spn.core.run_log import read_log
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import read_info
from spn.methods.base import Loss
from spn.methods.options import BaselineOptions, SPNOptions
from spn.models.config import ModelConfig
from spn.training.config import OptimisationConfig, RuntimeConfig, ScheduleConfig, TrainConfig, resolved
from spn.training.run_folder import Checkpoints, check_folder
from spn.training.session import Ingredients, run_training
from training.fakes import FakeMethod, FakeNetwork, FakeSource, StopError, fake_config, fake_ingredients


def _stopping_after(steps: int) -> Callable[[TrainConfig], Ingredients]:
    class StoppingMethod(FakeMethod):
        def training_loss(self, network, batch, *, generator):  # type: ignore[no-untyped-def]
            if self.calls == steps:
                raise StopError
            return super().training_loss(network, batch, generator=generator)

    return lambda config: fake_ingredients(config, method=StoppingMethod())


def _weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "model.safetensors")


def _assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_resumed_training_ends_with_the_same_weights_bit_for_bit(
    tmp_path: Path, optimiser: str, stop: int
) -> None:
    optimisation = OptimisationConfig(
        optimiser=optimiser, batch_size=4, learning_rate=0.05, clip_norm=1.0, ema_decay=0.9  # type: ignore[arg-type]
    )  # fmt: skip
    whole = fake_config(tmp_path / "whole", optimisation=optimisation)
    run_training(whole, gather=fake_ingredients)
    broken = fake_config(tmp_path / "broken", optimisation=optimisation)
    with pytest.raises(StopError):
        run_training(broken, gather=_stopping_after(stop))
    torch.manual_seed(12345)  # the state of the process does not matter
    result = run_training(broken, gather=fake_ingredients)
    assert result.resumed_at == stop - stop % 2
    _assert_equal(_weights(whole.out), _weights(broken.out))
    steps = [event["step"] for event in read_log(broken.out) if event["event"] == "train"]
    assert steps == [2, 4, 6]


def test_a_training_stopped_while_it_was_coarse_resumes_bit_for_bit(tmp_path: Path) -> None:
    schedule = ScheduleConfig(steps=6, coarse_steps=4, checkpoint_every=2)
    whole = fake_config(tmp_path / "whole", schedule=schedule)
    run_training(whole, gather=fake_ingredients)
    stopped = fake_config(tmp_path / "stopped", schedule=schedule)
    with pytest.raises(StopError):
        run_training(stopped, gather=_stopping_after(3))
    run_training(stopped, gather=fake_ingredients)
    _assert_equal(_weights(whole.out), _weights(stopped.out))
    fine = fake_config(tmp_path / "fine", schedule=replace(schedule, coarse_steps=0))
    run_training(fine, gather=fake_ingredients)
    assert not torch.equal(_weights(whole.out)["head.weight"], _weights(fine.out)["head.weight"])


def test_training_a_part_leaves_the_rest_as_it_was_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    optimisation = OptimisationConfig(
        batch_size=4, learning_rate=0.05, weight_decay=0.1, ema_decay=0.9, only=("head",)
    )
    whole = fake_config(tmp_path / "whole", optimisation=optimisation)
    run_training(whole, gather=fake_ingredients)
    before, after = FakeNetwork().state_dict(), _weights(whole.out)
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == {"head.weight", "head.bias"}

    broken = fake_config(tmp_path / "broken", optimisation=optimisation)
    with pytest.raises(StopError):
        run_training(broken, gather=_stopping_after(3))
    run_training(broken, gather=fake_ingredients)
    _assert_equal(after, _weights(broken.out))


def test_a_part_that_the_network_has_not_is_refused(tmp_path: Path) -> None:
    for part in ("hea", "decoder"):
        config = fake_config(tmp_path / part, optimisation=OptimisationConfig(only=("head", part)))
        with pytest.raises(UserError, match=f"'{part}', which the network has not.* encoder, head, norm"):
            run_training(config, gather=fake_ingredients)


def test_more_coarse_steps_than_steps_are_refused(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run", schedule=ScheduleConfig(steps=6, coarse_steps=7))
    with pytest.raises(UserError, match=r"coarse-steps is 7; wanted 0 to schedule.steps \(6\)"):
        run_training(config, gather=fake_ingredients)


def test_an_image_prior_without_usual_shares_is_refused_before_the_training(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run", tta=TestTimeAugmentation(image_prior=0.3))
    with pytest.raises(UserError, match=r"image prior is 0\.3, but trainings have none"):
        run_training(config, gather=fake_ingredients)


def test_the_number_of_workers_does_not_change_the_weights(tmp_path: Path) -> None:
    alone = fake_config(tmp_path / "alone", steps=3)
    helped = fake_config(tmp_path / "helped", steps=3, runtime=replace(alone.runtime, workers=2))
    for config in (alone, helped):
        run_training(config, gather=fake_ingredients)
    _assert_equal(_weights(alone.out), _weights(helped.out))


def test_accumulation_takes_the_same_crops_and_gives_the_same_steps(tmp_path: Path) -> None:
    """Without batch norm and noise, four crops at once or one by one differ by rounding only."""

    def gather(config: TrainConfig) -> Ingredients:
        return fake_ingredients(config, network=FakeNetwork(norm=False), method=FakeMethod(noise=0.0))

    together = fake_config(tmp_path / "together")
    apart = fake_config(tmp_path / "apart", runtime=replace(together.runtime, device_batch=1))
    for config in (together, apart):
        run_training(config, gather=gather)
    expected = _weights(together.out)
    for name, tensor in _weights(apart.out).items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=2e-3)


def test_seeds_and_views_differ(tmp_path: Path) -> None:
    first = fake_config(tmp_path / "a", steps=2)
    second = fake_config(tmp_path / "b", steps=2, seed=1)
    third = fake_config(tmp_path / "c", steps=2)
    for config, views in ((first, 2), (second, 2), (third, 1)):
        method = FakeMethod(views=views)
        run_training(config, gather=lambda c, method=method: fake_ingredients(c, method=method))  # type: ignore[misc]
    assert not torch.equal(_weights(first.out)["head.weight"], _weights(second.out)["head.weight"])
    assert not torch.equal(_weights(first.out)["head.weight"], _weights(third.out)["head.weight"])


def test_bf16_and_channels_last_train_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only there depthwise convolutions get other code for their gradients."""
    replaced: list[nn.Module] = []
    monkeypatch.setattr("spn.training.run.replace_depthwise", replaced.append)
    run_training(fake_config(tmp_path / "32"), gather=fake_ingredients)
    assert not replaced
    runtime = replace(fake_config(tmp_path).runtime, precision="bf16", channels_last=True)
    run_training(fake_config(tmp_path / "run", runtime=runtime), gather=fake_ingredients)
    assert len(replaced) == 1
    assert all(tensor.dtype != torch.bfloat16 for tensor in _weights(tmp_path / "run").values())


def test_a_compiled_training_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[nn.Module] = []
    compile_module = torch.compile

    def compile_eagerly(network: nn.Module, **_: object) -> object:  # Fabric does it again, around DDP
        compiled.append(network)
        return compile_module(network, backend="eager")

    monkeypatch.setattr(torch, "compile", compile_eagerly)
    plain, fast = fake_config(tmp_path / "plain"), fake_config(tmp_path / "fast")
    run_training(plain, gather=fake_ingredients)
    assert not compiled
    run_training(replace(fast, runtime=replace(fast.runtime, compile=True)), gather=fake_ingredients)
    assert compiled
    _assert_equal(_weights(plain.out), _weights(fast.out))


def test_the_split_hashes_of_the_data_are_recorded(tmp_path: Path) -> None:
    hashes = {"gtav:train": "ab", "synthia:all": None}
    config = fake_config(tmp_path / "run")
    run_training(config, gather=lambda c: replace(fake_ingredients(c), split_hashes=hashes))
    assert json.loads((config.out / "provenance.json").read_text())["split_hashes"] == hashes


def test_a_run_leaves_what_is_promised(tmp_path: Path) -> None:
    config = fake_config(
        tmp_path / "run", runtime=RuntimeConfig(accelerator="cpu", workers=0, progress=False)
    )
    result = run_training(config, gather=lambda c: fake_ingredients(c, scores=[0.1, 0.3]))
    assert result.score == 0.3
    assert sorted(path.name for path in config.out.iterdir()) == [
        ".lock", "checkpoints", "config.json", "log.jsonl", "model.safetensors", "provenance.json",
        "tensorboard",
    ]  # fmt: skip
    assert sorted(path.name for path in (config.out / "checkpoints").iterdir()) == [
        "step_000004",
        "step_000006",
    ]
    stored = json.loads((config.out / "config.json").read_text())
    assert stored["optimisation"]["learning_rate"] == 0.05
    events = read_log(config.out)
    assert [event["miou"] for event in events if event["event"] == "validate"] == [0.1, 0.3]
    assert {"loss", "cross_entropy", "learning_rate", "images_per_second"} <= set(events[-2])
    with safe_open(result.weights, framework="pt") as file:
        info = json.loads(file.metadata()["info"])
    assert info["method"] == "spn"
    assert info["step"] == 6


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run")
    run_training(config, gather=fake_ingredients)
    before = (config.out / "model.safetensors").stat().st_mtime_ns
    result = run_training(config, gather=fake_ingredients)
    assert result.resumed_at == 6
    assert (config.out / "model.safetensors").stat().st_mtime_ns == before


def test_other_settings_in_the_same_folder_are_refused_with_the_differences(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run", steps=2)
    run_training(config, gather=fake_ingredients)
    other = replace(config, seed=3, schedule=replace(config.schedule, steps=4))
    with pytest.raises(UserError, match=r"schedule\.steps: 2 -> 4\n  seed: 0 -> 3"):
        run_training(other, gather=fake_ingredients)
    machine = replace(config, runtime=replace(config.runtime, workers=1, log_every=7))
    run_training(machine, gather=fake_ingredients)


def test_a_run_from_before_a_field_existed_or_a_value_was_renamed_is_continued(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run")
    config = replace(config, runtime=replace(config.runtime, precision="bf16"))
    with pytest.raises(StopError):
        run_training(config, gather=_stopping_after(3))
    stored = json.loads((config.out / "config.json").read_text())
    del stored["runtime"]["compile"]
    stored["runtime"]["precision"] = "bf16-mixed"
    (config.out / "config.json").write_text(json.dumps(stored))
    assert run_training(config, gather=fake_ingredients).resumed_at == 2


def test_a_run_of_version_1_is_continued(tmp_path: Path) -> None:
    """Its configuration is the one asked for, in the words of then; that of today is what is trained."""
    config = fake_config(tmp_path / "run", method=BaselineOptions())
    config = replace(config, runtime=replace(config.runtime, precision="32"))
    with pytest.raises(StopError):
        run_training(config, gather=_stopping_after(3))
    stored = json.loads((config.out / "config.json").read_text())
    stored["method"] = {"name": "baseline", "views": 2, "whitening_start": 4000, **stored.pop("loss")}
    stored["model"] = {
        "encoder": {"name": "resnet50", "family": "convolutional", "style_removal": True},
        "scales": [1.0, 0.5],
        "block_prompt": {"kind": "none"},
        "prompt": {"kind": "hybrid", "width": 128},
    }
    stored["initial"] = stored.pop("init_from")
    stored["optimisation"]["encoder_rate"] = stored["optimisation"].pop("backbone_lr_factor")
    stored["runtime"]["recompute"] = stored["runtime"].pop("activation_checkpointing")
    stored["runtime"]["precision"] = "32-true"
    (config.out / "config.json").write_text(json.dumps(stored))
    assert run_training(config, gather=fake_ingredients).resumed_at == 2
    other = replace(config, model=replace(config.model, scales=(1.0, 0.25)), method=SPNOptions())
    with pytest.raises(UserError, match=r"method\.kind: baseline -> spn"):
        run_training(other, gather=fake_ingredients)


def test_a_failed_start_does_not_occupy_the_folder(tmp_path: Path) -> None:
    def fail(config: TrainConfig) -> Ingredients:
        raise UserError("no such dataset")

    with pytest.raises(UserError, match="no such dataset"):
        run_training(fake_config(tmp_path / "run"), gather=fail)
    assert not (tmp_path / "run").exists()
    with pytest.raises(StopError):
        run_training(fake_config(tmp_path / "run", seed=1), gather=_stopping_after(1))
    run_training(fake_config(tmp_path / "run", seed=2), gather=fake_ingredients)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_a_folder_that_another_process_trains_into_is_left_alone(tmp_path: Path) -> None:
    config = fake_config(tmp_path)
    with (
        sole_process(config.out / ".lock", taken=""),
        pytest.raises(UserError, match="another process is training"),
    ):
        run_training(config, gather=fake_ingredients)
    assert not (config.out / "config.json").exists()
    run_training(config, gather=fake_ingredients)


@pytest.mark.parametrize("name", ["config.json", "log.jsonl", "provenance.json", "model.safetensors"])
def test_files_of_somebody_else_are_not_written_over(tmp_path: Path, name: str) -> None:
    config = fake_config(tmp_path)
    (tmp_path / name).write_text('{"mine": 1}\n')
    with pytest.raises(UserError, match=f"holds {name}, but .*choose another --out"):
        run_training(config, gather=fake_ingredients)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == '{"mine": 1}\n'


def test_ranks_of_another_job_in_the_environment_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.setenv(variable, "3")
    assert run_training(fake_config(tmp_path), gather=fake_ingredients).is_writer


def test_a_run_folder_may_have_any_name(tmp_path: Path) -> None:
    config = fake_config(tmp_path / os.fsdecode(b"stra\xdfe [red] | 100%"))
    config = replace(config, runtime=replace(config.runtime, tensorboard=True))
    with pytest.raises(StopError):
        run_training(config, gather=_stopping_after(3))
    assert run_training(config, gather=fake_ingredients).resumed_at == 2
    assert read_info(config.out)["step"] == config.schedule.steps
    events = [event for file in sorted(config.out.glob("tensorboard/events*")) for event in read_events(file)]
    steps = [event.step for event in events if event.HasField("summary")]
    assert steps
    assert max(steps) == config.schedule.steps


def read_events(path: Path) -> list[Event]:
    data, place, events = path.read_bytes(), 0, []
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        events.append(Event.FromString(data[place + 12 : place + 12 + length]))
        place += length + 16
    return events


def test_changed_data_is_noticed(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run")
    with pytest.raises(StopError):
        run_training(config, gather=_stopping_after(3))
    with pytest.raises(UserError, match="training data changed"):
        run_training(config, gather=lambda c: fake_ingredients(c, fingerprint="other"))


def test_resume_needs_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no checkpoint"):
        run_training(fake_config(tmp_path / "run"), gather=fake_ingredients, resume=True)
    assert not (tmp_path / "run").exists()


def test_the_best_weights_on_source_validation_can_be_kept(tmp_path: Path) -> None:
    schedule = ScheduleConfig(steps=6, validate_every=2, checkpoint_every=2, keep="best")
    config = fake_config(tmp_path / "run", schedule=schedule, validation=("fake=nowhere",))
    result = run_training(config, gather=lambda c: fake_ingredients(c, scores=[0.2, 0.9, 0.5]))
    assert result.step == 4
    assert result.score == 0.9
    _assert_equal(_weights(config.out), _weights(config.out / "checkpoints" / "step_000004"))
    assert [path.name for path in (config.out / "checkpoints").glob("best*")] == ["best_000004.safetensors"]


def test_the_average_is_what_is_saved(tmp_path: Path) -> None:
    optimisation = OptimisationConfig(batch_size=4, learning_rate=0.05, ema_decay=0.9)
    config = fake_config(tmp_path / "run", optimisation=optimisation)
    run_training(config, gather=fake_ingredients)
    last = _weights(config.out / "checkpoints" / "step_000006")
    assert not torch.equal(_weights(config.out)["head.weight"], last["head.weight"])


@pytest.mark.parametrize("log_every", [1, 50])
def test_a_nan_loss_names_its_step_and_files_and_spoils_no_checkpoint(tmp_path: Path, log_every: int) -> None:
    config = fake_config(tmp_path / "run")
    config = replace(config, runtime=replace(config.runtime, log_every=log_every))
    with pytest.raises(UserError, match=r"(?s)loss became nan at step 4;.*image_\d\.png") as caught:
        run_training(config, gather=lambda c: fake_ingredients(c, method=FakeMethod(fail_at=3)))
    assert str(caught.value).count("image_") == 4
    assert Checkpoints(config.out / "checkpoints", keep=2).steps() == [2]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_file_is_one_clear_sentence(tmp_path: Path, workers: int) -> None:
    config = fake_config(tmp_path / "run")
    config = replace(config, runtime=replace(config.runtime, workers=workers))
    message = r"^step \d needs a file that cannot be used: image_7\.png is truncated; restore it$"
    with pytest.raises(UserError, match=message):
        run_training(config, gather=lambda c: fake_ingredients(c, source=FakeSource(broken=7)))


def test_a_damaged_checkpoint_is_explained(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run")
    with pytest.raises(StopError):
        run_training(config, gather=_stopping_after(5))
    state = config.out / "checkpoints" / "step_000004" / "state.pt"
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="remove the folder step_000004"):
        run_training(config, gather=fake_ingredients)


def test_a_finished_run_without_its_checkpoints_is_not_trained_again(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run")
    run_training(config, gather=lambda c: fake_ingredients(c, scores=[0.3, 0.4]))
    before, log = file_sha256(config.out / "model.safetensors"), (config.out / "log.jsonl").read_text()
    shutil.rmtree(config.out / "checkpoints")
    result = run_training(config, gather=lambda c: fake_ingredients(c, scores=[0.3, 0.4]))
    assert (result.step, result.resumed_at, result.score) == (6, 6, 0.4)
    assert file_sha256(config.out / "model.safetensors") == before
    assert (config.out / "log.jsonl").read_text() == log


def test_weights_that_a_gradient_has_spoilt_are_not_kept(tmp_path: Path) -> None:
    class Cliff(torch.autograd.Function):
        """The identity, with an infinite slope."""

        @staticmethod
        def forward(context: object, values: torch.Tensor) -> torch.Tensor:
            return values.clone()

        @staticmethod
        def backward(context: object, slope: torch.Tensor) -> torch.Tensor:
            return slope * float("inf")

    class Steep(FakeMethod):
        def training_loss(self, *arguments: object, **options: object) -> Loss:
            loss = super().training_loss(*arguments, **options)  # type: ignore[arg-type]
            return Loss(Cliff.apply(loss.total), loss.terms) if self.calls == 4 else loss

    with pytest.raises(UserError, match="no longer finite after step 4: a gradient was not"):
        run_training(fake_config(tmp_path), gather=lambda c: fake_ingredients(c, method=Steep()))
    assert Checkpoints(tmp_path / "checkpoints", keep=2).steps() == [2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_damaged_configuration_is_a_sentence_with_its_name(tmp_path: Path, data: st.DataObject) -> None:
    config = resolved(fake_config(tmp_path / "run"))
    plain: dict[str, object] = to_plain(config)
    plain[data.draw(st.sampled_from(["method", "model", "schedule", "seed", "new"]))] = data.draw(
        st.sampled_from([None, [], {}, "x", -1, {"kind": []}, {"kind": "x"}, {"steps": "x"}, {"encoder": 3}])
    )
    path = config.out / "config.json"
    path.parent.mkdir(exist_ok=True)
    (config.out / "model.safetensors").touch()
    texts = st.sampled_from(["", "[]", "7", "null", "[" * 100_000, "\ufeff{}", '{"method": 3}'])
    path.write_text(data.draw(texts | st.just(json.dumps(plain))))
    with contextlib.suppress(UserError):  # a part that is empty has its defaults
        check_folder(config)
        return
    with pytest.raises(UserError, match=r"[Cc]hoose another --out") as refused:
        check_folder(config)
    assert str(path) in str(refused.value) or "holds a training with other settings" in str(refused.value)


def test_classes_are_those_of_the_data(tmp_path: Path) -> None:
    config = fake_config(tmp_path / "run", model=ModelConfig(num_classes=5))
    with pytest.raises(
        UserError, match=r"model.num_classes is 5; a training learns the classes of its data .*, which are 19"
    ):
        run_training(config, gather=fake_ingredients)


@pytest.mark.parametrize("line", ["{}", "[]", "no JSON", '{"event": "train"}'])
def test_a_foreign_log_stops_a_continued_training_with_its_name(tmp_path: Path, line: str) -> None:
    config = fake_config(tmp_path / "run")
    with pytest.raises(StopError):
        run_training(config, gather=_stopping_after(5))
    log = config.out / "log.jsonl"
    log.write_text(f"{line}\n{log.read_text()}")
    with pytest.raises(UserError, match=r"log.jsonl, line 1: .*move the file away"):
        run_training(config, gather=fake_ingredients)
    log.unlink()
    assert run_training(config, gather=fake_ingredients).resumed_at == 4
