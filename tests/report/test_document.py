"""The report on disk: every file is there, figures can be opened, and repeating it replaces it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from report.recorded_runs import record_run
from spn.cli.main import dispatch
from spn.core.errors import UserError
from spn.report.comparison import load_comparison
from spn.report.document import write_report
from spn.report.pictures import read_samples


def test_report_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ("cityscapes", "rain_cityscapes", "camvid")
    runs = [
        record_run(tmp_path / "b", "baseline", keys=keys),
        record_run(tmp_path / "s", "spn", keys=keys, right=0.6),
    ]
    assert dispatch(["report", *map(str, runs), "--out", str(tmp_path / "report")]) == 0
    assert "Rain Cityscapes" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written >= {
        "report.md", "table.md", "table.tex", "table.csv", "per_class.csv", "runs.csv",
        "per_class_iou.png", "per_class_iou.pdf", "samples_routine.png", "samples_routine.pdf",
        "samples_rain_and_fog.png", "samples_rain_and_fog.pdf", "samples_real.png", "samples_real.pdf",
    }  # fmt: skip
    document = (tmp_path / "report" / "report.md").read_text()
    for name in written:
        if name.endswith(".png"):
            assert f"({name})" in document
            with Image.open(tmp_path / "report" / name) as picture:
                assert min(picture.size) > 300


def test_files_of_others_are_neither_replaced_nor_removed(tmp_path: Path) -> None:
    with_samples = record_run(tmp_path / "b", "baseline", keys=("cityscapes",))
    without = record_run(tmp_path / "n", "baseline", keys=("cityscapes",), samples=0)
    folder = tmp_path / "report"
    write_report(load_comparison([without]), folder)
    one_of_each = {path.suffix: path.name for path in sorted(folder.iterdir())}
    assert set(one_of_each) == {".md", ".html", ".csv", ".tex", ".png", ".pdf"}
    for name in one_of_each.values():
        ours = (folder / name).read_bytes()
        (folder / name).write_bytes(b"theirs")
        with pytest.raises(UserError, match=f"{name} is there and was not written by this command"):
            write_report(load_comparison([without]), folder)
        assert (folder / name).read_bytes() == b"theirs"
        (folder / name).write_bytes(ours)
    write_report(load_comparison([with_samples]), folder)  # replaces its own, and adds pictures
    kept = folder / "samples_routine.png"
    kept.write_bytes(b"theirs")
    write_report(load_comparison([without]), folder)  # draws no samples: an earlier report's would go
    assert kept.read_bytes() == b"theirs"
    assert not kept.with_suffix(".pdf").exists()


def test_a_group_that_the_paper_does_not_have_and_seven_classes(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("cityscapes", "dark_zurich", "idd_lite"))
    write_report(load_comparison([run]), tmp_path / "report")
    assert (tmp_path / "report" / "samples_weather_and_night.png").exists()
    document = (tmp_path / "report" / "report.md").read_text()
    assert document.index("Real photographs") < document.index("Weather and night")
    assert "roadside objects" in (tmp_path / "report" / "per_class.csv").read_text()


def test_more_methods_and_no_samples(tmp_path: Path) -> None:
    runs = [
        record_run(tmp_path / name, name, keys=("cityscapes", "bdd100k", "synthia"), samples=0)
        for name in ("baseline", "spn", "ibn")
    ]
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "samples_routine.png").touch()
    files = write_report(load_comparison(runs), folder)
    assert "IoU per class" in files.figures
    assert not (folder / "samples_routine.png").exists()


def test_a_lost_sample_says_how_to_get_it_back(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("camvid",))
    next(run.rglob("*_prediction.png")).unlink()
    with pytest.raises(UserError, match="--again"):
        write_report(load_comparison([run]), tmp_path / "report")


@pytest.mark.parametrize("part", [0, 20, 60])
def test_a_damaged_sample_says_how_to_write_it_again(tmp_path: Path, part: int) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("camvid",))
    path = next(run.rglob("*_image.png"))
    path.write_bytes(path.read_bytes()[:part])
    with pytest.raises(UserError, match=rf"{path.name}: the sample image is damaged .*--again"):
        list(read_samples(comparison := load_comparison([run]), comparison.domains[0], samples=1))


def test_the_report_needs_no_torch(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("camvid",), samples=0)
    program = (
        "import sys; from spn.cli.main import dispatch;"
        f"assert dispatch(['report', {str(run)!r}, '--out', {str(tmp_path / 'report')!r}]) == 0;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
