"""What the page tells of a photograph or video, with a network that knows the palette by heart."""

from __future__ import annotations

import csv
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.colour_network import ColourNetwork
from spn.cli.main import dispatch
from spn.core.errors import UserError
from spn.inference.model import Model
from spn.inference.tta import TestTimeAugmentation
from spn.web.look import look
from spn.web.serve import named_runs

ROAD, SKY = (128, 64, 128), (70, 130, 180)


def street(width: int = 40) -> np.ndarray:
    """Sky over road, one to three."""
    picture = np.full((20, width, 3), ROAD, np.uint8)
    picture[:5] = SKY
    return picture


@pytest.fixture
def model() -> Model:
    return Model(ColourNetwork(sharpness=500.0, noise=0.1), tta=TestTimeAugmentation(num_samples=2))


def test_a_photograph_has_pictures_a_table_and_files(tmp_path: Path, model: Model) -> None:
    file, folder = tmp_path / "a street & more.png", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(street()).save(file)
    seen = look(model, file, folder, seconds=1)
    assert seen.note == "a street & more.png, 40 × 20 pixels"
    shares = {one.name: one.share for one in seen.areas if one.share}
    assert shares == {"road": 0.75, "sky": 0.25}
    everything = seen.scene.classes
    np.testing.assert_array_equal(np.asarray(seen.picture("labels", everything)), street())
    dimmed = np.asarray(seen.picture("overlay", ["sky"]))
    np.testing.assert_array_equal(dimmed[5:], street()[5:], "what is not shown is the photograph")
    assert np.asarray(seen.picture("photograph", [])).tolist() == street().tolist()
    assert {"uncertainty", "disagreement"} == set(seen.maps)
    assert seen.picture("uncertainty", everything).size == (40, 20)
    assert set(seen.downloads) == {"label", "overlay", "table"}
    assert all(path.parent == folder and path.exists() for path in seen.downloads.values())
    with open(seen.downloads["table"]) as table:
        rows = {row["class"]: float(row["share"]) for row in csv.DictReader(table)}
    assert {name: share for name, share in rows.items() if share} == shares
    table = seen.table()
    assert table.index("road") < table.index("sky")
    assert "75.0%" in table
    assert "rgb(70, 130, 180)" in table


def test_a_picture_on_the_page_is_not_larger_than_a_screen(tmp_path: Path, model: Model) -> None:
    Image.fromarray(street(4000)).save(tmp_path / "wide.png")
    seen = look(model, tmp_path / "wide.png", tmp_path, seconds=1)
    assert seen.picture("overlay", ["road"]).size == (1600, 8)
    assert seen.scene.labels.shape == (20, 4000)


def test_of_a_video_the_first_seconds_are_labelled(tmp_path: Path, model: Model) -> None:
    films = pytest.importorskip("inference.films", reason="the extra `video` is not installed")
    pictures = [street()] * 5 + [np.full((20, 40, 3), SKY, np.uint8)] * 10
    film = films.write_film(tmp_path / "drive.mkv", pictures)
    told: list[float] = []
    seen = look(model, film, tmp_path, seconds=1, progress=told.append)
    assert seen.note.startswith("drive.mkv: the first 1 seconds, 10 frames;")
    assert {one.name: round(one.share, 6) for one in seen.areas if one.share} == {"road": 0.375, "sky": 0.625}
    assert len(films.read_film(seen.downloads["video"])[0]) == 10
    assert told == sorted(told)
    assert 0 <= told[0] < told[-1] <= 1
    whole = look(model, film, tmp_path, seconds=60)
    assert whole.note.startswith("drive.mkv: 15 frames;")


@pytest.mark.parametrize(("name", "data"), [("no.jpg", b"hello"), ("no.mp4", b"hello"), ("empty.png", b"")])
def test_what_is_no_picture_is_said_without_its_place(
    tmp_path: Path, model: Model, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=f"^{name}: cannot be read as .*Wanted a photograph") as caught:
        look(model, tmp_path / name, tmp_path, seconds=1)
    assert str(tmp_path) not in str(caught.value)


def test_networks_have_the_names_of_their_folders(tmp_path: Path) -> None:
    runs = [tmp_path / "a" / "spn", tmp_path / "b" / "spn", tmp_path / "baseline"]
    for run in runs:
        run.mkdir(parents=True)
        (run / "model.safetensors").touch()
    assert list(named_runs(runs)) == [str(runs[0]), str(runs[1]), "baseline"]
    assert named_runs(()) == {"the shipped model": None}


def test_runs_that_are_not_there_are_named_before_the_page_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["web", str(tmp_path / "nothing")]) == 1
    assert "no such file or folder; wanted a run folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "99999999"], "--port 99999999: ports end at 65535; wanted"),
        (["--port", "-1"], "--port -1: "),
        (["--host", "192.0.2.1"], "--host 192.0.2.1 --port None: "),
        (["--host", "no such host"], "--host no such host --port None: "),
    ],
)
def test_an_address_that_cannot_be_had_is_one_sentence(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["web", *options]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "wanted an address of this computer, and a free port" in said


def test_a_port_that_is_taken_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert dispatch(["web", "--port", str(port)]) == 1
    assert f"--port {port}: Address already in use" in capsys.readouterr().err


def test_without_gradio_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "spn.web.page", raising=False)
    assert dispatch(["web"]) == 1
    assert "pip install 'spn-segmentation[web]'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--megabytes", "--seconds"])
def test_limits_are_checked(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["web", option, "0"]) == 1
    assert f"web.{option.strip('-')}" in capsys.readouterr().err
