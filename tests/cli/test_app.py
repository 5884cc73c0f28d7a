from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from servewatch import __version__
from servewatch.cli.app import app
from servewatch.errors import DataError, GateError

run = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke


@pytest.mark.parametrize("command", ["demo", "baseline", "replay", "gate", "feedback"])
def test_the_help_lists_the_command(command: str) -> None:
    assert command in run(app, ["--help"]).stdout


@pytest.mark.parametrize("command", ["demo", "replay", "gate", "feedback"])
def test_the_help_of_a_command_has_an_example(command: str) -> None:
    assert f"servewatch {command}" in run(app, [command, "--help"]).stdout


def test_the_version_is_told() -> None:
    assert run(app, ["--version"]).stdout == f"servewatch {__version__}\n"


def test_an_error_is_a_paragraph_and_exit_code_2() -> None:
    result = run(app, ["gate", "ftp://a"])

    assert result.exit_code == 2
    assert result.stderr == (
        "error: this is no address of a server: found 'ftp://a', expected a URL such as"
        " http://127.0.0.1:8000\n"
    )


def test_debug_keeps_the_error_whole() -> None:
    result = run(app, ["--debug", "gate", "ftp://a"])

    assert isinstance(result.exception, GateError)


def test_an_unknown_option_is_exit_code_2() -> None:
    assert run(app, ["gate", "--nonsense"]).exit_code == 2


def test_nobody_at_the_address_is_exit_code_2() -> None:
    result = run(app, ["gate", "http://127.0.0.1:9"])

    assert result.exit_code == 2
    assert "the server does not answer" in result.stderr


def test_replay_refuses_two_clocks(tmp_path: Path) -> None:
    options = ["--timestamp", "t", "--rows-per-second", "5", "-b", "b.json"]

    result = run(app, ["replay", "f.csv", *options])

    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_replay_refuses_a_pace_of_nothing() -> None:
    result = run(app, ["replay", "f.csv", "-b", "b.json", "--rows-per-second", "0"])

    assert result.exit_code == 2
    assert "expected a number above 0" in result.stderr


def test_without_typer_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['typer'] = None; "
        "from servewatch.cli import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr == (
        "error: the command line needs packages that are not installed; "
        "pip install 'servewatch[cli]'\n"
    )


def test_an_error_keeps_what_looks_like_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = DataError("column [red] is odd")

    assert "[red]" in str(error)
    result = run(app, ["replay", "[red].csv", "-b", "[blue].json"])
    assert "[blue].json" in result.stderr


def test_without_its_packages_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("servewatch.cli.demo.PACKAGES", ("json", "not_installed"))

    result = run(app, ["demo"])

    assert result.exit_code == 2
    assert "pip install 'servewatch[demo]'" in result.stderr
