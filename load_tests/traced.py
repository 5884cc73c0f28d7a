"""What spans add to a watched request, beside two bare spans of the SDK.

The JSON app of 30 floats: bare, watched, watched with a provider installed that samples
everything and hands it to a span processor that does nothing, and bare with two spans
by hand (the control: one around the request, one around the call, no attributes). In a
process of its own, for a provider once installed stays.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Tracer, set_tracer_provider

from load_tests.asgi_load import App, Message, ask, asked, json_app, some_bodies
from load_tests.subjects import Linear, a_watch, settle
from load_tests.turns import take_turns
from servewatch import ServeWatchMiddleware

LIMITS = {"ratio_to_sdk": 3.0}  # it is about 2.0; the rest is for noise


class ByHand:
    """A middleware and a model, each with a span."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.model = Linear()
        self.app = json_app(self)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Pass on, within a span."""
        with self.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
            await self.app(scope, receive, send)

    def predict(self, rows: Any) -> Any:
        """Call the model, within a span."""
        with self.tracer.start_as_current_span("call"):
            return self.model.predict(rows)


def measure(groups: int = 5, rounds: int = 10, requests: int = 500) -> dict[str, float]:
    """Give microseconds a request: what spans add on the path, and to all threads."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_measured, groups, rounds, requests).result()


def _measured(groups: int, rounds: int, requests: int) -> dict[str, float]:
    quiet, traced = a_watch(Linear()), a_watch(Linear())
    bodies = some_bodies(requests)
    with asyncio.Runner() as runner:
        apps: dict[str, App] = {
            "bare": json_app(Linear()),
            "watched": ServeWatchMiddleware(json_app(quiet), watch=quiet),
        }
        runner.run(ask(apps["watched"], bodies[0]))  # which looks for a provider
        provider = TracerProvider()
        provider.add_span_processor(SpanProcessor())
        set_tracer_provider(provider)
        apps["traced"] = ServeWatchMiddleware(json_app(traced), watch=traced)
        apps["sdk"] = ByHand(provider.get_tracer("bench"))
        flush = {"watched": quiet.flush, "traced": traced.flush}
        actions = [
            asked(name, app, bodies, runner, flush.get(name, lambda: None))
            for name, app in apps.items()
        ]
        found = take_turns(actions, groups=groups, rounds=rounds)
    settle(quiet, traced)
    added = found.added("traced", "watched", "bare")
    sdk = found.added("sdk", "bare")
    return {
        "bare_us": found.least("bare"),
        "added_us": added,
        "added_all_us": found.added("traced_all", "watched_all", "bare"),
        "sdk_us": sdk,
        "ratio_to_sdk": added / sdk,
        "traced_over_watched": found.ratio("traced", "watched"),
    }


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:24} {figure:10.3f}")
