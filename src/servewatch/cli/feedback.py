"""`servewatch feedback`: sends a file of labels to a served model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from servewatch.cli.label_file import MOST_LABELS, Batch, batches, label_rows
from servewatch.cli.terminal import progress_bar, stderr, stdout
from servewatch.client import Client, LabelAnswer, LabelAnswers, Unreachable, base_url

OUTCOMES = ("accepted", "duplicate", "conflict", "unknown", "invalid")
TAKEN = {"accepted", "duplicate"}
REFUSED = 1
WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
TIMEOUT_SECONDS = 60.0  # a disk under load takes its time
BAR_AFTER_SECONDS = 2.0
SHOWN = 5


@dataclass
class Sent:
    """What became of the labels so far; `refused` are the first few of those."""

    counts: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    durable: bool = True
    refused: list[LabelAnswer] = field(default_factory=list)

    @property
    def labels(self) -> int:
        """Number of labels answered."""
        return self.counts.total()

    @property
    def is_whole(self) -> bool:
        """Whether every label was taken, now or before."""
        return self.counts.keys() <= TAKEN

    def add(self, batch: Batch, answers: LabelAnswers) -> None:
        """Count what the server says of *batch*."""
        self.left_out += batch.left_out
        outcomes = Counter(each.outcome for each in answers.items)
        self.counts.update(outcomes)
        if outcomes.keys() & TAKEN:
            self.durable = self.durable and answers.durable
        room = SHOWN - len(self.refused)
        refused = [each for each in answers.items if each.outcome not in TAKEN]
        self.refused += refused[:room]


File = Annotated[
    Path, typer.Argument(help="CSV, Parquet or JSON lines: an id and a label a row.")
]
Url = Annotated[
    str,
    typer.Option(
        "--url", help="Where the model is served, such as http://127.0.0.1:8000"
    ),
]
IdColumn = Annotated[
    str,
    typer.Option(
        "--id", metavar="COLUMN", help="The prediction ids: `<id>`, or `<id>:<row>`."
    ),
]
LabelColumn = Annotated[
    str, typer.Option("--label", metavar="COLUMN", help="The truth.")
]
BatchSize = Annotated[
    int, typer.Option("--batch", min=1, max=MOST_LABELS, help="Labels a request.")
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SERVEWATCH_TOKEN",
        help="What the server's `token` setting says.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of sentences.")
]


def feedback(
    file: File,
    url: Url,
    *,
    id_column: IdColumn = "id",
    label_column: LabelColumn = "label",
    batch: BatchSize = 1000,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Tell a served model the truth about its predictions.

    Rows without a label are left out. Each label counts once, however often it is
    sent: a file that was sent in part can be sent again.

    Exit codes: **0** all labels are taken, now or before; **1** some were refused, and
    the first few are told; **2** bad input, or no answer.

    For example:

    * `servewatch feedback labels.csv --url http://127.0.0.1:8000`

    * `servewatch feedback day.jsonl --url https://shop.example --id order --json`
    """
    client = Client(base=base_url(url), token=token, timeout_seconds=TIMEOUT_SECONDS)
    rows = label_rows(file, id_column=id_column, label_column=label_column)
    sent = Sent()
    with _progress(file.name) as tell:
        for part in batches(rows, batch):
            answers = answered(client.feedback, part, sleep=time.sleep, tell=tell)
            sent.add(part, answers)
            tell(f"{sent.labels:,} labels sent")
    if as_json:
        typer.echo(msgspec.json.encode(summary(client.base, sent)).decode())
    else:
        explain(stdout(), sent)
    if not sent.is_whole:
        raise typer.Exit(REFUSED)


def answered(
    ask: Callable[[bytes], LabelAnswers],
    batch: Batch,
    *,
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
) -> LabelAnswers:
    """Send *batch*, and again where the server is busy or away.

    Waits are those of `WAITS_SECONDS`; after the last one `Unreachable` is raised.
    """
    if not batch.labels:
        return LabelAnswers([], durable=True)
    for seconds in WAITS_SECONDS:
        try:
            return ask(batch.body)
        except Unreachable as error:
            tell(f"{error.message}; again in {seconds:g} s")
            sleep(seconds)
    return ask(batch.body)


def summary(url: str, sent: Sent) -> dict[str, Any]:
    """Give what became of the labels, for programs."""
    return {
        "url": url,
        "labels": sent.labels,
        **{outcome: sent.counts[outcome] for outcome in OUTCOMES},
        "left_out": sent.left_out,
        "durable": sent.durable,
        "refused": sent.refused,
    }


def explain(console: Console, sent: Sent) -> None:
    """Print what became of the labels in sentences."""
    found = [
        f"{count:,} {outcome}"
        for outcome in OUTCOMES
        if (count := sent.counts[outcome])
    ]
    head = f"{sent.labels:,} {'label' if sent.labels == 1 else 'labels'}"
    console.print(f"{head}: {', '.join(found)}" if found else head, soft_wrap=True)
    if sent.left_out:
        rows = "1 row" if sent.left_out == 1 else f"{sent.left_out:,} rows"
        console.print(f"{rows} without a label left out")
    if not sent.durable:
        console.print("the server keeps them in memory: a restart forgets them")
    for each in sent.refused:
        line = f"  {each.outcome} {each.id or '(no id)'}: {each.reason}"
        console.print(line, markup=False, soft_wrap=True)


@contextmanager
def _progress(name: str) -> Iterator[Callable[[str], None]]:
    """Give what to call with a sentence; a short file shows nothing."""
    bar = progress_bar(console=stderr())
    task = bar.add_task(f"reading {name}", total=None)
    started = time.monotonic()

    def tell(text: str) -> None:
        if time.monotonic() - started > BAR_AFTER_SECONDS:
            bar.start()
        bar.update(task, description=text)

    try:
        yield tell
    finally:
        bar.stop()
