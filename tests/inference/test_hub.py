"""Weights on the Hugging Face hub: a stand-in on this machine answers as the hub does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from models.small_network import SMALL
from report.recorded_runs import record_run
from spn.cli.main import dispatch
from spn.core.errors import CheckpointError
from spn.inference.hub import hub_address
from spn.inference.weights import file_sha256, load, save_network
from spn.models.build import build_network

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What spn release writes for the hub, of a run that was measured."""
    root = tmp_path_factory.mktemp("release")
    run = record_run(root / "run", "spn", keys=("cityscapes", "camvid"), samples=0)
    info = {"method": "spn", "trained_on": ["GTAV (simulated)"], "seed": 3, "steps": 70}
    save_network(run / "model.safetensors", build_network(SMALL), model_config=SMALL, info=info)
    results = run / "evaluation" / "results.json"
    measured = results.read_text()
    assert dispatch(["release", str(run), "--out", str(root / "other")]) == 0
    assert "Nothing was measured" in (root / "other" / "README.md").read_text()  # but with other weights
    results.write_text(measured.replace('"cd"', f'"{file_sha256(run / "model.safetensors")}"'))
    assert dispatch(["release", str(run), "--out", str(root / "streets")]) == 0
    return root / "streets"


@pytest.fixture(scope="module")
def hub(folder: Path) -> Iterator[str]:
    """The address of a server with one repository, me/streets, with one revision beside main: v1."""

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            missing = (
                "RepoNotFound" if repository != "me/streets"
                else "RevisionNotFound" if revision not in ("main", "v1", COMMIT)
                else "EntryNotFound" if not (folder / name).is_file()
                else None
            )  # fmt: skip
            data = b"" if missing else (folder / name).read_bytes()
            self.send_response(404 if missing else 200)
            if missing:
                self.send_header("X-Error-Code", missing)
            else:
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def loading(source: str, *, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    """`spn.load(source)` in a process of its own, as the hub's address is read once."""
    program = "import sys, spn; model = spn.load(sys.argv[1]); print(model.sha256, model.info['seed'])"
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-c", program, source],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_weights_come_from_the_hub_and_then_from_the_cache(hub: str, folder: Path, tmp_path: Path) -> None:
    ours = load(folder)
    for source, endpoint in (
        ("hf://me/streets", hub),
        ("hf://me/streets@v1", hub),
        ("hf://me/streets", "http://127.0.0.1:9"),
    ):
        done = loading(source, endpoint=endpoint, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [ours.sha256, "3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf://me/nothing", "hf://me/nothing: the hub has no such repository"),
        ("hf://me/streets@v9", "hf://me/streets@v9: the repository has no revision 'v9'"),
        ("unreachable", "hf://me/streets: the hub cannot be reached, and this machine has no copy"),
    ],
)
def test_what_the_hub_does_not_give_is_one_sentence(
    hub: str, tmp_path: Path, source: str, message: str
) -> None:
    away = source == "unreachable"
    done = loading(
        "hf://me/streets" if away else source, endpoint="http://127.0.0.1:9" if away else hub, home=tmp_path
    )
    assert done.returncode
    assert f"CheckpointError: {message}" in done.stderr.splitlines()[-1].removeprefix("spn.core.errors.")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("hf://me/streets", ("me/streets", None)),
        (Path("hf://me/streets"), ("me/streets", None)),
        ("hf://me/st-re.ets@refs/pr/1", ("me/st-re.ets", "refs/pr/1")),
        ("me/streets", None),
        (Path("hf:me"), None),
    ],
)
def test_addresses(source: str | Path, found: tuple[str, str | None] | None) -> None:
    assert hub_address(source) == found


@pytest.mark.parametrize(
    "source", ["hf://streets", "hf://a/b/c", "https://example.org/model.safetensors", "hf://"]
)
def test_what_is_no_address_is_one_sentence(source: str) -> None:
    for given in (source, Path(source)):
        with pytest.raises(CheckpointError, match=f"^{source}: wanted hf://owner/name"):
            load(given)


def test_the_card_holds_what_was_measured(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    _, head, text = (folder / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(head)
    assert (card["license"], card["library_name"]) == ("cc-by-nc-sa-4.0", "spn")
    (model,) = card["model-index"]
    assert model["name"] == "streets"
    figures = {r["dataset"]["type"]: r["metrics"][0]["value"] for r in model["results"]}
    assert figures.keys() == {"cityscapes", "camvid"}
    for value in figures.values():
        assert f"{value:.2f}" in text
    for words in (
        "GTAV (simulated)",
        "road, sidewalk",
        'spn.load("hf://OWNER/streets")',
        "safety",
        "| 70, 3",
    ):
        assert words in text
    configuration = json.loads((folder / "config.json").read_text())
    assert configuration["classes"] == list(load(folder).classes)


def test_a_release_is_repeated_but_takes_no_folder_of_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["release", str(folder), "--out", str(tmp_path / "again")]) == 0
    assert dispatch(["release", str(folder), "--out", str(tmp_path / "again")]) == 0
    assert "Nothing was measured" in (tmp_path / "again" / "README.md").read_text()
    damaged = tmp_path / "again" / "evaluation" / "results.json"
    damaged.parent.mkdir()
    damaged.write_text('{"domains": [{}]}')
    assert dispatch(["release", str(tmp_path / "again"), "--out", str(tmp_path / "third")]) == 1
    assert str(damaged) in capsys.readouterr().err
    assert not (tmp_path / "third").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("# Mine")
    assert dispatch(["release", str(folder), "--out", str(tmp_path / "mine")]) == 1
    assert "README.md is there and was not written by this command" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]
