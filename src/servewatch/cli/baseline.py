"""`servewatch baseline`: build, show and compare baselines."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from servewatch.cli.baseline_options import (
    AsJson,
    EvaluationFile,
    Features,
    Ignored,
    Kinds,
    ModelName,
    ModelVersion,
    Ordered,
    Output,
    Positive,
    Predictions,
    Scores,
    Segments,
    Target,
    TaskName,
    Timestamp,
    TrainFile,
)
from servewatch.cli.terminal import progress_bar, stdout
from servewatch.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from servewatch.baseline import Baseline
    from servewatch.schema import Kind
    from servewatch.sketch.truth import Task

BAR_AFTER_SECONDS = 2.0

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Package what the world looked like when the model was trained.",
)


@app.command()
def build(
    file: TrainFile,
    *,
    output: Output,
    prediction: Predictions = None,
    evaluation: EvaluationFile = None,
    target: Target = None,
    timestamp: Timestamp = None,
    ordered: Ordered = False,
    feature: Features = None,
    ignore: Ignored = None,
    kind: Kinds = None,
    segment: Segments = None,
    task: TaskName = None,
    score: Scores = None,
    positive: Positive = None,
    model: ModelName = "model",
    version: ModelVersion = "",
    as_json: AsJson = False,
) -> None:
    """Build a baseline file from training rows; exit code **0**, or **2** on bad input.

    For example:

    * `servewatch baseline build train.csv --evaluation valid.csv --prediction score
      --target label --timestamp at -o model.baseline.json`

    * `servewatch baseline build train.parquet --prediction p0 --prediction p1 --ordered
      --ignore id --kind store=categorical -o model.baseline.json`
    """
    from servewatch.baseline import Baseline
    from servewatch.baseline.describe import as_dict
    from servewatch.config import Config

    kinds = dict(_kind(text) for text in kind or ())
    with _progress() as tell:
        found = Baseline.build(
            file,
            evaluation=evaluation,
            target=target,
            prediction=prediction or None,
            timestamp=timestamp,
            ordered=ordered,
            features=feature or None,
            ignore=ignore or (),
            kinds=kinds,
            segments=segment or (),
            task=_task(task),
            scores=score or None,
            positive=positive,
            model=model,
            version=version,
            config=Config.from_environ(os.environ),
            progress=tell,
        )
    found.save(output)
    if as_json:
        _print_json(as_dict(found) | _known(found) | {"path": str(output)})
    else:
        _print_report(found, output)


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A baseline file.")],
    as_json: AsJson = False,
) -> None:
    """Show what a baseline holds: its columns, where it comes from, and its notes.

    For example: `servewatch baseline show model.baseline.json`
    """
    from servewatch.baseline import Baseline
    from servewatch.baseline.describe import (
        HEADINGS,
        as_cells,
        as_dict,
        headline,
        tap_lines,
    )

    found = Baseline.load(file)
    if as_json:
        _print_json(as_dict(found) | _known(found))
        return
    table = Table()
    for heading in HEADINGS.values():
        table.add_column(heading, overflow="fold")
    for column in found.content.columns:
        table.add_row(*map(escape, as_cells(column)))
    stdout().print(f"[bold]{escape(headline(found))}[/]", soft_wrap=True)
    stdout().print(table)
    for line in [*tap_lines(found.content), *_known_lines(found)]:
        stdout().print(escape(line), soft_wrap=True)
    for note in found.notes:
        stdout().print(f"- {escape(note)}", soft_wrap=True)


@app.command()
def diff(
    reference: Annotated[Path, typer.Argument(help="The baseline to start from.")],
    current: Annotated[Path, typer.Argument(help="The baseline to compare with it.")],
    as_json: AsJson = False,
) -> None:
    """Compare two baselines: which columns changed, and how far values lie apart.

    For example: `servewatch baseline diff v1.baseline.json v2.baseline.json`
    """
    from servewatch.baseline import Baseline
    from servewatch.baseline.difference import as_lines
    from servewatch.baseline.difference import diff as compare

    found = compare(Baseline.load(reference), Baseline.load(current))
    if as_json:
        _print_json(found)
        return
    for line in as_lines(found):
        stdout().print(escape(line), soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Give what to call with a label and a share; a short build shows no bar."""
    bar = progress_bar()
    task = bar.add_task("building", total=1.0)
    started = time.monotonic()

    def tell(label: str, share: float) -> None:
        if time.monotonic() - started > BAR_AFTER_SECONDS:
            bar.start()
        bar.update(task, description=escape(label), completed=share)

    try:
        yield tell
    finally:
        bar.stop()


def _kind(text: str) -> tuple[str, Kind]:
    column, sign, kind = text.rpartition("=")
    if not sign or not column:
        raise BaselineError(
            "--kind cannot be read",
            found=text,
            expected="COLUMN=KIND, such as store=categorical",
            remedy="write the column, an equals sign and its kind",
        )
    return column, cast("Kind", kind)  # `Baseline.build` says which kinds there are


def _print_report(baseline: Baseline, output: Path) -> None:
    for line in [*baseline.report().splitlines(), *_known_lines(baseline)]:
        stdout().print(escape(line), soft_wrap=True)
    stdout().print(f"Written to [bold]{escape(str(output))}[/].", soft_wrap=True)


def _task(text: str | None) -> Task | None:
    if text not in {None, "classification", "regression"}:
        raise BaselineError(
            "--task cannot be read",
            found=text,
            expected="classification or regression",
            remedy="correct it, or leave it out",
        )
    return cast("Task | None", text)


def _known(baseline: Baseline) -> dict[str, object]:
    """Give what later labels are compared with, as JSON values."""
    from servewatch.labels.known import known_metrics

    known = baseline.content.performance
    if known is None:
        return {"performance": None}
    truth = known.truth
    return {
        "performance": {
            "task": truth.task,
            "target": truth.target,
            "prediction": truth.prediction,
            "scores": truth.scores,
            "classes": truth.classes,
            "segments": [each.column for each in truth.segments],
            "rows": known.rows,
            "metrics": {
                name: {"value": each.value, "low": each.low, "high": each.high}
                for name, each in known_metrics(baseline).items()
            },
        }
    }


def _known_lines(baseline: Baseline) -> list[str]:
    from servewatch.labels.known import known_line

    line = known_line(baseline)
    return [] if line is None else [line]


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.encode(value).decode())
