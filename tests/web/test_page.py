"""The page in a browser: dropped, seen, chosen, downloaded; refused; and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.slow
SPACE = Path(__file__).parents[2] / "examples" / "space"


class Server(NamedTuple):
    process: subprocess.Popen[str]
    address: str
    temporary: Path


@pytest.fixture(scope="module")
def server(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`spn web` with the shipped model, and a folder for its temporary files."""
    pytest.importorskip("gradio", reason="the extra `web` is not installed")
    temporary = tmp_path_factory.mktemp("temporary")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "spn.cli.main", "web", "--port", str(port), "--megabytes", "1"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()
            assert said == f"open http://127.0.0.1:{port}/ in a browser; Ctrl-C ends it\n"
            yield Server(process, f"http://127.0.0.1:{port}/", temporary)
        finally:
            process.kill()


@pytest.fixture
def page(complaints: tuple[BrowserContext, list[str]], server: Server) -> Page:
    context, found = complaints
    context.set_default_timeout(60_000)
    context.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((server.address, "data:", "blob:")) else found.append(asked.url)
        ),
    )
    page = context.new_page()
    page.goto(server.address)
    return page


def drop(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def test_a_photograph_is_seen(
    page: Page, complaints: tuple[BrowserContext, list[str]], tmp_path: Path, server: Server
) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "my street.jpg")
    drop(page, tmp_path / "my street.jpg")
    page.get_by_role("status").filter(has_text="my street.jpg, 90 × 60 pixels").wait_for()
    rows = page.locator("table.classes tbody tr")
    rows.first.wait_for()
    pictures = page.locator("[data-testid=imageslider], .slider-wrap, .slider").locator("img")
    pictures.first.wait_for()
    before = pictures.evaluate_all("(all) => all.map((one) => one.src)")
    assert len(before) >= 2
    page.get_by_role("button", name="No class").click()
    changed = "(before) => [...document.images].map((one) => one.src).join() !== before"
    page.wait_for_function(changed, arg=",".join(before))
    with page.expect_download() as download:
        page.get_by_role("link", name="Labels (PNG)").or_(
            page.get_by_role("button", name="Labels (PNG)")
        ).first.click()
    download.value.save_as(tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as labels:
        assert (labels.mode, labels.size) == ("P", (90, 60))
    problems = [text for text in complaints[1] if not text.startswith("warning:")]
    assert problems == []


def test_what_is_no_picture_is_refused_in_plain_words(page: Page, tmp_path: Path, server: Server) -> None:
    (tmp_path / "letter.txt").write_text("hello")
    drop(page, tmp_path / "letter.txt")
    said = page.get_by_role("alert").filter(has_text="letter.txt: cannot be read as an image")
    said.wait_for()
    assert str(server.temporary) not in said.inner_text()


def test_a_file_over_the_limit_is_refused(page: Page, tmp_path: Path) -> None:
    (tmp_path / "large.jpg").write_bytes(b"0" * 1_100_000)
    drop(page, tmp_path / "large.jpg")
    page.get_by_text("exceed the maximum allowed size").first.wait_for()


def test_a_video_is_seen(page: Page, tmp_path: Path) -> None:
    films = pytest.importorskip("inference.films", reason="the extra `video` is not installed")
    picture = np.full((48, 64, 3), (128, 64, 128), np.uint8)
    drop(page, films.write_film(tmp_path / "drive.mp4", [picture] * 3, lossless=False))
    page.get_by_role("status").filter(has_text="drive.mp4: 3 frames").wait_for()
    page.locator("video").wait_for()


def test_it_listens_on_this_computer_alone_and_leaves_nothing(server: Server) -> None:
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)
    assert list(server.temporary.glob("spn-web-*"))
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 143
    assert list(server.temporary.iterdir()) == []


def test_files_are_deleted_when_nothing_was_written_beside_them_for_a_while(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the extra `web` is not installed")
    from spn.web.look import Limits
    from spn.web.page import Answers

    answers = Answers({"shipped": None}, tmp_path, limits=Limits(), device="cpu")
    for name in ("old/photo.png", "working/photo.png", "working/film.mp4", "alone.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for path in (*tmp_path.rglob("*"),):
        if path.name != "film.mp4":
            os.utime(path, (1, 1))
    answers.forget()
    assert {path.name for path in tmp_path.rglob("*")} == {"working", "photo.png", "film.mp4"}


def test_the_space_names_what_is_there() -> None:
    _, head, _ = (SPACE / "README.md").read_text().split("---\n", 2)
    header = yaml.safe_load(head)
    assert header["sdk"] == "gradio"
    assert (SPACE / header["app_file"]).is_file()
    assert (SPACE / "requirements.txt").read_text() == "spn-segmentation[web]\n"
