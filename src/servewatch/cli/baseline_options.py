"""What `servewatch baseline build` can be told on its line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="How labels are compared: classification or regression. As it looks.",
    ),
]
Scores = Annotated[
    list[str] | None,
    typer.Option(
        "--score",
        metavar="COLUMN",
        help="A --prediction that is a probability; one a class, in order.",
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        "--positive", metavar="CLASS", help="The class of interest of two: the last."
    ),
]
ModelName = Annotated[str, typer.Option("--model", help="The model's name.")]
ModelVersion = Annotated[str, typer.Option("--version", help="The model's version.")]
