"""The facts and tools every room relies on: classes, label spaces, seeds, whole files."""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spn.core.classes import (
    CITYSCAPES_19,
    CLASSES,
    IGNORE,
    LABEL_SPACES,
    NUM_CLASSES,
    LabelSpace,
    numbered_space,
    own_space,
)
from spn.core.errors import UserError
from spn.core.files import (
    atomic_path,
    decode_json,
    encode_json,
    growing_path,
    read_json,
    sole_process,
    sole_writer,
    to_bytes,
    user_cache,
    write_json,
    write_text,
)
from spn.core.label_maps import LABEL_IDS, TRAIN_IDS
from spn.core.progress import progress_bar
from spn.core.records import from_plain, to_plain
from spn.core.seeding import derive_seed, numpy_generator
from spn.transforms.config import AugmentationConfig


def test_classes_are_in_train_id_order_with_distinct_ids_and_colours() -> None:
    assert [info.train_id for info in CLASSES] == list(range(NUM_CLASSES))
    assert len({info.label_id for info in CLASSES}) == len({info.colour for info in CLASSES}) == NUM_CLASSES


def test_label_ids_and_train_ids_invert_each_other() -> None:
    train_ids = np.arange(NUM_CLASSES)
    assert np.array_equal(LABEL_IDS.table()[CITYSCAPES_19.to_label_ids()[train_ids]], train_ids)
    assert (LABEL_IDS.table() != IGNORE).sum() == NUM_CLASSES
    assert CITYSCAPES_19.to_label_ids()[IGNORE] == 0
    assert np.array_equal(TRAIN_IDS.table()[:NUM_CLASSES], train_ids)
    assert tuple(CITYSCAPES_19.palette()[0]) == (128, 64, 128)
    assert not CITYSCAPES_19.palette()[IGNORE].any()


@pytest.mark.parametrize("space", LABEL_SPACES.values(), ids=lambda space: space.key)
def test_published_spaces_have_a_colour_for_every_class(space: LabelSpace) -> None:
    assert len(space) == len(set(space.colours)) == int(re.sub(r"\D", "", space.key))


@given(count=st.integers(1, 255), named=st.integers(0, 19))
def test_own_classes_get_colours_that_differ(count: int, named: int) -> None:
    """Those of Cityscapes' names have its colours, the others any, and none is black, which is void."""
    names = [*CITYSCAPES_19.names[:named], *(f"class {i}" for i in range(count))][:count]
    space = own_space("mine", names)
    assert len(space) == len(set(space.colours)) == count
    assert (0, 0, 0) not in space.colours
    assert space.colours[:named] == CITYSCAPES_19.colours[:named][:count]
    assert {space.names[thing] for thing in space.things} <= set(CITYSCAPES_19.names)
    assert own_space("mine", names) == space
    assert from_plain(LabelSpace, to_plain(space)) == space


def test_a_space_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(UserError, match="1 classes; wanted at most 255, each with a colour and an id"):
        LabelSpace("mine", ("a",), ())
    with pytest.raises(UserError, match="256 classes"):
        numbered_space(256)


def test_seeds_depend_on_every_key_and_its_type() -> None:
    seeds = {derive_seed(0), derive_seed(1), derive_seed(0, 1), derive_seed(0, "1"), derive_seed(0, 1, 2)}
    assert len(seeds) == 5
    assert numpy_generator(3, "a").random() == numpy_generator(3, "a").random()


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, {"miou": 0.5})

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"miou": float("nan")})
    assert read_json(path) == {"miou": 0.5}
    write_text(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("end", "name"),
    [(None, "a.mp4"), (KeyboardInterrupt, "a.mp4"), (SystemExit, "a.mp4"), (OSError, "a.partial-*.mp4")],
)
def test_a_growing_file_stays_however_its_writing_ends(
    tmp_path: Path, end: type[BaseException] | None, name: str
) -> None:
    (tmp_path / "a.mp4").write_text("old")
    with contextlib.suppress(end or ()), growing_path(tmp_path / "a.mp4") as temporary:
        assert "partial" in temporary.name
        temporary.write_text("new")
        if end:
            raise end
    (found,) = tmp_path.glob(name)
    assert found.read_text() == "new"
    assert (tmp_path / "a.mp4").read_text() == ("old" if end is OSError else "new")


