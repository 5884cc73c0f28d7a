"""What `servewatch gate` can be told."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[
    str,
    typer.Argument(help="Where the model is served, such as http://127.0.0.1:8000"),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        metavar="SECONDS",
        help="Ask again until it passes or fails, at most this long.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SERVEWATCH_TOKEN",
        help="What the server's `token` setting says.",
    ),
]
Stable = Annotated[
    str | None,
    typer.Option(
        "--stable",
        metavar="URL",
        help="Compare with what serves there now, instead of with the baseline.",
    ),
]
StableToken = Annotated[
    str | None,
    typer.Option("--stable-token", help="Its token, if that is another."),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="With --stable: compare blocks from that moment on (ISO 8601 or Unix"
        " seconds); all that both still keep without it.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="With --stable: which of a server's models."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of sentences.")
]
