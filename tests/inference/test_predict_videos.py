"""`spn predict` on videos, cameras, lists and standard input; what is left of it when it is interrupted."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inference.colour_network import ColourNetwork, painted
from inference.films import read_film, write_film
from inference.test_predict_command import LABEL, command, known_network, photo  # noqa: F401 - a fixture
from inference.test_video import Camera, labels
from processes import forked
from spn.cli.predict import run
from spn.core.classes import CLASS_NAMES, own_space
from spn.core.errors import UserError
from spn.inference import weights
from spn.inference.labelling import LabelOptions
from spn.inference.labelling import label as labelled
from spn.inference.model import Model
from spn.inference.places import Clip, Places


def film(path: Path, *, frames: int = 6) -> Path:
    return write_film(path, [painted(label) for label in labels(frames)])


def test_a_video_becomes_a_video_with_its_legend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(film(tmp_path / "drive.mkv"), out=tmp_path / "out")) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "classes.csv", "drive_overlay.mp4", "legend.png",
    ]  # fmt: skip
    pictures, times = read_film(tmp_path / "out/drive_overlay.mp4")
    assert times == pytest.approx([i / 10 for i in range(6)], abs=2e-3)
    assert pictures[0].shape[1] == 32
    assert pictures[0].shape[0] > 24 + 100  # 19 classes in one column, and the rate
    np.testing.assert_allclose(pictures[0][2:6, 2:6], painted(labels(1)[0])[2:6, 2:6], atol=40)
    said = capsys.readouterr().out
    assert "drive.mkv: 6 frames, " in said
    assert "1 of 1 videos labelled" in said


def test_label_frames_on_request(tmp_path: Path) -> None:
    options = LabelOptions(ids="train-id", save=("label", "probabilities"))
    assert run(command(film(tmp_path / "drive.mkv"), out=tmp_path / "out", options=options)) == 0
    names = {path.name for path in (tmp_path / "out/drive").iterdir()}
    frames = {f"{i:06}_{kind}" for i in range(6) for kind in ("label.png", "probabilities.npz")}
    assert names == frames | {"legend.png", "classes.csv"}
    for index, label in enumerate(labels(6)):
        np.testing.assert_array_equal(Image.open(tmp_path / f"out/drive/{index:06}_label.png"), label)


def test_folders_of_frames_are_one_video_on_request(tmp_path: Path) -> None:
    for index in range(4):
        photo(tmp_path / f"frames/{index}.png")
    options = LabelOptions(frame_rate=5)
    assert run(command(tmp_path / "frames", out=tmp_path / "out", options=options)) == 0
    _, times = read_film(tmp_path / "out/frames_overlay.mp4")
    assert times == pytest.approx([0, 0.2, 0.4, 0.6], abs=2e-3)
    with pytest.raises(UserError, match="is one photograph; --frame-rate makes a video of a folder"):
        run(command(tmp_path / "frames/0.png", out=tmp_path / "out", options=options))


def test_repeating_replaces_only_results_of_the_same_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = film(tmp_path / "a/drive.mkv"), film(tmp_path / "b/drive.mkv")
    for _ in range(2):
        assert run(command(first, out=tmp_path / "out")) == 0
    before = (tmp_path / "out/drive_overlay.mp4").read_bytes()
    assert run(command(second, out=tmp_path / "out")) == 1
    assert "is the result of another photograph or video" in capsys.readouterr().err
    assert (tmp_path / "out/drive_overlay.mp4").read_bytes() == before
    (tmp_path / "own").mkdir()
    (tmp_path / "own/drive_overlay.mp4").write_bytes(b"my own")
    assert run(command(first, out=tmp_path / "own")) == 1
    assert (tmp_path / "own/drive_overlay.mp4").read_bytes() == b"my own"
    found, _ = Places(tmp_path / "out").find([first, second])
    assert [item.film.name for item in found if isinstance(item, Clip)] == [
        "drive_overlay.mp4", "drive.mkv_overlay.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_an_interrupted_video_can_be_played(
    tmp_path: Path, sent: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, kill, and kill -9 while the tenth frame is being looked at."""
    path, out = film(tmp_path / "drive.mkv", frames=20), tmp_path / "out"
    forward, calls = ColourNetwork.forward, []

    def watched(self: ColourNetwork, *arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 10:
            os.kill(os.getpid(), sent)
        return forward(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ColourNetwork, "forward", watched)

    def interrupted() -> int:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
        return run(command(path, out=out, table=tmp_path / "a.csv"))

    status = forked(interrupted, stderr=tmp_path / "err")
    said = (tmp_path / "err").read_text()
    assert status == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[sent], said
    (left,) = out.glob("drive_overlay*.mp4")
    assert 7 <= len(read_film(left)[0]) <= 9
    if sent == signal.SIGKILL:
        assert left.name.startswith("drive_overlay.partial-")
        assert not (tmp_path / "a.csv").exists()
    else:
        assert left.name == "drive_overlay.mp4"
        assert len(list(csv.DictReader((tmp_path / "a.csv").open()))) == 9 * 19
        assert "interrupted" in said
    monkeypatch.undo()


def test_a_video_that_is_cut_off_keeps_what_it_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = film(tmp_path / "drive.mkv", frames=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert run(command(path, photo(tmp_path / "a.png"), out=tmp_path / "out")) == 1
    assert 5 < len(read_film(tmp_path / "out/drive_overlay.mp4")[0]) < 25
    assert (tmp_path / "out/a_label.png").is_file()
    said = capsys.readouterr()
    assert "drive.mkv: damaged or cut off" in said.err
    assert "skipped" not in said.err
    assert "1 of 2 photographs and videos" in said.out


def test_results_that_another_wrote_meanwhile_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ColourNetwork.forward

    def watched(self: ColourNetwork, *arguments: object, **options: object) -> object:
        (tmp_path / "out/drive_overlay.mp4").write_bytes(b"another's")
        return forward(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ColourNetwork, "forward", watched)
    assert run(command(film(tmp_path / "drive.mkv"), out=tmp_path / "out")) == 1
    assert "was not written by this version" in capsys.readouterr().err
    assert (tmp_path / "out/drive_overlay.mp4").read_bytes() == b"another's"
    (own,) = (tmp_path / "out").glob("drive_overlay.partial-*.mp4")
    assert len(read_film(own)[0]) == 6


def test_a_video_that_is_none_is_said_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "drive.mp4").write_bytes(b"no video")
    assert run(command(tmp_path / "drive.mp4", photo(tmp_path / "a.png"), out=tmp_path / "out")) == 1
    assert (tmp_path / "out/a_label.png").is_file()
    assert not list((tmp_path / "out").glob("*.mp4"))
    assert "drive.mp4: cannot be read as a video" in capsys.readouterr().err


def test_a_camera_records_until_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.chdir(tmp_path)
    assert run(command(Path("0"), out=tmp_path / "out")) == 1
    (left,) = (tmp_path / "out").glob("camera0_*_overlay.mp4")
    assert len(read_film(left)[0]) == 3
    photo(tmp_path / "0.png").rename(tmp_path / "0")  # a file of that name is meant before the camera
    assert run(command(Path("0"), out=tmp_path / "other")) == 0


def test_lists_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [photo(tmp_path / f"in/{name}.png") for name in ("a", "ü b", "#c")]
    (tmp_path / "in/list.txt").write_bytes(b"\xef\xbb\xbfa.png\r\n\r\n" + os.fsencode(photos[1]) + b"\n")
    assert run(command(tmp_path / "in/list.txt", out=tmp_path / "out")) == 0
    assert {path.name for path in (tmp_path / "out").glob("*_label.png")} == {"a_label.png", "ü b_label.png"}
    lines = io.BytesIO(os.fsencode(photos[2]) + b"\nabsent.png\nhttps://a.org/b.png\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(lines))
    capsys.readouterr()
    assert run(command(Path("-"), out=tmp_path / "out")) == 1
    said = capsys.readouterr()
    assert (tmp_path / "out/#c_label.png").is_file()
    assert "1 of 3 photographs" in said.out
    assert "absent.png: no such file" in said.err
    assert "https://a.org/b.png: no such file; addresses are not fetched" in said.err


def test_lists_and_standard_input_can_be_frames_of_a_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [photo(tmp_path / f"in/{name}.png") for name in "abc"]
    (tmp_path / "drive.txt").write_bytes(b"\r\n".join(map(os.fsencode, photos)))
    options = LabelOptions(frame_rate=2)
    assert run(command(tmp_path / "drive.txt", out=tmp_path / "out", options=options)) == 0
    assert read_film(tmp_path / "out/drive_overlay.mp4")[1] == pytest.approx([0, 0.5, 1], abs=1e-3)
    lines = io.BytesIO(b"\n".join(map(os.fsencode, photos)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(lines))
    assert run(command(Path("-"), out=tmp_path / "out", options=options)) == 0
    (left,) = (tmp_path / "out").glob("stdin_*_overlay.mp4")
    assert len(read_film(left)[0]) == 3


@pytest.mark.parametrize("frame_rate", [None, 5.0])
def test_standard_input_without_paths_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame_rate: float | None
) -> None:
    for text in (io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO(b"\n\n")), None):
        monkeypatch.setattr("sys.stdin", text)
        with pytest.raises(UserError, match="no such file came on standard input"):
            run(command(Path("-"), out=tmp_path / "out", options=LabelOptions(frame_rate=frame_rate)))


def test_lists_in_the_encoding_of_windows_shell(tmp_path: Path) -> None:
    path = photo(tmp_path / "in/ü.png")
    (tmp_path / "list.txt").write_text(f"{path}\r\n", encoding="utf-16")
    assert run(command(tmp_path / "list.txt", out=tmp_path / "out")) == 0


def test_lists_that_are_empty_or_name_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n")
    with pytest.raises(UserError, match="this list is empty"):
        run(command(tmp_path / "a.txt", out=tmp_path / "out"))
    (tmp_path / "a.txt").write_text(str(tmp_path / "a.txt"))
    assert run(command(tmp_path / "a.txt", out=tmp_path / "out")) == 1


def test_addresses_are_refused(tmp_path: Path) -> None:
    for text in ("https://example.org/street.jpg", "http://a.b/c.mp4", "rtsp://camera/1"):
        with pytest.raises(UserError) as caught:
            run(command(Path(text), out=tmp_path / "out"))
        assert str(caught.value) == (
            f"{text}: no such file; addresses are not fetched: download it, and name the file"
        )


def test_folders_say_that_videos_are_named_themselves(tmp_path: Path) -> None:
    film(tmp_path / "drive.mkv")
    with pytest.raises(UserError, match=r"name videos themselves, as .*drive\.mkv"):
        run(command(tmp_path, out=tmp_path / "out"))


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_tables(tmp_path: Path, suffix: str) -> None:
    table = tmp_path / f"out{suffix}"
    places = photo(tmp_path / "a.png"), film(tmp_path / "drive.mkv")
    for _ in range(2):
        assert run(command(*places, out=tmp_path / "out", table=table)) == 0
    if suffix == ".csv":
        rows = [
            (row["photograph"], row["frame"], row["class"], float(row["share"]), row["confidence"])
            for row in csv.DictReader(table.open(encoding="utf-8"))
        ]
    else:
        rows = [
            (row["photograph"], row["frame"], one["name"], one["share"], one["confidence"])
            for row in json.loads(table.read_text())
            for one in row["classes"]
        ]
    assert len(rows) == 7 * len(CLASS_NAMES)
    first = rows[: len(CLASS_NAMES)]
    assert [row[2] for row in first] == list(CLASS_NAMES)
    assert {row[0] for row in first} == {str(tmp_path / "a.png")}
    counts = np.bincount(LABEL.ravel(), minlength=len(CLASS_NAMES)) / LABEL.size
    assert [row[3] for row in first] == pytest.approx(counts, abs=1e-5)
    assert all((row[4] in ("", None)) == (row[3] == 0) for row in rows)
    assert {row[1] for row in rows[len(CLASS_NAMES) :]} in ({*"012345"}, {*range(6)})
    assert rows[-1][0] == "drive.mkv"


def test_tables_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine,not,yours\n")
    with pytest.raises(UserError, match="was not written by this version of SPN"):
        run(command(photo(tmp_path / "a.png"), out=tmp_path / "out", table=tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_text() == "mine,not,yours\n"
    with pytest.raises(UserError, match=r"ends in \.csv or \.json"):
        run(command(photo(tmp_path / "a.png"), out=tmp_path / "out", table=tmp_path / "a.xls"))


def test_unsure_pixels_do_not_look_like_a_class(tmp_path: Path) -> None:
    ids = [*range(18), 255]  # as of a mask of 0 and 255
    space = own_space("mine", [f"class {i}" for i in range(18)] + ["shelf"], label_ids=ids)
    model = Model(ColourNetwork(), label_space=space)  # type: ignore[arg-type]
    items, _ = Places(tmp_path / "out").find([photo(tmp_path / "a.png")])
    with pytest.raises(UserError, match="the id 255, which is the class 'shelf' here; add --ids train-id"):
        list(labelled(model, items, LabelOptions(min_confidence=0.5)))
    assert not (tmp_path / "out").exists()
    assert len(list(labelled(model, items, LabelOptions(min_confidence=0.5, ids="train-id")))) == 1
    assert len(list(labelled(model, items, LabelOptions()))) == 1


def test_unsure_pixels_get_no_label(tmp_path: Path) -> None:
    picture = painted(LABEL)
    picture[:8] = 128  # no class's colour
    (tmp_path / "in").mkdir()
    Image.fromarray(picture).save(tmp_path / "in/a.png")
    table = tmp_path / "a.csv"
    options = LabelOptions(min_confidence=0.6, save=("probabilities",), legend=True)
    assert run(command(tmp_path / "in/a.png", out=tmp_path / "out", options=options, table=table)) == 0
    label = np.array(Image.open(tmp_path / "out/a_label.png"))
    with np.load(tmp_path / "out/a_probabilities.npz") as stored:
        probabilities, classes = stored["probabilities"], stored["classes"]
    assert probabilities.dtype == np.float16
    assert probabilities.shape == (19, *LABEL.shape)
    assert list(classes) == list(CLASS_NAMES)
    assert (label[:8] == 255).any()
    np.testing.assert_array_equal(label == 255, probabilities.max(axis=0) < 0.6)
    last = list(csv.DictReader(table.open()))[-1]
    assert (last["class"], last["train_id"], float(last["share"])) == (
        "unsure", "255", pytest.approx((label == 255).mean(), abs=1e-5),
    )  # fmt: skip
    overlay = np.asarray(Image.open(tmp_path / "out/a_overlay.png"))
    assert overlay.shape[0] > LABEL.shape[0]
    np.testing.assert_array_equal(overlay[:24][label == 255], picture[label == 255])
    for wrong in (-0.1, 1.5):
        with pytest.raises(UserError, match=r"predict\.min_confidence"):
            run(command(tmp_path, out=tmp_path / "out", options=LabelOptions(min_confidence=wrong)))


def test_a_model_with_classes_of_its_own_names_them_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = own_space("mine", [f"thing {number}" for number in range(19)], label_ids=range(100, 119))
    monkeypatch.setattr(weights, "load", lambda *_, **__: Model(ColourNetwork(), label_space=space))
    places, table = (film(tmp_path / "drive.mkv"), photo(tmp_path / "a.png")), tmp_path / "a.csv"
    options = LabelOptions(legend=True, save=("probabilities",))
    assert run(command(*places, out=tmp_path / "out", options=options, table=table)) == 0
    assert {row["class"] for row in csv.DictReader(table.open())} == set(space.names)
    rows = list(csv.DictReader((tmp_path / "out/classes.csv").open()))
    assert [(row["class"], int(row["label_id"])) for row in rows] == [
        (name, 100 + number) for number, name in enumerate(space.names)
    ]
    np.testing.assert_array_equal(Image.open(tmp_path / "out/a_label.png"), LABEL + 100)
    with np.load(tmp_path / "out/a_probabilities.npz") as stored:
        assert tuple(stored["classes"]) == space.names
    below = read_film(tmp_path / "out/drive_overlay.mp4")[0][0][24:].reshape(-1, 3).astype(int)
    assert all(abs(below - colour).max(axis=1).min() < 40 for colour in space.colours)


def test_each_folder_has_its_legend_and_class_table(tmp_path: Path) -> None:
    out = tmp_path / "photos"
    for _ in range(2):
        assert run(command(photo(out / "a.png"), out=out)) == 0
    rows = list(csv.reader((out / "classes.csv").open()))
    assert rows[:2] == [["train_id", "label_id", "class", "colour"], ["0", "7", "road", "#804080"]]
    assert len(rows) == 20
    legend = np.asarray(Image.open(out / "legend.png"))
    assert all((legend == colour).all(axis=2).any() for colour in [(128, 64, 128), (119, 11, 32)])
    found, _ = Places(out).find([out])
    assert [path.source.name for path in found if not isinstance(path, Clip)] == ["a.png"]
    (out / "classes.csv").write_text("train_id,label_id,class,colour\n0,0,other,#000000\n")
    with pytest.raises(UserError, match="is of other classes"):
        run(command(out / "a.png", out=out))
    shutil.copy(out / "a.png", out / "legend.png")
    with pytest.raises(UserError, match=r"legend\.png is there and was not written"):
        run(command(out / "a.png", out=out))
