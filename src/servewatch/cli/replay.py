"""`servewatch replay`: says what ServeWatch would have said of these rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from servewatch.cli.terminal import progress_bar, stderr, stdout, styled
from servewatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from servewatch.monitor.performance import Performance
    from servewatch.replay import Changed, Replay

LOUD = {"warning", "drift"}
SHOWN_DISTANCE = "js"


File = Annotated[Path, typer.Argument(help="CSV or Parquet: the rows served.")]
BaselineFile = Annotated[
    Path,
    typer.Option("--baseline", "-b", help="What `servewatch baseline build` wrote."),
]
Timestamp = Annotated[
    str | None,
    typer.Option(
        "--timestamp",
        metavar="COLUMN",
        help="The column with the rows' times; without a zone they are UTC.",
    ),
]
Pace = Annotated[
    float | None,
    typer.Option(
        "--rows-per-second",
        metavar="N",
        help="How fast rows came, where they have no times. 10 by default.",
    ),
]
LabelDelay = Annotated[
    float | None,
    typer.Option(
        "--label-delay",
        min=0,
        metavar="SECONDS",
        help="How long after its row a label comes: 604800 is a week. 0 by default.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print a JSON line per change of state, then a summary."
    ),
]


def replay(
    file: File,
    baseline: BaselineFile,
    timestamp: Timestamp = None,
    rows_per_second: Pace = None,
    *,
    label_delay: LabelDelay = None,
    as_json: AsJson = False,
) -> None:
    """Stream a file of served rows through the very code that runs in production.

    Prints every change of state, and at the end how each stream stands. Time is the
    rows' own, so a year takes seconds; settings come from SERVEWATCH_* in the
    environment. The baseline's target column, if the file has it, holds labels: they
    count against the predictions, each when it is due, and those that are not due when
    the file ends are never seen.

    Exit codes: **0** it ran, whatever it says of the rows; **2** bad input. To stop a
    release, ask `servewatch gate`.

    For example:

    * `servewatch replay served.parquet --baseline model.baseline.json --timestamp at`

    * `servewatch replay served.csv -b model.baseline.json --rows-per-second 50 --json`

    * `servewatch replay sold.csv -b shop.json --timestamp week --label-delay 604800`
    """
    _check_clock(timestamp, rows_per_second)
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.replay import Replay
    from servewatch.replay.replay import ROWS_PER_SECOND

    with progress_bar(console=stderr()) as progress:
        task = progress.add_task(f"replaying {file.name}", total=None)
        running = Replay(
            file,
            Baseline.load(baseline),
            timestamp=timestamp,
            rows_per_second=rows_per_second or ROWS_PER_SECOND,
            label_delay_seconds=label_delay,
            config=Config.from_environ(os.environ),
            on_rows=lambda rows: progress.update(
                task, description=f"{rows:,} rows replayed"
            ),
        )
        for changed in running:
            if as_json:
                _print_json(json_line(changed))
            elif {changed.change.status, changed.change.previous} & LOUD:
                stdout().print(sentence(changed), soft_wrap=True)
    if as_json:
        _print_json({"summary": running.summary()})
    else:
        _print_summary(running)


def _check_clock(timestamp: str | None, rows_per_second: float | None) -> None:
    if timestamp is not None and rows_per_second is not None:
        raise ConfigError(
            "rows have their own times or come at an even pace, not both",
            found=f"--timestamp {timestamp} and --rows-per-second {rows_per_second:g}",
            remedy="leave one of them out",
        )
    if rows_per_second is not None and not 0 < rows_per_second < float("inf"):
        raise ConfigError(
            "--rows-per-second cannot be used",
            found=rows_per_second,
            expected="a number above 0",
        )


def sentence(changed: Changed) -> str:
    """Give a change as rich markup: when, what, and why.

    The cause is left out where a stream has come back.
    """
    change = changed.to_dict()
    head = (
        f"[dim]{change['time']} row {change['row']:,}[/]  {styled(change['status'])}: "
        f"[bold]{escape(change['stream'])}[/] (was {change['previous']})"
    )
    if change["status"] not in LOUD or not change["cause"]:
        return head
    return f"{head}\n    why: {escape(change['cause'])}"


def json_line(changed: Changed) -> dict[str, Any]:
    """Give a change, and the headline of the cause card of what it belongs to.

    None where the stream is not warning or drift, or the whole is meant.
    """
    incident = changed.change.incident
    headline = None if incident is None else incident.card.headline.detail
    return {**changed.to_dict(), "headline": headline}


def _print_json(value: Mapping[str, Any]) -> None:
    typer.echo(msgspec.json.encode(value).decode())


def _print_summary(running: Replay) -> None:
    summary = running.summary()
    table = Table(box=SIMPLE_HEAD)
    for head in ("stream", "status", "since", "evidence", "JS distance"):
        table.add_column(head, no_wrap=head in {"stream", "since"})
    quiet = 0
    for stream in summary["streams"]:
        if stream["status"] in {"ok", "insufficient_data"} and "/" in stream["name"]:
            quiet += 1  # a column's quality is told only where it is bad
            continue
        distance = stream["distances"].get(SHOWN_DISTANCE)
        shown = "" if distance is None else _distance(distance)
        reason = f" ({stream['reason']})" if stream["reason"] else ""
        table.add_row(
            escape(stream["name"]),
            styled(stream["status"]) + reason,
            (stream["since"] or "")[:16].replace("T", " "),
            f"{stream['evidence']:.1f} of {stream['threshold']:.1f}",
            shown,
        )
    console = stdout()
    console.print(table)
    if summary["labels"] is not None:
        _print_performance(summary["labels"], running.report.performance)
    late = summary["late_rows"]
    console.print(
        f"{styled(summary['status'])}, gate {styled(summary['gate']['verdict'])}: "
        f"{_rows(summary['rows'])} in {_blocks(summary['blocks'])}, "
        f"{summary['seconds']:.1f} s"
        + (f"; {quiet} quality streams not shown are quiet" if quiet else ""),
        soft_wrap=True,
    )
    if late:
        console.print(
            f"{styled('warning')}: {_rows(late)} came late, with a time before the "
            "block that was open, and counted where they came; sort the file by time",
            soft_wrap=True,
        )


def _print_performance(
    labels: Mapping[str, int], performance: Performance | None
) -> None:
    """Print how good the model was, and which labels say so."""
    assert performance is not None
    console = stdout()
    left = [
        f"{labels[name]:,} {words}"
        for name, words in (
            ("not_due", "not due when the file ends"),
            ("missing", "missing"),
        )
        if labels[name]
    ]
    said = f"{labels['compared']:,} labels compared"
    console.print("; ".join([said, *left]), soft_wrap=True)
    table = Table(box=SIMPLE_HEAD)
    for head in ("metric", "since the start", "95 %", "lately", "on evaluation"):
        table.add_column(head, no_wrap=True)
    for name, standing in performance.metrics.items():
        since = standing.since
        bounds = ""
        if since is not None and since.low is not None and since.high is not None:
            bounds = f"{since.low:.4g} to {since.high:.4g}"
        found = (since, standing.recent, standing.baseline)
        whole, lately, before = ("" if m is None else f"{m.value:.4g}" for m in found)
        table.add_row(name, whole, bounds, lately, before)
    console.print(table)
    if performance.unknown:
        console.print(f"{styled('warning')}: {escape(performance.unknown)}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count:,} blocks"


def _distance(distance: Mapping[str, float]) -> str:
    return f"{distance['value']:.3f}, noise {distance['noise']:.3f}"