def test_a_growing_file_into_which_nothing_was_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("old")
    with growing_path(tmp_path / "a.mp4") as temporary:
        temporary.touch()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_without_a_terminal_progress_is_lines_also_where_the_total_is_not_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spn.core.progress.LINE_EVERY", 0)
    with progress_bar() as progress:
        known = progress.add_task("drive.mp4", total=7, status="")
        endless = progress.add_task("camera0", total=None, status="")
        progress.update(known, advance=1, status="3.0 frames/s")
        progress.update(endless, advance=1, status="4.0 frames/s")
    said = capsys.readouterr().err
    assert "drive.mp4: 1 of 7, ETA" in said
    assert "3.0 frames/s" in said
    assert "camera0: 1 4.0 frames/s" in said


def test_records_survive_a_round_trip_and_name_unknown_fields() -> None:
    config = AugmentationConfig(crop_height=64)
    assert from_plain(AugmentationConfig, to_plain(config)) == config
    with pytest.raises(Exception, match="crop_hight"):
        from_plain(AugmentationConfig, {"crop_hight": 3})


@pytest.mark.parametrize(
    "values",
    [
        {"blur": {"sigma": [math.nan, 1.0]}},
        {"blur": {"sigma": [0.1, math.inf]}},
        {"flip": math.nan},
        {"scale_max": math.inf},
    ],
)
def test_numbers_are_finite_in_lists_too(values: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"expected a finite number|expected `float`"):
        from_plain(AugmentationConfig, values)


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".lock"
    code = (
        "import sys, time; from pathlib import Path; from spn.core.files import sole_process\n"
        "with sole_process(Path(sys.argv[1]), taken=''): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="is taken"), sole_process(path, taken="it is taken"):
            pytest.fail("came past the other process")
    finally:
        other.kill()
        other.communicate()
    with sole_process(path, taken="it is taken"):  # a killed process holds nothing
        assert path.is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_one_writer_of_a_folder_and_turns_in_it(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with sole_process(tmp_path / "out"):
            order.append("second")

    with sole_writer(tmp_path / "out"):
        with pytest.raises(UserError, match="another process is writing into"), sole_writer(tmp_path / "out"):
            pytest.fail("came past the other writer")
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not list((tmp_path / "out").iterdir())


def test_without_a_home_what_may_be_lost_lies_beside_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "spn"


@given(text=st.text(st.characters(exclude_categories=["Cs"])), number=st.integers(0, 255))
def test_any_name_survives_json_and_has_a_digest(text: str, number: int) -> None:
    name = text + os.fsdecode(bytes([number]))
    assert decode_json(encode_json((name, 1)), tuple[str, int]) == (name, 1)
    assert to_bytes(name) == text.encode() + bytes([number])


def test_names_that_are_no_utf8_are_kept_in_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"stra\xdfe.png")
    write_json(tmp_path / "a.json", {"photo": name})
    assert read_json(tmp_path / "a.json") == {"photo": name}
    (tmp_path / "a.json").read_text(encoding="utf-8")


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(100)
    monkeypatch.setattr("time.monotonic", lambda: float(next(seconds)))
    with progress_bar() as progress:
        task = progress.add_task("read [gtav]", total=200, status="")
        for _ in range(100):
            progress.advance(task)
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 200, ETA" in line]
    assert 2 <= len(lines) <= 12
    assert lines[0].startswith("read [gtav]: 1 of 200")
    with progress_bar(disable=True) as progress:
        progress.advance(progress.add_task("quiet", total=2, status=""))
    assert capsys.readouterr().err == ""


def test_a_write_that_fails_says_of_which_file(tmp_path: Path) -> None:
    def fail(error: OSError) -> None:
        with atomic_path(tmp_path / "out.json") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(OSError, match="No space") as full:
        fail(OSError(errno.ENOSPC, "No space left on device"))  # as write(2) does
    assert full.value.filename == str(tmp_path / "out.json")
    with pytest.raises(OSError, match="No such file") as other:
        fail(OSError(errno.ENOENT, "No such file or directory", "image.png"))
    assert other.value.filename == "image.png"
    assert list(tmp_path.iterdir()) == []
