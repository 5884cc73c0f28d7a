"""`servewatch demo`: a real model, served, watched, and fed a fault."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.markup import escape

from servewatch.cli.terminal import counted, progress_bar, stderr, stdout, styled
from servewatch.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

    from servewatch.client import Client
    from servewatch.demo.narrator import Turn

PACKAGES = ("fastapi", "pandas", "sklearn", "uvicorn")
METRICS = (
    "servewatch_rows_total",
    "servewatch_requests_total",
    "servewatch_drift_status",
)
METRICS_OF_STREAM = ("servewatch_stream_status", "servewatch_stream_missing_ratio")


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server up until Ctrl-C.")
    ] = False,
    speed: Annotated[
        float,
        typer.Option(
            "--speed", min=0.1, max=10, metavar="WEEKS", help="Weeks sent per second."
        ),
    ] = 1.0,
) -> None:
    """Watch a real model meet the second half of 2010, in about a minute and a half.

    Trains a model on two years of a shop's weekly sales, packages its baseline, serves
    it with FastAPI on this machine, and sends it July to December 2010 over HTTP, week
    by week: first as they were, then with a source of features that dies in September.
    What each week really sold follows a week later. Prints what ServeWatch says, and
    what is known to be true.

    For example:

    * `servewatch demo`

    * `servewatch demo --keep --speed 2`
    """
    if not all(map(find_spec, PACKAGES)):
        raise MissingExtra("servewatch demo", extra="demo")
    from servewatch.demo import retail

    with tempfile.TemporaryDirectory(prefix="servewatch-demo-") as name:
        folder = Path(name)
        rows = retail.read_rows()
        _prepare(folder, rows)
        served_rows = retail.between(rows, retail.SERVING_FROM, retail.DEMO_ENDS)
        _say("\n[bold]1. July to December 2010, as they were[/]")
        _run(folder, served_rows, speed=speed, is_faulty=False, keep=False)
        _say(
            f"\n[bold]2. The same weeks, but from {retail.FAULT_FROM} on "
            f"{' and '.join(retail.FAULTY)} arrive empty[/]"
        )
        broken = retail.break_source(served_rows)
        _run(folder, broken, speed=speed, is_faulty=True, keep=keep)


def _prepare(folder: Path, rows: pd.DataFrame) -> None:
    from servewatch.demo.model import fit, package
    from servewatch.demo.retail import BASELINE_FILE

    with progress_bar() as progress:
        task = progress.add_task("training a model", total=3)
        model = fit(rows)
        progress.update(task, advance=1, description="packaging its baseline")
        baseline = package(rows, model)
        progress.update(task, advance=1, description="writing it down")
        baseline.save(folder / BASELINE_FILE)
    lineage = baseline.lineage
    _say(
        f"Trained on {lineage.train_rows:,} rows; the baseline ({baseline.digest[:12]})"
        f" also holds {lineage.evaluation_rows:,} rows the model has not seen."
    )


def _run(
    folder: Path, rows: pd.DataFrame, *, speed: float, is_faulty: bool, keep: bool
) -> None:
    from servewatch.demo.narrator import Narrator
    from servewatch.demo.server import served
    from servewatch.demo.story import send_weeks

    console = stdout()
    weeks = int(rows["week"].nunique())
    narrator = Narrator(is_faulty=is_faulty)
    with served(folder, block_seconds=1 / speed) as client:
        _say(f"[dim]serving at {client.base}[/]")
        # On a terminal lines are printed above the bar, so both share one console.
        bar = console if console.is_terminal else stderr()
        with progress_bar(counted(), console=bar) as progress:
            task = progress.add_task("sending", total=weeks)

            def on_week(week: str) -> None:
                progress.update(task, advance=1, description=f"week of {week}")

            answer = send_weeks(
                client,
                rows,
                narrator,
                block_seconds=1 / speed,
                tell=lambda turn: (
                    progress.console.print(sentence(turn), soft_wrap=True)
                    if console.is_terminal
                    else _say(sentence(turn))
                ),
                on_week=on_week,
            )
        _show_end(client, answer, with_json=is_faulty)
        if keep:
            _wait(client)


def sentence(turn: Turn) -> str:
    """Give a turn as rich markup: when, what, since when, why, and what is known."""
    labels = turn.labels
    what = "week" if labels is None else "labels"
    since = "" if turn.since is None else f" since the {what} of {turn.since}"
    stream = f"[bold]{escape(turn.stream)}[/]"
    lines = [f"[dim]{turn.week}[/]  {styled(turn.status)}: {stream}{since}"]
    if turn.cause:
        lines.append(f"            why: {escape(turn.cause)}")
    if labels is not None:
        if labels.measured:
            said = f"up to the labels of {labels.week}: {labels.measured}"
            lines.append(f"            {escape(said)}")
        if labels.beside:
            names = escape(", ".join(labels.beside))
            lines.append(f"            drifting beside it: {names}")
    if turn.known:
        lines.append(f"            known: {escape(turn.known)}")
    if turn.card:
        lines += card_lines(turn.card, indent="            ")
    return "\n".join(lines)


def card_lines(card: Sequence[str], *, indent: str) -> list[str]:
    """Give a cause card as rich markup, all that follows the headline below it.

    >>> card_lines(["price: missing values", "predictions moved"], indent="")
    ['cause card: price: missing values', '            predictions moved']
    """
    headline, *more = card
    below = " " * len("cause card: ")
    return [
        f"{indent}cause card: {escape(headline)}",
        *(f"{indent}{below}{escape(line)}" for line in more),
    ]


def by_labels(performance: Mapping[str, Any]) -> str:
    """Say how good the model was since July; nothing where labels do not say it."""
    from servewatch.demo.narrator import METRIC, with_interval

    metric = performance.get(METRIC)
    if metric is None or metric["low"] is None:
        return ""
    return escape(
        f"{METRIC.upper()} since July, errors over units sold: {with_interval(metric)} "
        f"of {metric['labels']:,} labels (coverage {100 * metric['coverage']:.0f} %); "
        f"{metric['baseline']['value']:.2f} on evaluation"
    )


def condensed(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Give the part of /drift that the demo shows: all that is not ok, and the gate."""
    keys = ("name", "role", "status", "since", "evidence", "threshold", "cause")
    return {
        "status": answer["status"],
        "gate": {key: answer["gate"][key] for key in ("verdict", "ok", "rows")},
        "model": answer["model"],
        "rows": answer["rows"],
        "streams": [
            {key: stream[key] for key in keys}
            for stream in answer["streams"]
            if stream["status"] in {"drift", "warning"}
        ],
    }


