"""`spn predict` on folders of photographs, broken ones among them."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import cv2
import numpy as np
import pytest
from PIL import Image

from inference.colour_network import ColourNetwork, painted, random_blocks
from spn.cli.predict import PredictCommand, run
from spn.core.classes import CITYSCAPES_19
from spn.core.errors import UserError
from spn.inference import photographs, weights
from spn.inference.labelling import LabelOptions
from spn.inference.model import Model
from spn.inference.places import Photograph, Places
from spn.inference.results import PhotoError
from spn.inference.scene import Ids
from spn.inference.tta import Precision, TestTimeAugmentation
from spn.inference.weights import choose_device

LABEL = random_blocks(np.random.default_rng(1), height=24, width=32)


@pytest.fixture(autouse=True)
def known_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(
        path: Path, *, device: str, tta: TestTimeAugmentation, precision: Precision, seed: int, backend: str
    ) -> Model:
        choose_device(device, precision)
        return Model(ColourNetwork(noise=1.0), tta=tta, precision=precision, seed=seed)

    monkeypatch.setattr(weights, "load", load)


def command(
    *images: Path, out: Path, options: LabelOptions | None = None, **others: object
) -> PredictCommand:
    return PredictCommand(
        images,
        Path("run"),
        out,
        quiet=True,
        options=options or LabelOptions(),
        **others,  # type: ignore[arg-type]
    )


def found(*places: Path, out: Path, recursive: bool = False) -> list[Photograph]:
    items, _ = Places(out, recursive=recursive).find(places)
    return [item for item in items if isinstance(item, Photograph)]


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(painted(LABEL)).save(path)
    return path


@pytest.mark.parametrize("ids", ["label-id", "train-id"])
def test_one_photo(tmp_path: Path, ids: Ids) -> None:
    assert (
        run(command(photo(tmp_path / "street.png"), out=tmp_path / "out", options=LabelOptions(ids=ids))) == 0
    )
    label = np.array(Image.open(tmp_path / "out/street_label.png"))
    expected = CITYSCAPES_19.to_label_ids()[LABEL] if ids == "label-id" else LABEL
    np.testing.assert_array_equal(label, expected)
    overlay = cv2.imread(str(tmp_path / "out/street_overlay.png"))[..., ::-1]
    np.testing.assert_allclose(overlay.astype(int), painted(LABEL), atol=1)  # colours on the same colours
    assert cv2.imread(str(tmp_path / "out/street_uncertainty.png")).shape == (24, 32, 3)  # in colours
    levels = np.array(Image.open(tmp_path / "out/street_uncertainty.png"))
    np.testing.assert_array_equal(
        levels, np.round(255 * Model(ColourNetwork()).predict(painted(LABEL)).uncertainty)
    )
    assert not (tmp_path / "out/street_disagreement.png").exists()


def test_draws_add_their_disagreement(tmp_path: Path) -> None:
    run(
        command(photo(tmp_path / "street.png"), out=tmp_path / "out", tta=TestTimeAugmentation(num_samples=2))
    )
    assert (tmp_path / "out/street_disagreement.png").is_file()


def test_half_precision(tmp_path: Path) -> None:
    street, out = photo(tmp_path / "street.png"), tmp_path / "out"
    assert run(command(street, out=out, options=LabelOptions(ids="train-id"), precision="bf16")) == 0
    label = np.array(Image.open(out / "street_label.png"))
    np.testing.assert_array_equal(label, LABEL)
    with pytest.raises(UserError, match="use 32 or bf16"):
        run(command(street, out=tmp_path / "other", device="cpu", precision="16"))


def test_a_broken_file_is_reported_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "in/a.png")
    (tmp_path / "in/b.jpg").write_bytes(b"not a photo")
    photo(tmp_path / "in/c.png")
    (tmp_path / "in/notes.txt").write_text("not looked at")
    assert run(command(tmp_path / "in", out=tmp_path / "out")) == 1
    assert {path.name for path in (tmp_path / "out").glob("*_label.png")} == {"a_label.png", "c_label.png"}
    said = capsys.readouterr()
    assert "2 of 3" in said.out
    assert "b.jpg" in said.err


def test_folders_keep_their_subfolders(tmp_path: Path) -> None:
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/day/a.png")
    assert run(command(tmp_path / "in", out=tmp_path / "out", recursive=True)) == 0
    assert (tmp_path / "out/day/a_label.png").is_file()
    assert len(found(tmp_path / "in", out=tmp_path / "out")) == 1


def test_names_that_would_collide_stay_apart(tmp_path: Path) -> None:
    photos = [photo(tmp_path / name) for name in ("in/a.png", "in/A.bmp", "in/b.png", "other/b.png")]
    names = sorted(photo.target.name for photo in found(tmp_path / "in", photos[3], out=tmp_path))
    assert names == ["A", "a.png", "b", "b.png"]


def test_repeating_into_the_same_folder_does_not_label_the_results(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    for _ in range(2):
        assert run(command(tmp_path, out=tmp_path)) == 0
    assert len(list(tmp_path.glob("*_label.png"))) == 1


def test_results_are_known_however_the_folder_is_spelt(tmp_path: Path) -> None:
    photo(tmp_path / "photos/a.png")
    (tmp_path / "link").symlink_to("photos")
    for out in (tmp_path / "photos", tmp_path / "link", tmp_path / "link/../photos"):
        assert run(command(tmp_path / "photos", out=out)) == 0
    assert [path.name for path in (tmp_path / "photos").glob("*_label.png")] == ["a_label.png"]


def test_files_of_the_user_and_of_other_photographs_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = photo(tmp_path / "in/a_label.png").read_bytes()
    photo(tmp_path / "in/a.png")
    assert run(command(tmp_path / "in/a.png", out=tmp_path / "in")) == 1
    assert (tmp_path / "in/a_label.png").read_bytes() == own
    assert "was not written by this version of SPN" in capsys.readouterr().err
    assert run(command(tmp_path / "in/a.png", out=tmp_path / "out")) == 0
    first = (tmp_path / "out/a_label.png").read_bytes()
    assert run(command(photo(tmp_path / "other/a.png"), out=tmp_path / "out")) == 1
    assert (tmp_path / "out/a_label.png").read_bytes() == first
    assert "result of another photograph" in capsys.readouterr().err
    assert run(command(tmp_path / "in/a.png", out=tmp_path / "out")) == 0


def test_two_at_once_do_not_replace_each_other_s_results(tmp_path: Path) -> None:
    """Both find the place free; only one may write."""
    photos = [photo(tmp_path / folder / "a.png") for folder in ("one", "two")]
    scenes = [Model(ColourNetwork()).predict(path) for path in photos]
    barrier, said = Barrier(2), []

    def save(number: int) -> None:
        barrier.wait()
        try:
            scenes[number].save(tmp_path / "out/a", photograph=photos[number])
        except PhotoError as error:
            said.append(str(error))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save, range(2)))
    assert len(said) == 1
    assert "result of another photograph" in said[0]


@pytest.mark.parametrize("name", ["ä" * 125, "x" * 250, "a.b" * 80, "tab\there", "[red]a", "-o"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    photo(tmp_path / "photos" / f"{name}.png")
    assert run(command(tmp_path / "photos", out=tmp_path / "out")) == 0
    (label,) = (tmp_path / "out").glob("*_label.png")
    assert len(os.fsencode(label.name)) <= 255
    np.testing.assert_array_equal(np.array(Image.open(label)), CITYSCAPES_19.to_label_ids()[LABEL])


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/stra\xdfe.png")
    os.rename(photo(tmp_path / "a.png"), odd)
    assert run(command(tmp_path, out=tmp_path / "out")) == 0
    assert os.listdir(os.fsencode(tmp_path / "out")).count(b"stra\xdfe_label.png") == 1


def test_two_long_names_that_differ_at_their_ends_only(tmp_path: Path) -> None:
    for last in "ab":
        photo(tmp_path / "photos" / f"{'x' * 249}{last}.png")
    assert run(command(tmp_path / "photos", out=tmp_path / "out")) == 0
    assert len(list((tmp_path / "out").glob("*_label.png"))) == 2


def test_folders_that_are_links_are_searched_once(tmp_path: Path) -> None:
    photo(tmp_path / "elsewhere/b.png")
    photo(tmp_path / "photos/a.png")
    (tmp_path / "photos/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos/loop").symlink_to(tmp_path / "photos")
    photos = found(tmp_path / "photos", out=tmp_path / "out", recursive=True)
    assert [photo.source.name for photo in photos] == ["a.png", "b.png"]


def test_what_is_passed_over_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = frozenset(photographs.suffixes() - {".heic", ".heif"})
    monkeypatch.setattr(photographs, "suffixes", lambda: lacking)
    photo(tmp_path / "a.png")
    for name in ("film.mp4", "b.heic", ".hidden.png", "._a.png"):
        (tmp_path / name).write_bytes(b"")
    assert run(command(tmp_path, out=tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert "1 of .mp4" in said
    assert "1 of .heic" in said
    assert "pillow-heif" in said
    assert ".png" not in said


def test_a_full_disk_leaves_no_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        run(command(photo(tmp_path / "a.png"), out=tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


def test_labels_are_seen_in_their_colours(tmp_path: Path) -> None:
    run(command(photo(tmp_path / "a.png"), out=tmp_path / "out"))
    label = Image.open(tmp_path / "out/a_label.png")
    assert label.mode == "P"
    np.testing.assert_array_equal(np.array(label.convert("RGB")), painted(LABEL))


def test_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no photograph was named"):
        found(out=tmp_path / "out")
    with pytest.raises(UserError, match="no photographs"):
        found(tmp_path, out=tmp_path / "out")
    with pytest.raises(UserError, match="no such file or folder"):
        found(tmp_path / "absent", out=tmp_path / "out")


def test_what_never_ends_or_is_no_list_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UserError, match=r"pipe\.jpg: a pipe or device; wanted a file"):
        run(command(tmp_path / "pipe.jpg", out=tmp_path / "out"))
    (tmp_path / "binary.txt").write_bytes(b"a.jpg\n\0\1")
    with pytest.raises(UserError, match=r"binary\.txt: not a list of paths"):
        run(command(tmp_path / "binary.txt", out=tmp_path / "out"))


def test_a_kind_that_there_will_not_be_is_refused(tmp_path: Path) -> None:
    picture = photo(tmp_path / "a.png")
    with pytest.raises(UserError, match="--save disagreement compares random draws; add --num-samples 8"):
        run(command(picture, out=tmp_path / "out", options=LabelOptions(save=("disagreement",))))
