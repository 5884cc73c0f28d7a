"""All commands under one name, and what becomes of an error."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from servewatch import __version__
from servewatch.cli import audit, baseline, demo, feedback, gate, replay
from servewatch.cli.terminal import stderr
from servewatch.errors import ServeWatchError

USAGE = 2


class Commands(TyperGroup):
    """Turns an error of ours into a paragraph and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with --debug an error keeps its traceback."""
        try:
            return super().invoke(ctx)
        except ServeWatchError as error:
            if ctx.params.get("debug"):
                raise
            console = stderr()
            console.print("[bold red]error:[/] ", end="")
            console.print(str(error), markup=False, soft_wrap=not console.is_terminal)
            raise typer.Exit(USAGE) from error


app = typer.Typer(
    cls=Commands,
    name="servewatch",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # it shows local variables: they may be secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"servewatch {__version__}")
        raise typer.Exit


@app.callback()
def servewatch(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Say which it is."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Observability that lives inside a model server.

    Is the model still seeing the world it was trained on? Is it still right? If not,
    where did it break?

    Exit codes: 0 done, 2 bad usage or input, or no answer. `gate` also answers by them
    (0 pass, 1 fail, 3 inconclusive), `feedback` (1 some labels were refused) and
    `audit verify` (1 the log was touched).
    """


app.command("demo")(demo.demo)
app.add_typer(baseline.app, name="baseline")
app.command("replay")(replay.replay)
app.command("gate")(gate.gate)
app.command("feedback")(feedback.feedback)
app.add_typer(audit.app, name="audit")
