"""The `servewatch` command: parses, calls, prints, exits.

Exit codes: 0 pass or done, 1 fail, 2 usage, 3 inconclusive.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; this is what `servewatch` starts."""
    try:
        from servewatch.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"click", "rich", "typer"}:
            raise
        from servewatch.errors import MissingExtra

        missing = MissingExtra("the command line", extra="cli")
        sys.stderr.write(f"error: {missing}\n")
        sys.exit(2)
    app()
