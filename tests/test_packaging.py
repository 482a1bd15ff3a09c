"""What a stranger installs: one version, one list of dependencies, and distributions that hold everything."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
import yaml

import spn

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tracked_sources() -> set[str]:
    """The files under src that git knows or would take, as paths inside an installed package."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "src"]
    listing = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    names = [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
    return {name.removeprefix("src/") for name in names}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Source distribution and wheel, built by the backend of this environment (so no network is needed)."""
    pytest.importorskip("hatchling", reason="the build backend is not installed (extra `dev`)")
    folder = tmp_path_factory.mktemp("dist")
    program = (
        "import sys, hatchling.build as b; print(b.build_sdist(sys.argv[1]), b.build_wheel(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    source, wheel = done.stdout.split()
    return folder / source, folder / wheel


def test_conda_environment_has_the_dependencies_of_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "SPN.yml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == [*PROJECT["dependencies"], "-e ."]
    assert environment["name"] == "SPN"


def test_dependencies_are_sorted_and_state_a_minimum() -> None:
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        assert group == sorted(group, key=lambda dependency: re.split(r"[\[>]", dependency)[0])
        assert all(">=" in dependency for dependency in group)


def test_citation_file_names_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == spn.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["preferred-citation"]["url"] == PROJECT["urls"]["Paper"]


def make_plan(target: str) -> str:
    """The commands that make would run."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--always-make", "--dry-run", *target.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=outside)
    return done.stdout


def test_continuous_integration_runs_the_fast_and_the_slow_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    targets = re.findall(r"^make (.+?)\s*(?:#.*)?$", script.read_text(encoding="utf-8"), re.M)
    plan = "".join(map(make_plan, targets))
    for command in ("ruff check", "mypy", "lint-imports", "-m pytest -n", "-m slow"):
        assert command in plan


def test_wheel_holds_every_file_of_the_two_packages_and_nothing_else(
    distributions: tuple[Path, Path],
) -> None:
    names = set(zipfile.ZipFile(distributions[1]).namelist())
    information = f"spn_segmentation-{spn.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"spn", "streets", information}
    inside = {name for name in names if not name.startswith(information)}
    assert inside == {name for name in tracked_sources() if not name.endswith(".gitignore")}
    assert {"spn/presets/tiny.toml", "spn/weights/streets.safetensors"} <= inside


def test_wheel_states_version_licence_and_command(distributions: tuple[Path, Path]) -> None:
    information = f"spn_segmentation-{spn.__version__}.dist-info"
    with zipfile.ZipFile(distributions[1]) as wheel:
        metadata = Parser().parsestr(wheel.read(f"{information}/METADATA").decode())
        commands = wheel.read(f"{information}/entry_points.txt").decode()
        assert f"{information}/licenses/LICENSE" in wheel.namelist()
    assert (metadata["Name"], metadata["Version"]) == ("spn-segmentation", spn.__version__)
    assert metadata["License-Expression"] == "CC-BY-NC-SA-4.0"
    assert "spn = spn.cli.main:main" in commands


def test_source_distribution_can_be_built_and_tested_from(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    needed = {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "Makefile", "tests/conftest.py"}
    assert needed | {f"src/{name}" for name in tracked_sources()} <= names
