"""What a stranger installs: equal dependency lists, presets in the wheel, clean tracked files."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def expected_conda_environment() -> str:
    dependencies = "\n".join(f'      - "{dependency}"' for dependency in PROJECT["dependencies"])
    return f"""\
# The conda environment of the authors' README:
#   conda env create -f SPN.yml
#   conda activate SPN
# conda brings Python; pip brings the dependencies of pyproject.toml (tests keep the two lists equal)
# and the package itself, from this folder.
name: SPN
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pip:
{dependencies}
      - "-e ."
"""


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True
    ).stdout.decode()
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def test_conda_environment_has_the_dependencies_of_pyproject() -> None:
    assert (ROOT / "SPN.yml").read_text(encoding="utf-8") == expected_conda_environment(), (
        "SPN.yml differs from pyproject.toml; it should read:\n" + expected_conda_environment()
    )


def test_dependencies_are_sorted_and_state_a_minimum() -> None:
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        assert group == sorted(group, key=lambda dependency: dependency.split(">=")[0])
        assert all(">=" in dependency for dependency in group)


def test_the_continuous_integration_script_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text(encoding="utf-8").rstrip().endswith("make test")
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_make_test_ends_with_pytest_and_make_demo_with_the_demo() -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def plan(target: str) -> list[str]:
        command = ["make", "--always-make", "--dry-run", target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=outside)
        return done.stdout.splitlines()

    assert "-m pytest" in plan("test")[-1]
    assert "spn demo --out runs/demo" in plan("demo")[-1]


def test_readme_opens_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_block = re.search(r"```(?:sh|bash)\n(.*?)```", readme, re.S)
    assert first_block is not None
    assert [line.split("#")[0].strip() for line in first_block[1].strip().splitlines()] == [
        "make demo",
        "make test",
    ]


def test_links_of_the_documentation_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"


def test_no_tracked_file_names_this_machine_or_a_package_registry() -> None:
    machine = re.compile("/" + r"(?:work|root|home/\w+|opt)/[\w.-]|\.\./" + "shared")
    hosts = ("py" + "pi.org", "python" + "hosted.org", "registry" + ".npmjs", "download" + ".pytorch")
    registry = re.compile("|".join(map(re.escape, hosts)))
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            if machine.search(line) or registry.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_source_names_no_temporary_folder() -> None:
    found = [path for path in tracked_files() if "src" in path.parts and b'"/tmp' in path.read_bytes()]
    assert not found


def test_wheel_holds_the_presets_and_nothing_else_than_the_package(tmp_path: Path) -> None:
    """Built by the backend in this environment, so that it needs no network."""
    pytest.importorskip(
        "hatchling", reason="build backend not installed (pip keeps its own copy while building)"
    )
    subprocess.run(
        [sys.executable, "-c", "import sys, hatchling.build as b; b.build_wheel(sys.argv[1])", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in tracked_files()
        if path.is_relative_to(ROOT / "src") and path.name != ".gitignore"
    }
    assert sources <= set(names)
    assert {name.split("/")[0] for name in names} == {"spn", "streets", f"spn-{PROJECT['version']}.dist-info"}
    for preset in ("tiny", "r50", "r101"):
        assert f"spn/presets/{preset}.toml" in names
    assert "spn/weights/streets.safetensors" in names
