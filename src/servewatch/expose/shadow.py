"""Which of an application's own routes ours would hide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def shadowed(routes: Iterable[Any], own_paths: frozenset[str]) -> list[str]:
    """Give the paths in *own_paths* that the application means to answer itself.

    Routes written out count, and mounts whose prefix they lie under. A catch-all does
    not: `/{path:path}` means whatever nobody else answers.

    >>> from starlette.routing import Route
    >>> shadowed(
    ...     [Route("/drift", print), Route("/{name}", print)], frozenset({"/drift"})
    ... )
    ['/drift']
    """
    meant: set[str] = set()
    for route in routes:
        path = getattr(route, "path", None)
        if not isinstance(path, str):
            continue
        if not hasattr(route, "routes"):
            meant |= own_paths & {path}
        elif path:  # a mount: everything below its prefix is its own
            meant |= {own for own in own_paths if own.startswith(f"{path}/")}
            meant |= own_paths & {path}
        else:
            meant |= set(shadowed(route.routes or (), own_paths))
    return sorted(meant)
