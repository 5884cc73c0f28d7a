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

from servewatch.cli.terminal import progress_bar, stdout
from servewatch.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from servewatch.schema import Kind

BAR_AFTER_SECONDS = 2.0

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Package what the world looked like when the model was trained.",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TrainFile = Annotated[
    Path, typer.Argument(help="CSV or Parquet: the rows the model was trained on.")
]
Predictions = Annotated[
    list[str] | None,
    typer.Option(
        "--prediction",
        metavar="COLUMN",
        help="What the model answered; again for every output. None by default.",
    ),
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="The baseline file to write.")
]
EvaluationFile = Annotated[
    Path | None,
    typer.Option(
        "--evaluation",
        metavar="FILE",
        help="Rows held out from training: predictions are profiled on them.",
    ),
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="The truth.")
]
Timestamp = Annotated[
    str | None,
    typer.Option(
        "--timestamp",
        metavar="COLUMN",
        help="The rows' times; without a zone they are UTC.",
    ),
]
Ordered = Annotated[bool, typer.Option("--ordered", help="The rows are in time order.")]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--feature",
        metavar="COLUMN",
        help="A feature, in the model's order. All other columns by default.",
    ),
]
Ignored = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="COLUMN", help="A column to leave out."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="What a column is: numeric, categorical or boolean.",
    ),
]
Segments = Annotated[
    list[str] | None,
    typer.Option(
        "--segment",
        metavar="COLUMN",
        help="A feature with few values; everything is counted for each.",
    ),
]
ModelName = Annotated[str, typer.Option("--model", help="The model's name.")]
ModelVersion = Annotated[str, typer.Option("--version", help="The model's version.")]


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
    model: ModelName = "model",
    version: ModelVersion = "",
    as_json: AsJson = False,
) -> None:
    """Build a baseline file from training rows and say what is worth knowing about it.

    Exit codes: **0** done, **2** bad input.

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
            model=model,
            version=version,
            config=Config.from_environ(os.environ),
            progress=tell,
        )
    found.save(output)
    if as_json:
        _print_json(as_dict(found) | {"path": str(output)})
        return
    for line in found.report().splitlines():
        stdout().print(escape(line), soft_wrap=True)
    stdout().print(f"Written to [bold]{escape(str(output))}[/].", soft_wrap=True)


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A baseline file.")],
    as_json: AsJson = False,
) -> None:
    """Show what a baseline holds: its columns, where it comes from, and its notes.

    For example: `servewatch baseline show model.baseline.json`
    """
    from servewatch.baseline import Baseline
    from servewatch.baseline.describe import HEADINGS, as_cells, as_dict, headline

    found = Baseline.load(file)
    if as_json:
        _print_json(as_dict(found))
        return
    table = Table()
    for heading in HEADINGS.values():
        table.add_column(heading, overflow="fold")
    for column in found.content.columns:
        table.add_row(*map(escape, as_cells(column)))
    stdout().print(f"[bold]{escape(headline(found))}[/]", soft_wrap=True)
    stdout().print(table)
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


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.encode(value).decode())
