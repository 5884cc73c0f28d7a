from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import numpy as np
import pytest

from servewatch import ServeWatch
from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.expose.events import Events
from servewatch.expose.served import A_SECOND, ServedEvents
from servewatch.record.lane import Lanes
from servewatch.record.observation import NANO, Call, Exchange
from servewatch.record.outliers import Outliers
from servewatch.record.snapshot import snapshot_features
from tests.capture.asked import a_scope, answered, body, start
from tests.capture.traces import CALLER, TRACE, installed
from tests.record.seen import LAYOUT

AT = 1290000000.0
CANARY = 7_654_321.25


def call(*rows: dict[str, Any]) -> Call:
    features = snapshot_features(list(rows), 100, "predict")
    return Call(features, None, "predict", 0.001)


def exchange(**fields: Any) -> Exchange:
    return Exchange("/p", "POST", 200, NANO // 4, 0, "ok", name=b"order-7", **fields)


class Told:
    """The lines that a watch would write."""

    def __init__(self, share: float = 1.0) -> None:
        self.lines: list[str] = []
        self.now = AT
        self.served = ServedEvents(
            Events("demand", self.lines.append),
            Outliers(LAYOUT, Lanes()),
            share=share,
            version="3",
            clock=lambda: self.now,
        )

    def of(self, *exchanges: Exchange) -> list[dict[str, Any]]:
        self.served.take(exchanges)
        self.served.write()
        told = [json.loads(line) for line in self.lines]
        self.lines.clear()
        return told


USUAL = {"a": 0.5, "b": 1.5, "color": "red"}


def test_a_line_says_which_request_and_what_became_of_it() -> None:
    (told,) = Told().of(exchange(calls=[call(USUAL, USUAL)], trace=TRACE))

    assert told == {
        "event": "prediction.served",
        "timestamp": "2010-11-17T13:20:00.000Z",
        "level": "info",
        "model": "demand",
        "id": "order-7",
        "version": "3",
        "route": "/p",
        "status": 200,
        "seconds": 0.25,
        "rows": 2,
        "outlier": False,
        "trace_id": TRACE,
    }


@pytest.mark.parametrize(
    "odd", [{"a": 10.5}, {"b": -math.inf}, {"color": "canary"}], ids=str
)
def test_one_odd_value_makes_an_outlier_and_is_not_told(odd: dict[str, Any]) -> None:
    told = Told()
    (line,) = told.of(exchange(calls=[call(USUAL, USUAL | odd)]))

    assert line["outlier"] is True
    assert "canary" not in json.dumps(line)


def test_a_request_without_rows_is_neither_outlier_nor_none() -> None:
    (line,) = Told().of(exchange())

    assert (line["rows"], line["outlier"]) == (0, None)


def test_a_broken_request_is_told_as_it_is_counted() -> None:
    (line,) = Told().of(exchange()._replace(outcome="error_after_start"))

    assert line["status"] == 500


def test_a_share_of_the_requests_is_told() -> None:
    told = Told(share=0.25)
    found = 0
    for _ in range(20):
        found += len(told.of(*[exchange()] * 100))
        told.now += 1

    assert 400 <= found <= 600  # of 2,000: 500 and five standard deviations


def test_more_than_a_thousand_a_second_are_counted_instead() -> None:
    told = Told()

    lines = told.of(*[exchange()] * (A_SECOND + 7))
    assert (len(lines), lines[0]["left_out"]) == (A_SECOND, 7)
    assert told.of(exchange()) == []  # the same second
    told.now += 0.01
    (line,) = told.of(exchange())
    assert line["left_out"] == 1


def test_a_child_tells_nothing_of_its_parents() -> None:
    told = Told()
    told.served.take([exchange()])
    told.served.after_fork()

    assert told.of() == []


async def _app(scope: Any, receive: Any, send: Any) -> None:
    scope["state"]["watch"](np.array([[CANARY]]))
    await send(start())
    await send(body(str(CANARY).encode()))


async def _ask(watch: ServeWatch) -> None:
    scope = a_scope(f"/{CANARY}", headers=[CALLER], state={"watch": watch})
    await answered(ServeWatchMiddleware(_app, watch=watch), scope)


def events_of(captured: str) -> list[dict[str, Any]]:
    told = map(json.loads, captured.splitlines())
    return [each for each in told if each["event"] == "prediction.served"]


@pytest.mark.parametrize(("share", "lines"), [(0.0, 0), (1.0, 1)])
def test_a_watch_tells_of_requests_when_it_is_asked_to(
    share: float, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with installed():
        watch = ServeWatch(
            lambda rows: 0.5, block_seconds=3600, served_events=share, model="demand"
        )
        asyncio.run(_ask(watch))
        assert "prediction.served" not in capsys.readouterr().err  # not in a request
        watch.close()

    captured = capsys.readouterr().err
    told = events_of(captured)
    assert len(told) == lines
    assert [each["trace_id"] for each in told] == [TRACE] * lines
    assert str(CANARY) not in captured
