"""Dispatch, exit statuses and messages of `spn`, with made-up commands in place of the real ones."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

import spn
from spn.cli.main import COMMANDS, dispatch, overview
from spn.core.errors import DatasetError


@dataclass(frozen=True)
class EchoCommand:
    """Say something."""

    word: str
    """What to say."""
    times: int = 1
    """How often."""


Register = Callable[..., Mapping[str, str]]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Returns a function that installs a command `echo` with the given `run` (and `parse`)."""

    def register_echo(**functions: object) -> Mapping[str, str]:
        module = types.ModuleType("spn.cli.echo")
        for name, function in {"EchoCommand": EchoCommand, **functions}.items():
            setattr(module, name, function)
        monkeypatch.setitem(sys.modules, "spn.cli.echo", module)
        return {"echo": "say something"}

    return register_echo


def raising(error: BaseException) -> Callable[[object], int]:
    def run(command: object) -> int:
        raise error

    return run


def spn_into(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`spn` with its standard output into a file or command."""
    line = shlex.join([sys.executable, "-m", "spn.cli.main", *arguments])
    return subprocess.run(["bash", "-c", f"{line} {target}"], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["report", "--help"], ["--version"]])
def test_output_that_cannot_be_written_is_one_sentence(arguments: list[str]) -> None:
    done = spn_into(">/dev/full", *arguments)
    assert done.returncode == 1
    assert ": the disk is full" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("arguments", [["--help"], ["report", "--help"]])
def test_a_reader_that_left_is_no_matter(arguments: list[str]) -> None:
    assert spn_into("| true", *arguments).stderr == ""


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ELOOP, errno.ESTALE, errno.ETIMEDOUT, errno.EINVAL])
def test_whatever_the_system_refuses_is_one_sentence(
    register: Register, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    error = OSError(number, os.strerror(number), "out/file.png")
    assert dispatch(["echo", "--word", "a"], commands=register(run=raising(error))) == 1
    said = capsys.readouterr().err
    assert "at out/file.png" in said
    assert said.count("\n") == 1


def test_runs_the_command_with_its_arguments(register: Register) -> None:
    received = []

    def run(command: EchoCommand) -> int:
        received.append(command)
        return 3

    assert dispatch(["echo", "--word", "hello", "--times", "2"], commands=register(run=run)) == 3
    assert received == [EchoCommand("hello", 2)]


def test_a_module_may_parse_its_own_arguments(register: Register) -> None:
    received = []

    def run(command: object) -> int:
        received.append(command)
        return 0

    commands = register(run=run, parse=lambda argv: tuple(argv))
    assert dispatch(["echo", "--preset", "tiny"], commands=commands) == 0
    assert received == [("--preset", "tiny")]


def test_a_mistake_of_the_user_is_one_line_without_traceback(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = register(run=raising(DatasetError("no images in here; expected *.png")))
    assert dispatch(["echo", "--word", "x"], commands=commands) == 1
    assert capsys.readouterr().err == "spn echo: no images in here; expected *.png\n"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full at out/file.png"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied at out/file.png"),
    ],
)
def test_a_disk_that_refuses_is_one_clear_line(
    register: Register, capsys: pytest.CaptureFixture[str], number: int, says: str
) -> None:
    commands = register(run=raising(OSError(number, os.strerror(number), "out/file.png")))
    assert dispatch(["echo", "--word", "x"], commands=commands) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_the_cause_of_a_wrapped_failure_is_found(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RuntimeError("writing failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert dispatch(["echo", "--word", "x"], commands=register(run=raising(error))) == 1
    assert "disk is full" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space"), "--shm-size"),
        (ValueError("Expected more than 1 value per channel when training, got [1, 8, 1, 1]"), "batch-size"),
        (RuntimeError("[x/third_party/gloo/transport/tcp/pair.cc:545] Read error"), "another process"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error"), "--runtime.workers"),
        (MemoryError(), "computer is out of memory"),
    ],
)
def test_what_libraries_raise_becomes_a_sentence(
    register: Register, capsys: pytest.CaptureFixture[str], error: Exception, says: str
) -> None:
    assert dispatch(["echo", "--word", "x"], commands=register(run=raising(error))) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_terminal_that_knows_ascii_only() -> None:
    command = [sys.executable, "-m", "spn.cli.main", "predict", "--help"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0
    assert b"Label photographs" in done.stdout


def test_out_of_memory_is_explained_without_importing_torch(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    accelerator_error = type("OutOfMemoryError", (RuntimeError,), {})
    commands = register(run=raising(accelerator_error("CUDA out of memory. Tried to allocate 2 GiB")))
    assert dispatch(["echo", "--word", "x"], commands=commands) == 1
    assert "accelerator is out of memory" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(register: Register) -> None:
    with pytest.raises(ZeroDivisionError):
        dispatch(["echo", "--word", "x"], commands=register(run=raising(ZeroDivisionError())))


def test_an_interrupt_says_how_to_go_on(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    commands = register(run=raising(KeyboardInterrupt()))
    assert dispatch(["echo", "--word", "x"], commands=commands) == 130
    assert "interrupted; repeat the command to continue" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--word"], ["--wrod", "x"], ["--word", "x", "--times", "many"]])
def test_bad_arguments_exit_with_2(register: Register, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        dispatch(["echo", *arguments], commands=register(run=lambda command: 0))
    assert stop.value.code == 2


def test_an_unknown_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["evalaute"]) == 2
    assert "did you mean 'evaluate'?" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["--help"]) == 0
    assert capsys.readouterr().out.strip() == overview().strip()
    assert dispatch(["--version"]) == 0
    assert capsys.readouterr().out == f"spn {spn.__version__}\n"
    assert dispatch([]) == 2


def test_help_lists_every_command_and_fits_a_terminal() -> None:
    lines = overview().splitlines()
    assert all(len(line) <= 100 for line in lines)
    for name, summary in COMMANDS.items():
        assert any(line.startswith(f"  {name} ") and line.endswith(summary) for line in lines)


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    program = (
        "import sys; from spn.cli.main import dispatch; dispatch(['--help']);"
        "print(sorted({'torch', 'tyro', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_command_loads_torch_to_explain_itself() -> None:
    modules = [f"spn.cli.{name.split()[0]}" for name in COMMANDS]
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules!r}];"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every module is there, follows the convention, and documents its options."""
    with pytest.raises(SystemExit) as stop:
        dispatch([*name.split(), "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: spn {name}" in said
    assert "--help" in said
