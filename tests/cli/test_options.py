"""Options of `spn train`: short help of what is used, and who has what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spn.cli.main import dispatch
from spn.methods.options import METHODS
from spn.training.presets import preset_names


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        dispatch(["train", *arguments])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("method", ["baseline", "spn", "isw", "shade"])
def test_help_is_short(preset: str, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    if preset.endswith("_l") and method in ("isw", "shade"):
        pytest.skip("these change the encoder, which is frozen")
    text = printed(capsys, "--preset", preset, "--method.kind", method, "--help")
    assert len(text.splitlines()) < 150
    assert max(map(len, text.splitlines())) <= 110


def test_help_shows_the_options_of_the_chosen_parts_alone(capsys: pytest.CaptureFixture[str]) -> None:
    spn = printed(capsys, "--preset", "tiny", "--help")
    isw = printed(capsys, "--preset", "tiny", "--method.kind", "isw", "--help")
    assert "--method.consistency-weight" in spn
    assert "--model.prompt.tokens" in spn
    assert "--method.start" not in spn
    assert "--method.start 0.1" in isw
    assert "--method.consistency-weight" not in isw
    assert "--model.prompt.tokens" not in isw
    for name in METHODS.names():
        assert name in spn


def test_the_rest_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    whole = printed(capsys, "--preset", "tiny", "--help-all")
    for option in (
        "augmentation.perturbation.jitter.hue",
        "model.decoder.skips.0.width",
        "runtime.log-every",
    ):
        assert f"--{option} " in whole
        assert f"--{option} " not in printed(capsys, "--preset", "tiny", "--help")


def test_help_needs_no_torch() -> None:
    program = (
        "import sys\nfrom spn.cli.main import dispatch\n"
        "try: dispatch(['train', '--preset', 'tiny', '--help'])\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--method.name", "isw"], 2, "--method.name is called --method.kind now"),
        (["--initial", "run"], 2, "--initial is called --init-from now"),
        (["--runtime.precision", "bf16-mixed"], 2, "bf16-mixed is called --runtime.precision bf16 now"),
        (["--runtime.precision=32-true"], 2, "32-true is called --runtime.precision 32 now"),
        (["--runtime.recompute"], 2, "is called --runtime.activation-checkpointing now"),
        (["--model.decoder.skip-widths", "4"], 2, "is called --model.decoder.skips now"),
        (["--method.start", "5"], 2, "method spn has no option --method.start; isw has it"),
        (["--model.prompt.kind", "semantic", "--model.prompt.groups", "2"], 2, "hybrid has it"),
        (["--schedule.stpes", "3"], 2, "did you mean --schedule.steps?"),
        (["--method.kind", "isv"], 1, "did you mean 'isw'?"),
        (["--method.kind", "baseline", "--model.prompt.kind", "hybrid"], 1, "method baseline trains with"),
        (["--method.kind", "isw", "--model.encoder.style-removal"], 1, "uses it: spn"),
        (["--method.kl-weight", "-5"], 1, "method.kl_weight: got -5.0"),
        (["--method.second-view-share", "-3"], 1, "method.second_view_share: got -3.0"),
        (["--model.num-classes", "5"], 2, "is no option: a training learns the classes of its data"),
    ],
)
def test_what_is_ignored_or_cannot_be_is_refused(
    arguments: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--preset", "tiny", "--out", "nowhere", "--data", "gtav=nowhere", *arguments]
    try:
        found = dispatch(command)
    except SystemExit as exit_:
        found = int(exit_.code or 0)
    assert found == status
    assert says in capsys.readouterr().err
