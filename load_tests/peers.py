"""What a request pays for ServeWatch, and for what else people would put in its place.

The JSON app of 30 floats, bare and watched in turn, in one process, the CPU time of all
threads counted. Ours is the whole: middleware, wrapper, prediction id, and every
statistic of every feature counted at the end. Three exporters count and time requests
and know no features; `by_hand` observes each feature in a Prometheus histogram.

`make bench-peers` installs peers.txt into an environment of its own and runs this.
"""

import asyncio
from typing import Any

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, Histogram
from prometheus_fastapi_instrumentator import Instrumentator
from starlette_exporter import PrometheusMiddleware

from load_tests.asgi_load import App, Untouched, asked, json_app, some_bodies
from load_tests.subjects import Linear, a_watch, names, settle
from load_tests.turns import take_turns
from servewatch import ServeWatchMiddleware

TARGET = "bench-peers"
EXPORTERS = ("instrumentator", "starlette_exporter", "otel_asgi")
PEERS = (
    "opentelemetry-instrumentation-asgi",
    "prometheus-client",
    "prometheus-fastapi-instrumentator",
    "starlette-exporter",
)
# The bar is an eighth of the best exporter; two eighths would be a fault, not noise.
LIMITS: dict[str, float] = {"ours_over_best_exporter": 1.0}


class ByHand:
    """A model whose features are observed one by one, as a tutorial would have it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        seen = Histogram("feature", "", ["name"], registry=CollectorRegistry())
        self.columns = [seen.labels(name) for name in names()]

    def predict(self, rows: Any) -> Any:
        """Observe every feature of every row."""
        for row in rows.tolist():
            for column, value in zip(self.columns, row, strict=True):
                column.observe(value)
        return self.model.predict(rows)


def measure(groups: int = 5, rounds: int = 10, requests: int = 500) -> dict[str, float]:
    """Give microseconds a request of everybody, beyond the bare app's."""
    watch = a_watch(Linear())
    apps: dict[str, App] = {
        "bare": json_app(Linear()),
        "control": Untouched(json_app(Linear())),
        "ours": ServeWatchMiddleware(json_app(watch), watch=watch),
        "instrumentator": _instrumentator(),
        "starlette_exporter": _starlette_exporter(),
        "otel_asgi": _opentelemetry(),
        "by_hand": json_app(ByHand(Linear())),
    }
    bodies = some_bodies(requests)
    with asyncio.Runner() as runner:
        actions = [
            asked(name, app, bodies, runner, watch.flush if name == "ours" else _none)
            for name, app in apps.items()
        ]
        found = take_turns(actions, groups=groups, rounds=rounds)
    settle(watch)
    added = {
        name: found.added(f"{name}_all", "bare_all") for name in apps if name != "bare"
    }
    best = min(added[name] for name in EXPORTERS)
    return {
        "bare_us": found.least("bare_all"),
        **{f"{name}_us": value for name, value in added.items()},
        "best_exporter_us": best,
        "times_cheaper": best / added["ours"],
        "ours_over_best_exporter": added["ours"] / best,
    }


def _none() -> None:
    pass


def _instrumentator() -> App:
    app = json_app(Linear())
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def _starlette_exporter() -> App:
    app = json_app(Linear())
    app.add_middleware(PrometheusMiddleware)
    return app


def _opentelemetry() -> App:
    """Trace and measure as with an SDK, and export nothing."""
    app: App = OpenTelemetryMiddleware(
        json_app(Linear()),
        tracer_provider=TracerProvider(),
        meter_provider=MeterProvider([InMemoryMetricReader()]),
    )
    return app


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:24} {figure:10.3f}")