def metric_lines(text: str, answer: Mapping[str, Any]) -> list[str]:
    """Give the lines of /metrics that speak of the whole or of a moved stream."""
    moved = [f'stream="{stream["name"]}"' for stream in condensed(answer)["streams"]]
    return [
        line
        for line in text.splitlines()
        if line.startswith(METRICS)
        or (line.startswith(METRICS_OF_STREAM) and any(each in line for each in moved))
    ]


def _show_end(client: Client, answer: Mapping[str, Any], *, with_json: bool) -> None:
    from servewatch.demo.narrator import main_card

    shown = condensed(answer)
    names = ", ".join(each["name"] for each in shown["streams"]) or "none"
    verdict = styled(shown["gate"]["verdict"])
    _say(
        f"At the end: {styled(shown['status'])}, gate {verdict}, {shown['rows']:,} rows"
        f"; streams not ok: {escape(names)}"
    )
    card = main_card(answer)
    if card:
        _say("\n".join(card_lines(card, indent="")))
    said = by_labels(answer["performance"])
    if said:
        _say(said)
    if not with_json:
        return
    _say("\n[bold]GET /drift[/] [dim](what is not ok)[/]")
    console = stdout()
    text = msgspec.json.encode(shown).decode()
    if console.is_terminal:
        console.print_json(text)
    else:
        typer.echo(msgspec.json.format(text, indent=2))
    _say("\n[bold]GET /metrics[/] [dim](the lines that matter)[/]")
    for line in metric_lines(client.get("/metrics").decode(), answer):
        typer.echo(line)


def _wait(client: Client) -> None:
    _say("\nThe server stays up; Ctrl-C ends it.")
    for route in ("/drift", "/metrics", "/watch/health", "/docs"):
        _say(f"  {client.base}{route}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        _say("Ended.")


def _say(text: str) -> None:
    stdout().print(text, soft_wrap=True)
