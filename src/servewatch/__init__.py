"""Observability that lives inside a model server.

Importing this package does nothing else: no thread, no file, no environment read, no
log handler, and no module of ours until one of the names below is used (PEP 562).
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Baseline",
    "BaselineError",
    "Column",
    "Config",
    "ConfigError",
    "DataError",
    "GateError",
    "MissingExtra",
    "Report",
    "Run",
    "Schema",
    "SchemaMismatch",
    "ServeWatch",
    "ServeWatchError",
    "ServeWatchMiddleware",
    "StoreError",
    "__version__",
    "current_id",
    "run",
]

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.capture.asgi import ServeWatchMiddleware
    from servewatch.capture.request import current_id
    from servewatch.config import Config
    from servewatch.embed import ServeWatch
    from servewatch.errors import (
        BaselineError,
        ConfigError,
        DataError,
        GateError,
        MissingExtra,
        SchemaMismatch,
        ServeWatchError,
        StoreError,
    )
    from servewatch.monitor.report import Report
    from servewatch.runs.run import Run, run
    from servewatch.schema import Column, Schema

_HOMES = {
    "Baseline": "servewatch.baseline",
    "BaselineError": "servewatch.errors",
    "Column": "servewatch.schema",
    "Config": "servewatch.config",
    "ConfigError": "servewatch.errors",
    "DataError": "servewatch.errors",
    "GateError": "servewatch.errors",
    "MissingExtra": "servewatch.errors",
    "Report": "servewatch.monitor.report",
    "Run": "servewatch.runs.run",
    "Schema": "servewatch.schema",
    "SchemaMismatch": "servewatch.errors",
    "ServeWatch": "servewatch.embed",
    "ServeWatchError": "servewatch.errors",
    "ServeWatchMiddleware": "servewatch.capture.asgi",
    "StoreError": "servewatch.errors",
    "current_id": "servewatch.capture.request",
    "run": "servewatch.runs.run",
}
"""The module each public name lives in; it is imported at the first use."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
