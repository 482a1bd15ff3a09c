"""The documentation is true: its Python runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spn.data.registry import BUILT_IN
from spn.data.traps import TRAPS

ROOT = Path(__file__).parent.parent
PROGRAM = Path(__file__).with_name("documentation_program.py")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
NOT_RUN = "# not run:"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of the page's blocks that can be tried, but for the notebook's commands.

    The notebook keeps commands as they were run; options have other names since.
    """
    wanted = {"python"} if "notebook" in page.parts else {"python", "sh", "toml"}
    found = [(match[1], match[2]) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]
    return [(language, text) for language, text in found if language in wanted]


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ +(.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What fails on each page, from one process for all of them."""
    workspace = tmp_path_factory.mktemp("documentation")
    pages = workspace / "pages.json"
    pages.write_text(json.dumps([[name(page), blocks(page)] for page in PAGES]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(pages)],
        cwd=workspace,
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_python_runs_and_commands_are_understood(page: Path, report: dict[str, list[str]]) -> None:
    assert not report[name(page)], "\n\n".join(report[name(page)])


def test_few_examples_are_not_run_and_each_says_why() -> None:
    skipped = [text.splitlines()[0] for page in PAGES for _, text in blocks(page) if text.startswith(NOT_RUN)]
    assert len(skipped) <= 4
    assert all(len(line.removeprefix(NOT_RUN).strip()) > 5 for line in skipped)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for match in _LINK.finditer(prose(page)):
        target, _, anchor = (match[1] or match[2]).partition("#")
        if "://" in target:
            continue
        file = page if not target else (page.parent / target).resolve()
        if not file.exists():
            broken.append(target)
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            broken.append(f"{target}#{anchor}")
        elif ROOT / "docs" in page.parents and not file.is_relative_to(ROOT / "docs"):
            broken.append(f"{target} (outside docs: the site does not hold it)")
    assert not broken


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]}
    assert pages == set(re.findall(r"^ *- (\S+\.md)$", navigation, re.M))


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "reference" / "api.html").is_file()


def named_in_table(heading: str) -> set[str]:
    """What stands in backticks in the first column, below a heading of docs/datasets.md."""
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    section = page.split(f"\n{heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {text for cell in cells for text in re.findall("`([^`]+)`", cell)}


@pytest.mark.parametrize("title", ["Where to get them, terms, and what was checked", "Layouts", "Label maps"])
def test_every_dataset_stands_in_each_table(title: str) -> None:
    assert set(BUILT_IN) <= named_in_table(f"## {title}")


def test_every_trap_stands_in_the_doctors_table() -> None:
    assert set(TRAPS) <= named_in_table("### Every file: `spn data check`")
