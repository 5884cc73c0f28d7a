"""The traces behind the buckets of a drain."""

from __future__ import annotations

from typing import Any

from servewatch.record.observation import NANO, Call, Exchange, Outcome
from servewatch.record.services import Services
from servewatch.record.snapshot import snapshot_features
from servewatch.record.totals import Totals
from servewatch.sketch.window import Window
from tests.record.seen import NUMBERS

OK: Outcome = "ok"
AT = 1.7e9


def exchange(seconds: float, trace: int | None, **fields: Any) -> Exchange:
    name = None if trace is None else f"{trace:032x}"
    took = round(seconds * NANO)
    return Exchange("/p", "GET", 200, took, 0, OK, trace=name, **fields)


def noted(name: str, *exchanges: Exchange) -> dict[int, tuple[int, float]]:
    """Count requests; give the trace and seconds of each bucket that has one."""
    totals = Totals()
    services = Services(NUMBERS, totals, clock=lambda: AT)
    services.count_exchanges(exchanges, Window.empty(NUMBERS, 0.0, 1.0))
    assert not totals.internal_errors
    latest = totals.exemplars.latest(name)
    assert {each.at for each in latest if each} <= {AT}
    return {
        place: (int(each.trace_id, 16), each.seconds)
        for place, each in enumerate(latest)
        if each
    }


def test_each_bucket_keeps_its_last_trace_and_the_slowest_its_slowest() -> None:
    found = noted(
        "request_seconds",
        exchange(0.0004, 1),
        exchange(0.0005, 2),
        exchange(0.045, 3),
        exchange(0.030, 4),
        exchange(0.0004, None),
    )

    assert found == {0: (2, 0.0005), 5: (3, 0.045)}


def test_requests_without_a_trace_leave_none() -> None:
    assert noted("request_seconds", exchange(0.1, None)) == {}


def test_first_bytes_and_calls_have_the_trace_of_their_request() -> None:
    call = Call(snapshot_features([[1.0]], 1, "predict"), None, "predict", 0.02)
    failed = call._replace(error="ValueError", seconds=3.0)
    one = exchange(0.1, 7, calls=[call, failed])._replace(first=60_000_000)

    assert noted("first_byte_seconds", one) == {6: (7, 0.06)}
    assert noted("inference_seconds", one) == {4: (7, 0.02)}
