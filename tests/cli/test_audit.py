from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from servewatch.cli.app import app
from servewatch.pipeline.audit import AuditLog
from servewatch.pipeline.audit_chain import GENESIS, seal

run = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    audit = AuditLog(path, clock=lambda: 1e9)
    audit.note("gate.changed", verdict="pass", was=None)
    audit.note("alarm.acknowledged", who="ann", what="price")
    audit.write()
    return path


def last_digest(log: Path) -> str:
    return str(json.loads(log.read_bytes().splitlines()[-1])["digest"])


def test_an_intact_log_is_exit_code_0_and_says_its_anchor(log: Path) -> None:
    result = run(app, ["audit", "verify", str(log)])

    assert result.exit_code == 0
    assert result.stdout == f"intact: 2 lines\nanchor: {last_digest(log)}\n"


def test_a_touched_log_is_exit_code_1_and_says_where(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"ann"', b'"bob"'))

    result = run(app, ["audit", "verify", str(log)])

    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "not intact: line 2 changed: the line is not the one that was written",
        "1 line before it is intact",
    ]


def test_the_answer_for_programs_is_one_object(log: Path) -> None:
    log.write_bytes(log.read_bytes()[1:])

    result = run(app, ["audit", "verify", str(log), "--json"])

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "intact": False,
        "lines": 0,
        "last": None,
        "fault": {
            "line": 1,
            "what": "changed",
            "words": "the line is not the one that was written",
        },
    }


def test_an_anchor_finds_that_the_end_is_missing(log: Path) -> None:
    anchor = last_digest(log)
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])

    assert run(app, ["audit", "verify", str(log)]).exit_code == 0
    result = run(app, ["audit", "verify", str(log), "--anchor", anchor.upper()])
    assert result.exit_code == 1
    assert "line 2 anchor: no line has the digest" in result.stdout


def test_what_is_no_digest_is_exit_code_2(log: Path) -> None:
    result = run(app, ["audit", "verify", str(log), "--anchor", "4c3f"])

    assert result.exit_code == 2
    assert "64 hexadecimal digits" in result.stderr


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_log_that_is_not_there_is_exit_code_2(command: str, tmp_path: Path) -> None:
    result = run(app, ["audit", command, str(tmp_path / "no")])

    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_show_prints_every_line_in_words(log: Path) -> None:
    result = run(app, ["audit", "show", str(log)])

    assert result.exit_code == 0
    at = "2001-09-09T01:46:40.000Z"
    assert result.stdout.splitlines() == [
        f'     1  {at}  gate.changed  verdict="pass"',
        f'     2  {at}  alarm.acknowledged  what="price"  who="ann"',
    ]


def test_show_says_which_line_was_touched(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"ann"', b'"bob"'))

    assert "2  not as it was written" in run(app, ["audit", "show", str(log)]).stdout


def test_show_writes_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    line, _ = seal({"kind": "\x1b[2J", "\x1b]0;": "\x07", "seq": 1}, GENESIS)
    path.write_bytes(line + b"\n")

    shown = run(app, ["audit", "show", str(path)]).stdout

    assert shown.rstrip("\n").isprintable()


@pytest.mark.parametrize("command", ["verify", "show"])
def test_the_help_has_an_example(command: str) -> None:
    shown = run(app, ["audit", command, "--help"]).stdout

    assert f"servewatch audit {command} audit.jsonl" in shown
