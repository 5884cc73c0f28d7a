"""`servewatch audit`: whether an audit log is as it was written, and what it says."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from servewatch.cli.terminal import stdout
from servewatch.errors import DataError
from servewatch.pipeline.audit_chain import Verified, lines_of, sound, verify

NOT_INTACT = 1
HEXADECIMAL = frozenset("0123456789abcdef")
FRAME = ("at", "kind", "seq", "previous", "digest")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Verify and read the log that the setting `audit_log` names.",
)

File = Annotated[Path, typer.Argument(help="The log, such as audit.jsonl")]
Anchor = Annotated[
    str | None,
    typer.Option(
        "--anchor",
        metavar="DIGEST",
        help="The last digest known: it must still be in the log.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of sentences.")
]


@app.command("verify")
def verify_log(file: File, *, anchor: Anchor = None, as_json: AsJson = False) -> None:
    """Say whether every line is the one that was written, and in its place.

    Without `--anchor` nobody can see that lines are missing at the end: write down
    elsewhere the digest that this prints, and give it the next time.

    Exit codes: **0** intact; **1** not, and the first fault is told; **2** no such log.

    For example:

    * `servewatch audit verify audit.jsonl`

    * `servewatch audit verify audit.jsonl --anchor 4c3f... --json`
    """
    found = verify(file, anchor=_digest(anchor))
    if as_json:
        typer.echo(json.dumps({"intact": found.is_intact, **asdict(found)}))
    else:
        explain(stdout(), found)
    if not found.is_intact:
        raise typer.Exit(NOT_INTACT)


@app.command("show")
def show_log(file: File) -> None:
    """Print each line as a sentence; one that is not as it was written says so.

    For example:

    * `servewatch audit show audit.jsonl`
    """
    console = stdout()
    for number, raw in enumerate(lines_of(file), start=1):
        facts = sound(raw.rstrip(b"\n"))
        line = "not as it was written" if facts is None else sentence(facts)
        console.print(f"{number:>6}  {line}", markup=False, soft_wrap=True)


def explain(console: Console, found: Verified) -> None:
    """Print what was found, in sentences."""
    lines = "1 line" if found.lines == 1 else f"{found.lines:,} lines"
    if found.fault is None:
        console.print(f"[green]intact[/]: {lines}")
    else:
        fault = found.fault
        console.print(f"[bold red]not intact[/]: line {fault.line} ", end="")
        console.print(f"{fault.what}: {fault.words}", markup=False, soft_wrap=True)
        console.print(f"{lines} before it {'is' if found.lines == 1 else 'are'} intact")
    if found.last is not None:
        console.print(f"anchor: {found.last}", soft_wrap=True)


def sentence(facts: dict[str, Any]) -> str:
    """Give a line of the log for people.

    >>> sentence({"at": "2026-01-01T00:00:00.000Z", "kind": "gate.changed", "seq": 1})
    '2026-01-01T00:00:00.000Z  gate.changed'
    """
    rest = (
        f"{name}={json.dumps(fact)}"
        for name, fact in sorted(facts.items())
        if name not in FRAME and fact not in (None, "", [], {})
    )
    text = "  ".join((str(facts.get("at")), str(facts.get("kind")), *rest))
    return text.encode("unicode_escape").decode()  # nothing that a terminal obeys


def _digest(anchor: str | None) -> str | None:
    if anchor is None:
        return None
    anchor = anchor.strip().lower()
    if len(anchor) != 64 or not HEXADECIMAL.issuperset(anchor):
        raise DataError(
            "the anchor is no digest",
            found=anchor,
            expected="64 hexadecimal digits, as `servewatch audit verify` prints",
        )
    return anchor
