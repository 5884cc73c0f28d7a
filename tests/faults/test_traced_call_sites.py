"""Whatever fails while spans are made, its user cannot tell."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from servewatch.capture.tracing import Tracing
from tests.capture.asked import Watching
from tests.faults.cases import CASES
from tests.faults.test_call_sites import EXCEPTIONS, WARM, check

NOT_WATCHED = {"websocket", "lifespan", "pathsend", "method_looked_up"}
HELD: list[Tracing] = []


def traced() -> Watching:
    watch = Watching()
    HELD[:] = [Tracing(watch.recorder, model="demand", version="3")]
    return watch


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("before", [0, WARM], ids=["first", "later"])
@pytest.mark.parametrize("name", sorted(set(CASES) - NOT_WATCHED))
def test_a_failing_call_changes_nothing_and_is_counted_once(
    name: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider())

    calls = asyncio.run(check(name, EXCEPTIONS["ValueError"], before, traced))

    assert calls > 0
