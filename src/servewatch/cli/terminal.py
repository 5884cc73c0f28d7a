"""Where commands write: answers to stdout, progress and errors to stderr.

On a terminal both are coloured and progress moves; anywhere else both are plain lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

STATUS_STYLES = {
    "ok": "green",
    "warning": "yellow",
    "drift": "bold red",
    "insufficient_data": "dim",
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
}


PLAIN_WIDTH = 120  # a file or pipe is as wide as it need be


def stdout() -> Console:
    """Give the console for answers; made anew because tests replace the streams."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def stderr() -> Console:
    """Give the console for progress and errors."""
    return Console(stderr=True, highlight=False)


def styled(word: str) -> str:
    """Give a status or verdict in its colour, as rich markup.

    >>> styled("ok")
    '[green]ok[/]'
    """
    style = STATUS_STYLES.get(word)
    return word if style is None else f"[{style}]{word}[/]"


def progress_bar(*columns: ProgressColumn, console: Console | None = None) -> Progress:
    """Give a bar on stderr that shows only on a terminal and vanishes at the end."""
    console = console or stderr()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *(columns or (TaskProgressColumn(),)),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def counted() -> MofNCompleteColumn:
    """Give the column "3/26"."""
    return MofNCompleteColumn()
